//! The file: plain files in a tar, the tar in one zstd frame, and at the end a digest of everything before it.
//!
//! ```text
//! zstd frame      content size declared, content checksum, window of at most 8 MiB
//!   tar             ustar, plain files only, sorted by path; owner 0, mode 0644, one time for all; two zero blocks
//! skippable frame magic 0x184D2A5F, 40 bytes: "ojaflow1" and the SHA-256 of the zstd frame
//! ```
//!
//! `zstd -d` and `tar` open it: they pass over the skippable frame. There is one way to write the tar of given files, and
//! reading refuses every other, so equal digests of the tar mean equal archives, and no two programs can see different
//! files in one. The compressed bytes depend on the version of zstd, which is why the digest of the tar is the one that
//! counts.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::fault::Fault;

const BLOCK: usize = 512;
/// The end of a tar.
const END: u64 = 2 * BLOCK as u64;
/// Sizes stand in eleven octal digits.
const MAX_FILE: u64 = (1 << 33) - 1;
/// More than any run publishes; what claims more is not an archive of one.
const MAX_TAR: u64 = 1 << 40;
const MAX_FILES: usize = 1 << 20;
/// Tables are compressed already and text shrinks to a twentieth; what expands further is a bomb.
const MAX_RATIO: u64 = 200;
/// 8 MiB, the largest window that every decoder has to support.
const MAX_WINDOW_LOG: u32 = 23;
const LEVEL: i32 = 3;

const FRAME_MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();
const TRAILER_MAGIC: [u8; 4] = 0x184D_2A5F_u32.to_le_bytes();
const TRAILER_TAG: &[u8; 8] = b"ojaflow1";
const TRAILER: usize = 4 + 4 + TRAILER_TAG.len() + 32;
/// Magic, descriptor, window, dictionary and content size, all at their longest.
const FRAME_HEADER: usize = 18;

/// One file to be written.
#[derive(Debug)]
pub struct Member {
    /// From the archive's root, `/` between folders.
    pub path: String,
    /// What is in it.
    pub content: Content,
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of its content, in hex.
    pub sha256: String,
}

/// Where the bytes of a member come from.
#[derive(Debug)]
pub enum Content {
    /// From memory.
    Bytes(Vec<u8>),
    /// From a file, read when it is written.
    File(PathBuf),
}

impl Member {
    /// A member whose content is in memory.
    pub fn text(path: impl Into<String>, text: impl Into<Vec<u8>>) -> Self {
        let bytes = text.into();
        let sha256 = format!("{:x}", Sha256::digest(&bytes));
        Self { path: path.into(), bytes: bytes.len() as u64, sha256, content: Content::Bytes(bytes) }
    }
}

/// What was written, or read and found sound.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Summary {
    /// How many files it holds.
    pub files: usize,
    /// The tar's size and digest; the digest is the archive's identity.
    pub tar_bytes: u64,
    /// SHA-256 of the tar, in hex: the digest that counts.
    pub tar_sha256: String,
    /// Size of the archive.
    pub file_bytes: u64,
    /// The time of all files, in seconds since 1970.
    pub time: u64,
}

