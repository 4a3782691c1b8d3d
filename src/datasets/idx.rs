//! The IDX format: a big-endian header, then unsigned bytes.
//!
//! ```text
//! images  00 00 08 03 | count: u32 | rows: u32 | columns: u32 | count × rows × columns bytes
//! labels  00 00 08 01 | count: u32 | count bytes
//! ```
//!
//! (08: unsigned byte; 03, 01: number of dimensions.) The format is the one described with MNIST by LeCun, Cortes and
//! Burges, *The MNIST database of handwritten digits*.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use flate2::{Compression, GzBuilder};
use sha2::{Digest, Sha256};

use super::words::counted;
use super::{COLS, FileFault, PIXELS, ROWS};

/// The largest number of images that a file may hold: 1.6 GB of pixels, five times the largest split of EMNIST.
/// It bounds the memory that a forged header together with a gzip bomb can ask for.
pub const MAX_ITEMS: u64 = 1 << 21;

const GZIP_MAGIC: [u8; 2] = [0x1f, 0x8b];

/// What a file is expected to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Images: n × rows × columns unsigned bytes.
    Images,
    /// Labels: n unsigned bytes.
    Labels,
}

impl Kind {
    pub(super) fn magic(self) -> u32 {
        match self {
            Self::Images => 0x0000_0803,
            Self::Labels => 0x0000_0801,
        }
    }

    fn header_len(self) -> usize {
        match self {
            Self::Images => 16,
            Self::Labels => 8,
        }
    }

    fn bytes_per_item(self) -> u64 {
        match self {
            Self::Images => PIXELS as u64,
            Self::Labels => 1,
        }
    }

    pub(super) fn plural(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Labels => "labels",
        }
    }

    /// `1 image`, `60,000 labels`.
    pub(super) fn count(self, items: u64) -> String {
        counted(items, self.plural().trim_end_matches('s'))
    }
}

/// The content of one IDX file.
#[derive(Debug)]
pub(super) struct Idx {
    /// `count × 28 × 28` pixels or `count` labels.
    pub body: Vec<u8>,
    pub count: u64,
    /// Hex SHA-256 of the uncompressed file, header included.
    pub sha256: String,
}

/// Reads one file, compressed if its name ends in `.gz`, and checks everything that an IDX file says of itself.
///
/// `expected` is a number of items known beforehand and who says so; a file with another number is refused before its
/// body is read.
///
/// # Errors
/// The first fault in the order of the file: missing, compression, magic, size of images, count, length.
pub(super) fn read(path: &Path, kind: Kind, expected: Option<(u64, &str)>) -> Result<Idx, FileFault> {
    let file = File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => FileFault::Missing {
            expected: expected.map_or_else(|| kind.plural().to_owned(), |(items, _)| kind.count(items)),
        },
        _ => FileFault::Unreadable(error),
    })?;
    let mut file = BufReader::new(file);

    let mut start = [0; GZIP_MAGIC.len()];
    let n_start = read_up_to(&mut file, &mut start)?;
    let (start, is_gzip) = (&start[..n_start], start == GZIP_MAGIC);
    let stream = start.chain(file);

    match (names_gzip(path), is_gzip) {
        (true, true) => decode(MultiGzDecoder::new(stream), kind, expected),
        (true, false) => Err(FileFault::NotGzip { found: start.to_vec() }),
        (false, true) => Err(FileFault::UnexpectedGzip),
        (false, false) => decode(stream, kind, expected),
    }
}

/// Reads one uncompressed IDX stream to its end, and never more than its header allows.
fn decode(mut stream: impl Read, kind: Kind, expected: Option<(u64, &str)>) -> Result<Idx, FileFault> {
    let mut header = [0; 16];
    let header = &mut header[..kind.header_len()];
    let n_header = read_up_to(&mut stream, header)?;
    let field = |index: usize| {
        let bytes = header[4 * index..4 * index + 4].try_into().expect("a slice of four bytes");
        u32::from_be_bytes(bytes)
    };

    // The magic number is judged first, even in a file that ends within its header: it tells what the file is.
    if n_header >= 4 && field(0) != kind.magic() {
        return Err(FileFault::WrongMagic { kind, found: field(0) });
    }
    if n_header < header.len() {
        return Err(FileFault::ShortHeader { expected: header.len(), found: n_header });
    }
    if kind == Kind::Images && (field(2) as usize, field(3) as usize) != (ROWS, COLS) {
        return Err(FileFault::WrongImageSize { rows: field(2), cols: field(3) });
    }
    let items = u64::from(field(1));
    if let Some((expected, authority)) = expected
        && items != expected
    {
        return Err(FileFault::WrongCount { kind, expected, found: items, authority: authority.to_owned() });
    }
    if !(1..=MAX_ITEMS).contains(&items) {
        return Err(FileFault::UnusableCount { kind, found: items });
    }

    // `read_to_end` grows the buffer with what arrives. One byte beyond the end is asked for: it shows a file that is
    // too long, and where there is none, the stream is read to its end, where gzip keeps its checksum.
    let body_len = items * kind.bytes_per_item();
    let mut body = Vec::new();
    stream.by_ref().take(body_len + 1).read_to_end(&mut body).map_err(read_fault)?;
    let (found, total) = (body.len() as u64, header.len() as u64 + body_len);
    if found > body_len {
        return Err(FileFault::TooLong { kind, items, expected: total });
    }
    if found < body_len {
        return Err(FileFault::Truncated { kind, items, expected: total, found: header.len() as u64 + found });
    }

    let sha256 = Sha256::new().chain_update(&*header).chain_update(&body).finalize();
    Ok(Idx { body, count: items, sha256: format!("{sha256:x}") })
}