/// Writes an archive of members that are sorted by path.
///
/// # Errors
/// A path or a size that the format has no place for, a file that cannot be read or is no longer what was digested, or
/// a sink that cannot be written.
pub fn write(sink: impl Write, members: &[Member], time: u64) -> io::Result<Summary> {
    assert!(members.is_sorted_by(|a, b| a.path < b.path), "members are sorted and differ");
    let tar_bytes = END + members.iter().map(|member| BLOCK as u64 + padded(member.bytes)).sum::<u64>();
    let mut encoder = zstd::Encoder::new(Hashing::new(sink), LEVEL)?;
    encoder.include_checksum(true)?;
    encoder.include_contentsize(true)?;
    encoder.set_pledged_src_size(Some(tar_bytes))?;
    let mut tar = Hashing::new(encoder);
    for member in members {
        let refused = |problem: &str| io::Error::other(format!("{}: {problem}", member.path));
        check_path(&member.path).map_err(refused)?;
        let header =
            header(&member.path, member.bytes, time).ok_or_else(|| refused("too long or too large for tar"))?;
        tar.write_all(&header)?;
        let written = match &member.content {
            Content::Bytes(bytes) => io::copy(&mut bytes.as_slice(), &mut tar)?,
            Content::File(path) => {
                let mut file = Hashing::new(File::open(path)?);
                // Never more than announced: the tar would be out of step.
                let written = io::copy(&mut Read::by_ref(&mut file).take(member.bytes), &mut tar)?;
                if file.hex() != member.sha256 {
                    return Err(refused("changed while it was being archived; run the same command again"));
                }
                written
            }
        };
        tar.write_all(&[0; BLOCK][..(padded(written) - written) as usize])?;
    }
    tar.write_all(&[0; END as usize])?;
    let tar_sha256 = tar.hex();
    let compressed = tar.inner.finish()?;
    let (file_bytes, digest) = (compressed.bytes + TRAILER as u64, compressed.hasher.finalize());
    let mut sink = compressed.inner;
    sink.write_all(&trailer(&digest.into()))?;
    sink.flush()?;
    Ok(Summary { files: members.len(), tar_bytes, tar_sha256, file_bytes, time })
}

fn trailer(digest: &[u8; 32]) -> Vec<u8> {
    let size = (TRAILER - 8) as u32;
    [TRAILER_MAGIC.as_slice(), &size.to_le_bytes(), TRAILER_TAG, digest].concat()
}

/// Reads an archive as a stream; `visit` gets each file's path, its size and its content, which it may leave unread.
///
/// Memory is bounded by the decoder's window and the names; nothing is written anywhere.
///
/// # Errors
/// Everything that is not the canonical form of an archive, with the file's name where there is one.
pub fn read(
    path: &Path,
    mut visit: impl FnMut(&str, u64, &mut dyn Read) -> Result<(), Fault>,
) -> Result<Summary, Fault> {
    let opening = |error: io::Error| Fault::archive(format!("cannot be read: {error}"));
    // Asked before it is opened: opening a pipe waits for someone to write to it.
    if !std::fs::metadata(path).map_err(opening)?.is_file() {
        return Err(Fault::archive("is not a plain file"));
    }
    let mut file = File::open(path).map_err(opening)?;
    let metadata = file.metadata().map_err(opening)?;
    let declared = check_seal(&mut file, metadata.len())?;
    file.seek(SeekFrom::Start(0)).map_err(opening)?;
    let frame = BufReader::with_capacity(1 << 17, file.take(metadata.len() - TRAILER as u64));
    let mut decoder = zstd::Decoder::with_buffer(frame).map_err(opening)?.single_frame();
    decoder.window_log_max(MAX_WINDOW_LOG).map_err(opening)?;
    let mut tar = Hashing::new(decoder);
    let (mut files, mut time, mut last) = (0, None, String::new());
    loop {
        let mut block = [0; BLOCK];
        let before = if last.is_empty() { "at its beginning".to_owned() } else { format!("after `{last}`") };
        tar.read_exact(&mut block).map_err(|error| Fault::archive(format!("{before}: {}", ends(&error))))?;
        if block == [0; BLOCK] {
            break;
        }
        let (name, size) = parse_header(&block, time, &last).map_err(|fault| fault.within(&before))?;
        time = octal(&block[136..148]);
        if tar.bytes + padded(size) + END > declared {
            return Err(Fault::entry(&name, format!("claims {size} bytes, more than the archive holds")));
        }
        files += 1;
        if files > MAX_FILES {
            return Err(Fault::entry(&name, format!("is one file more than the {MAX_FILES} that an archive may hold")));
        }
        let mut content = tar.by_ref().take(size);
        visit(&name, size, &mut content)?;
        io::copy(&mut content, &mut io::sink()).map_err(|error| Fault::entry(&name, ends(&error)))?;
        if content.limit() > 0 {
            return Err(Fault::entry(&name, "is cut off: the archive ends within it"));
        }
        let padding = (padded(size) - size) as usize;
        tar.read_exact(&mut block[..padding]).map_err(|error| Fault::entry(&name, ends(&error)))?;
        if block[..padding].iter().any(|byte| *byte != 0) {
            return Err(Fault::entry(&name, "is followed by bytes that belong to no file"));
        }
        last = name;
    }
    let mut block = [1; BLOCK];
    let ended = tar.read_exact(&mut block).is_ok() && block == [0; BLOCK];
    if !ended || tar.bytes != declared || tar.read(&mut block).map_err(|error| Fault::archive(ends(&error)))? != 0 {
        return Err(Fault::archive("its tar does not end with exactly two empty blocks"));
    }
    let tar_sha256 = tar.hex();
    let mut rest = tar.inner.finish();
    if !rest.fill_buf().map_err(opening)?.is_empty() {
        return Err(Fault::archive("holds something between its zstd frame and its digest"));
    }
    Ok(Summary { files, tar_bytes: declared, tar_sha256, file_bytes: metadata.len(), time: time.unwrap_or(0) })
}

/// Checks the digest at the end and the header at the beginning. Returns the size that the tar claims to have.
fn check_seal(file: &mut File, length: u64) -> Result<u64, Fault> {
    let failed = |error: io::Error| Fault::archive(format!("cannot be read: {error}"));
    let too_short = || Fault::archive("is too short for an archive of ojaflow");
    let framed = length.checked_sub(TRAILER as u64).filter(|framed| *framed > 9).ok_or_else(too_short)?;
    let mut start = Vec::new();
    Read::by_ref(file).take(FRAME_HEADER as u64).read_to_end(&mut start).map_err(failed)?;
    if start[..4] != FRAME_MAGIC {
        return Err(Fault::archive("does not begin with a zstd frame: not an archive of ojaflow"));
    }
    file.seek(SeekFrom::Start(0)).map_err(failed)?;
    let mut hashed = Hashing::new(Read::by_ref(file).take(framed));
    io::copy(&mut hashed, &mut io::sink()).map_err(failed)?;
    let digest: [u8; 32] = hashed.hasher.finalize().into();
    let mut end = Vec::new();
    file.take(TRAILER as u64 + 1).read_to_end(&mut end).map_err(failed)?;
    let expected = trailer(&digest);
    if end != expected {
        let head = TRAILER - 32;
        return Err(Fault::archive(if end.len() == TRAILER && end[..head] == expected[..head] {
            "its content does not have the digest that stands at its end: it was changed or damaged"
        } else {
            "does not end with its digest: it was cut off, added to or damaged, or is no archive of ojaflow"
        }));
    }
    // RFC 8878, 3.1.1.1.1: two bits for the size of the content size, single segment, unused, reserved, checksum, and two
    // bits for a dictionary.
    let descriptor = start[4];
    if descriptor & 0b0001_1111 != 0b0000_0100 {
        return Err(Fault::archive(
            "its zstd frame is not written as ojaflow does: it needs a checksum and no dictionary",
        ));
    }
    let declared = zstd::zstd_safe::get_frame_content_size(&start).ok().flatten();
    let declared = declared.ok_or_else(|| Fault::archive("its zstd frame does not declare the size of its content"))?;
    if declared > MAX_TAR || declared > (1 << 20) + MAX_RATIO * framed {
        return Err(Fault::archive(format!("claims {declared} bytes in {framed} compressed ones: refused as a bomb")));
    }
    Ok(declared)
}

/// A decoder's error as a person understands it.
fn ends(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => "the archive ends too early".to_owned(),
        _ => format!("cannot be decompressed: {error}"),
    }
}

fn padded(bytes: u64) -> u64 {
    bytes.next_multiple_of(BLOCK as u64)
}

/// Paths that mean the same everywhere and stay below the folder in which they are unpacked.
fn check_path(path: &str) -> Result<(), &'static str> {
    if path.starts_with('/') {
        return Err("is an absolute path");
    }
    for part in path.split('/') {
        match part {
            "" => return Err("has an empty part in its path"),
            "." | ".." => return Err("leaves the archive, or may do so"),
            part if part.starts_with('-') || !part.bytes().all(is_plain) => {
                return Err("has other characters in its path than letters, digits, `_`, `-`, `.` and `~`");
            }
            _ => {}
        }
    }
    Ok(())
}