/// Writes the file that [`read`] reads: compressed if its name ends in `.gz`, and on the disk when this returns.
pub(super) fn write(path: &Path, kind: Kind, body: &[u8]) -> io::Result<()> {
    let file = File::create(path)?;
    let bytes = encode(kind, body);
    if names_gzip(path) {
        compress(&file, &bytes)?
    } else {
        (&file).write_all(&bytes)?
    }
    file.sync_all()
}

/// The uncompressed file that holds `body`.
pub(super) fn encode(kind: Kind, body: &[u8]) -> Vec<u8> {
    let items = body.len() as u64 / kind.bytes_per_item();
    let mut bytes = Vec::with_capacity(kind.header_len() + body.len());
    bytes.extend(kind.magic().to_be_bytes());
    bytes.extend(u32::try_from(items).expect("no more than MAX_ITEMS are ever read").to_be_bytes());
    if kind == Kind::Images {
        bytes.extend([ROWS, COLS].into_iter().flat_map(|size| (size as u32).to_be_bytes()));
    }
    bytes.extend_from_slice(body);
    bytes
}

/// gzip without name or time, so that equal content makes equal files.
fn compress(writer: impl Write, bytes: &[u8]) -> io::Result<()> {
    let mut encoder = GzBuilder::new().write(BufWriter::new(writer), Compression::default());
    encoder.write_all(bytes)?;
    encoder.finish()?.flush()
}

fn names_gzip(path: &Path) -> bool {
    path.extension().is_some_and(|extension| extension == "gz")
}

/// Fills `buffer` as far as the stream goes, and returns how far that was.
fn read_up_to(stream: &mut impl Read, buffer: &mut [u8]) -> Result<usize, FileFault> {
    let mut filled = 0;
    while filled < buffer.len() {
        match stream.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(read_fault(error)),
        }
    }
    Ok(filled)
}

/// Files never report these three kinds: they come from the decompressor, and mean the content, not the disk.
fn read_fault(error: io::Error) -> FileFault {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => FileFault::CorruptGzip("a stream that ends in the middle".to_owned()),
        io::ErrorKind::InvalidData | io::ErrorKind::InvalidInput => FileFault::CorruptGzip(error.to_string()),
        _ => FileFault::Unreadable(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(count: u32, body: &[u8]) -> Vec<u8> {
        [&0x801u32.to_be_bytes()[..], &count.to_be_bytes(), body].concat()
    }

    #[test]
    fn a_label_file_is_read_as_the_format_says() {
        let bytes = [0, 0, 8, 1, 0, 0, 0, 3, 5, 0, 4];
        let idx = decode(&bytes[..], Kind::Labels, None).unwrap();
        assert_eq!((idx.count, idx.body.as_slice()), (3, &[5, 0, 4][..]));
        // printf '\0\0\10\1\0\0\0\3\5\0\4' | sha256sum
        assert_eq!(idx.sha256, "d229e0bc81fa2cb9dfab445bf40dd0a1b6516dd17c6b48c15a016dfd84e4c526");
    }

    #[test]
    fn what_is_encoded_is_read_back() {
        let pixels: Vec<u8> = (0..2 * PIXELS).map(|i| (i % 251) as u8).collect();
        let mut compressed = Vec::new();
        compress(&mut compressed, &encode(Kind::Images, &pixels)).unwrap();
        let idx = decode(MultiGzDecoder::new(&compressed[..]), Kind::Images, Some((2, "this test"))).unwrap();
        assert_eq!(idx.body, pixels);
    }

    #[test]
    fn equal_content_makes_equal_files_without_a_time() {
        let mut compressed = Vec::new();
        compress(&mut compressed, b"content").unwrap();
        let (flags, time) = (compressed[3], &compressed[4..8]);
        assert_eq!((flags, time), (0, &[0; 4][..]), "RFC 1952: no name, no modification time");
    }

    #[test]
    fn every_proper_prefix_is_refused() {
        let bytes = labels(5, &[1, 2, 3, 4, 5]);
        for len in 0..bytes.len() {
            assert!(decode(&bytes[..len], Kind::Labels, None).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn a_byte_too_many_is_refused() {
        let fault = decode(&labels(2, &[1, 2, 3])[..], Kind::Labels, None).unwrap_err();
        assert!(matches!(fault, FileFault::TooLong { expected: 10, .. }), "{fault}");
    }

    #[test]
    fn counts_of_zero_and_beyond_the_limit_are_refused() {
        for count in [0, MAX_ITEMS as u32 + 1, u32::MAX] {
            let fault = decode(&labels(count, &[])[..], Kind::Labels, None).unwrap_err();
            assert!(matches!(fault, FileFault::UnusableCount { found, .. } if found == u64::from(count)), "{fault}");
        }
    }
}