fn is_plain(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.' | b'~')
}

/// The header of a plain file: the one way in which it may be written. None if path or size do not fit.
fn header(path: &str, size: u64, time: u64) -> Option<[u8; BLOCK]> {
    if size > MAX_FILE || time > MAX_FILE {
        return None;
    }
    let (prefix, name) = match path.len() {
        0..=100 => ("", path),
        length => {
            let cut = path.bytes().enumerate().position(|(at, byte)| byte == b'/' && length - at - 1 <= 100)?;
            (&path[..cut], &path[cut + 1..])
        }
    };
    if prefix.len() > 155 {
        return None;
    }
    let mut block = [0; BLOCK];
    let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
    put(0, name.as_bytes());
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(124, format!("{size:011o}\0").as_bytes());
    put(136, format!("{time:011o}\0").as_bytes());
    put(148, b"        ");
    put(156, b"0");
    put(257, b"ustar\x0000");
    put(329, b"0000000\0");
    put(337, b"0000000\0");
    put(345, prefix.as_bytes());
    let sum: u32 = block.iter().map(|byte| u32::from(*byte)).sum();
    block[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    Some(block)
}

/// Path and size from a header that is exactly what [`header`] would write.
fn parse_header(block: &[u8; BLOCK], time: Option<u64>, last: &str) -> Result<(String, u64), Fault> {
    let field = |from: usize, to: usize| {
        let field = &block[from..to];
        String::from_utf8_lossy(&field[..field.iter().position(|byte| *byte == 0).unwrap_or(field.len())]).into_owned()
    };
    let (name, prefix) = (field(0, 100), field(345, 500));
    let path = if prefix.is_empty() { name } else { format!("{prefix}/{name}") };
    // For messages only: what is printed must not steer a terminal.
    let shown: String = path.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect();
    let refuse = |problem: &str| Fault::entry(&shown, problem);
    match block[156] {
        b'0' => {}
        b'1' => return Err(refuse("is a hard link; an archive holds plain files only")),
        b'2' => return Err(refuse("is a symbolic link; an archive holds plain files only")),
        b'3' | b'4' => return Err(refuse("is a device; an archive holds plain files only")),
        b'5' => return Err(refuse("is a folder; an archive holds plain files only")),
        b'6' => return Err(refuse("is a pipe; an archive holds plain files only")),
        _ => return Err(refuse("is not a plain file; an archive holds plain files only")),
    }
    check_path(&path).map_err(refuse)?;
    let (Some(size), Some(found)) = (octal(&block[124..136]), octal(&block[136..148])) else {
        return Err(refuse("has a header without a size or a time"));
    };
    if time.is_some_and(|time| time != found) {
        return Err(refuse("has another time than the file before it"));
    }
    if header(&path, size, found).as_ref() != Some(block) {
        return Err(refuse("has a header that ojaflow would write otherwise (owner, mode, padding or checksum)"));
    }
    if path == last {
        return Err(refuse("is there twice"));
    }
    if path.as_str() < last {
        return Err(Fault::entry(&shown, format!("comes after `{last}`, but before it in the order of names")));
    }
    Ok((path, size))
}

/// Eleven octal digits and a zero byte.
fn octal(field: &[u8]) -> Option<u64> {
    let digits = field.strip_suffix(&[0])?;
    if !digits.iter().all(|digit| matches!(digit, b'0'..=b'7')) {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok()
}

/// A stream that digests and counts what passes through it.
pub(super) struct Hashing<T> {
    inner: T,
    hasher: Sha256,
    bytes: u64,
}

impl<T> Hashing<T> {
    pub(super) fn new(inner: T) -> Self {
        Self { inner, hasher: Sha256::new(), bytes: 0 }
    }

    /// The digest of what has passed so far.
    pub(super) fn hex(&self) -> String {
        format!("{:x}", self.hasher.clone().finalize())
    }
}

impl<R: Read> Read for Hashing<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..n]);
        self.bytes += n as u64;
        Ok(n)
    }
}

impl<W: Write> Write for Hashing<W> {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let n = self.inner.write(buffer)?;
        self.hasher.update(&buffer[..n]);
        self.bytes += n as u64;
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
