//! Archives: the same run makes the same file, nothing else passes for one, and what is in one can be made again.

use std::fs::{self, File};
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};

use crate::common::{self, Fixture, SMALL, text};
use ojaflow::archive::{Verified, verify};
use ojaflow::science::seed::{Purpose, stream};
use sha2::{Digest, Sha256};

/// The skippable frame at the end: magic, size, tag, digest.
const TRAILER: usize = 48;

/// A published run and its archive.
fn archived(arguments: &[&str]) -> (Fixture, PathBuf) {
    let fixture = Fixture::new().pipeline(SMALL).run();
    let file = fixture.path("small.tar.zst");
    archive(&fixture, arguments);
    (fixture, file)
}

fn archive(fixture: &Fixture, arguments: &[&str]) -> String {
    let output =
        fixture.command(&[&["archive", "small"], arguments].concat()).env("SOURCE_DATE_EPOCH", "1723680000").output();
    let output = output.unwrap();
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout)
}

/// The tar in an archive.
pub fn tar_of(archive: &[u8]) -> Vec<u8> {
    zstd::decode_all(&archive[..archive.len() - TRAILER]).unwrap()
}

/// A file around any tar, with everything that an archive of ojaflow has around it.
pub fn sealed(tar: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.set_pledged_src_size(Some(tar.len() as u64)).unwrap();
    encoder.write_all(tar).unwrap();
    seal(encoder.finish().unwrap())
}

/// The digest at the end of anything.
fn seal(mut bytes: Vec<u8>) -> Vec<u8> {
    let digest = Sha256::digest(&bytes);
    bytes.extend(0x184D_2A5F_u32.to_le_bytes());
    bytes.extend(40_u32.to_le_bytes());
    bytes.extend(b"ojaflow1");
    bytes.extend(digest);
    bytes
}

/// The files of a tar, by another reader than ours.
pub fn files_of(tar: &[u8]) -> Vec<(String, Vec<u8>)> {
    let mut archive = tar::Archive::new(Cursor::new(tar));
    let entries = archive.entries().unwrap().map(|entry| {
        let mut entry = entry.unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap();
        (entry.path().unwrap().display().to_string(), content)
    });
    entries.collect()
}

/// A tar of files by another writer than ours, in the form that ours has.
pub fn tar_with(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    for (path, content) in files {
        builder.append(&plain(path, content.len()), content.as_slice()).unwrap();
    }
    builder.into_inner().unwrap()
}

/// The header of a plain file, which may have any name.
fn plain(path: &str, size: usize) -> tar::Header {
    let mut header = tar::Header::new_ustar();
    // `set_path` refuses what is to be tested here.
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_size(size as u64);
    header.set_entry_type(tar::EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(1_723_680_000);
    header.set_device_major(0).unwrap();
    header.set_device_minor(0).unwrap();
    add_checksum(&mut header);
    header
}

/// Six digits, a zero byte, a space: as POSIX has it. The crate writes seven digits.
fn add_checksum(header: &mut tar::Header) {
    header.as_old_mut().cksum = *b"        ";
    let sum: u32 = header.as_bytes().iter().map(|byte| u32::from(*byte)).sum();
    header.as_old_mut().cksum.copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
}

/// Writes `bytes` beside the archive and tries to verify them: the reason why not.
fn refused(folder: &Path, bytes: &[u8]) -> String {
    let file = folder.join("hostile.tar.zst");
    fs::write(&file, bytes).unwrap();
    match verify(&file) {
        Ok(verified) => panic!("accepted: {verified:?}"),
        Err(error) => {
            assert_eq!(error.exit_status(), 1, "{error}");
            error.to_string()
        }
    }
}

fn expect_refusal(folder: &Path, tar: &[u8], reason: &str) {
    let message = refused(folder, &sealed(tar));
    assert!(message.contains(reason), "expected `{reason}` in: {message}");
}

fn accepted(bytes: &[u8]) -> Verified {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sound.tar.zst");
    fs::write(&file, bytes).unwrap();
    verify(&file).unwrap()
}

#[test]
fn the_same_run_elsewhere_makes_the_same_archive() {
    let ((_first, one), (_second, two)) = (archived(&[]), archived(&[]));
    assert!(fs::read(one).unwrap() == fs::read(two).unwrap(), "they differ");
}

#[test]
fn the_printed_digest_is_that_of_the_tar() {
    let fixture = Fixture::new().pipeline(SMALL).run();
    let printed = archive(&fixture, &[]);
    let tar = tar_of(&fs::read(fixture.path("small.tar.zst")).unwrap());
    assert!(printed.contains(&format!("{:x}", Sha256::digest(&tar))), "{printed}");
    assert!(fixture.stdout(&["verify", "small.tar.zst"]).contains(&format!("{:x}", Sha256::digest(&tar))));
}

#[test]
fn other_programs_open_an_archive() {
    let (_fixture, file) = archived(&["--with", "weights,activations"]);
    let bytes = fs::read(file).unwrap();
    // With the digest at its end, as `zstd -d` reads it.
    let tar = zstd::decode_all(bytes.as_slice()).unwrap();
    let files = files_of(&tar);
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert!(names.is_sorted());
    for expected in ["small/bagit.txt", "small/data/REPRODUCE.md", "small/data/pipelines/small.toml"] {
        assert!(names.contains(&expected), "{expected} in {names:?}");
    }
    let weights = names.iter().filter(|name| name.starts_with("small/data/outputs/small/train_weights/"));
    assert_eq!(weights.count(), 4, "one part per run");
    assert!(!names.iter().any(|name| name.contains("data.parquet")), "images were not asked for");
    // What we build with the same files is the same tar, so the tests below differ from a sound archive only in what they say.
    assert!(tar_with(&files) == tar, "the two writers differ");
    accepted(&sealed(&tar));
}

#[test]
fn nothing_of_this_machine_is_inside() {
    let (fixture, file) = archived(&[]);
    let tar = tar_of(&fs::read(file).unwrap());
    let here = fixture.path("").display().to_string();
    let host = fs::read_to_string("/etc/hostname").unwrap_or_default();
    let host = host.trim();
    for (name, content) in files_of(&tar) {
        let found = |text: &str| content.windows(text.len()).any(|window| window == text.as_bytes());
        assert!(!found(here.trim_end_matches('/')), "{name} names the folder that it was made in");
        assert!(host.len() < 5 || !found(host), "{name} names the host");
    }
}

#[test]
fn measurements_stand_beside_the_archive() {
    let (fixture, file) = archived(&[]);
    let before = fs::read(&file).unwrap();
    archive(&fixture, &["--measurements", "packed.json"]);
    assert!(fs::read(&file).unwrap() == before, "asking for measurements changed the archive");
    let tar_sha256 = verify(&file).unwrap().summary.tar_sha256;
    fixture.stdout(&["reproduce", "small.tar.zst", "--measurements", "again.json"]);
    for (name, tasks) in [("packed.json", serde_json::Value::Null), ("again.json", common::SMALL_TASKS.into())] {
        let record: serde_json::Value = serde_json::from_slice(&fs::read(fixture.path(name)).unwrap()).unwrap();
        assert_eq!(record["tar_sha256"], tar_sha256.as_str());
        assert_eq!(record["tasks_run"], tasks);
        assert!(record["seconds"].as_f64().unwrap() > 0.0 && record["machine"]["cores"].as_u64().unwrap() > 0);
    }
}

#[test]
fn each_of_a_thousand_changed_bytes_is_noticed() {
    let (fixture, file) = archived(&[]);
    let sound = fs::read(&file).unwrap();
    verify(&file).unwrap();
    let mut random = stream(1000, Purpose::Task, 0);
    for _ in 0..1000 {
        let mut changed = sound.clone();
        let at = random.below(changed.len() as u32) as usize;
        changed[at] ^= 1 + random.below(255) as u8;
        refused(&fixture.path(""), &changed);
    }
}

#[test]
fn what_is_cut_off_or_added_is_noticed() {
    let (fixture, file) = archived(&[]);
    let (sound, folder) = (fs::read(&file).unwrap(), fixture.path(""));
    for length in [0, 1, 47, 48, 60, sound.len() / 2, sound.len() - 1] {
        refused(&folder, &sound[..length]);
    }
    refused(&folder, &[sound.as_slice(), b"\0"].concat());
    refused(&folder, &[sound.as_slice(), sound.as_slice()].concat());
    refused(&folder, &[b"\0", sound.as_slice()].concat());
    let frame = &sound[..sound.len() - TRAILER];
    // Sealed again by someone who knows how: the frame itself has to be the one and only.
    let message = refused(&folder, &seal([frame, frame].concat()));
    assert!(message.contains("between its zstd frame and its digest"), "{message}");
    let skippable = [0x184D_2A50_u32.to_le_bytes().as_slice(), &4_u32.to_le_bytes(), b"more"].concat();
    refused(&folder, &seal([frame, skippable.as_slice()].concat()));
    refused(&folder, &seal([skippable.as_slice(), frame].concat()));
    refused(&folder, &seal(frame[..frame.len() - 1].to_vec()));
    // Other ways to write the same tar.
    let tar = tar_of(&sound);
    let message = refused(&folder, &seal(zstd::encode_all(tar.as_slice(), 3).unwrap()));
    assert!(message.contains("checksum"), "{message}");
    expect_refusal(&folder, &[tar.as_slice(), &[0; 512]].concat(), "two empty blocks");
    expect_refusal(&folder, &tar[..tar.len() - 512], "more than the archive holds");
}

#[test]
fn links_devices_and_paths_that_leave_are_refused_by_name() {
    let scratch = tempfile::tempdir().unwrap();
    let folder = scratch.path().join("inside");
    fs::create_dir(&folder).unwrap();
    let kinds = [
        (tar::EntryType::Symlink, "symbolic link"),
        (tar::EntryType::Link, "hard link"),
        (tar::EntryType::Char, "device"),
        (tar::EntryType::Block, "device"),
        (tar::EntryType::Fifo, "pipe"),
        (tar::EntryType::Directory, "folder"),
        (tar::EntryType::XHeader, "not a plain file"),
        (tar::EntryType::GNULongName, "not a plain file"),
        (tar::EntryType::GNUSparse, "not a plain file"),
    ];
    for (kind, reason) in kinds {
        let mut header = plain("small/trap", 0);
        header.set_entry_type(kind);
        header.as_old_mut().linkname[..11].copy_from_slice(b"../../trap\0");
        add_checksum(&mut header);
        let mut builder = tar::Builder::new(Vec::new());
        builder.append(&header, std::io::empty()).unwrap();
        expect_refusal(&folder, &builder.into_inner().unwrap(), reason);
        expect_refusal(&folder, &tar_with_header(&header, &[]), "`small/trap`");
    }
    let paths = [
        ("../escaped", "leaves the archive"),
        ("small/../../escaped", "leaves the archive"),
        ("small/./file", "leaves the archive"),
        ("/escaped", "absolute"),
        ("small//file", "empty part"),
        ("small/", "empty part"),
        ("small\\..\\escaped", "other characters"),
        ("C:escaped", "other characters"),
        ("small/\u{1b}[31mred", "other characters"),
    ];
    for (path, reason) in paths {
        expect_refusal(&folder, &tar_with(&[(path.to_owned(), b"x".to_vec())]), reason);
    }
    let left: Vec<_> = fs::read_dir(scratch.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["inside"], "nothing was written outside");
    assert_eq!(fs::read_dir(&folder).unwrap().count(), 1, "nor beside the archive");
}

fn tar_with_header(header: &tar::Header, content: &[u8]) -> Vec<u8> {
    let mut builder = tar::Builder::new(Vec::new());
    builder.append(header, content).unwrap();
    builder.into_inner().unwrap()
}

#[test]
fn headers_that_another_program_would_write_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let changes: [fn(&mut tar::Header); 5] = [
        |header| header.set_mode(0o755),
        |header| header.set_uid(1000),
        |header| header.set_gid(100),
        |header| header.set_username("root").unwrap(),
        |header| header.as_old_mut().pad[200] = 1,
    ];
    for change in changes {
        let mut header = plain("small/file", 1);
        change(&mut header);
        add_checksum(&mut header);
        expect_refusal(folder.path(), &tar_with_header(&header, b"x"), "would write otherwise");
    }
    // Bytes that belong to no file, where a tar has only zeros.
    let mut tar = tar_with_header(&plain("small/file", 1), b"x");
    tar[600] = 1;
    expect_refusal(folder.path(), &tar, "belong to no file");
}

#[test]
fn sizes_that_cannot_be_are_refused_before_anything_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let mut header = plain("small/file", 0);
    header.set_size(0o77_777_777_777);
    add_checksum(&mut header);
    expect_refusal(folder.path(), &tar_with_header(&header, b""), "more than the archive holds");
    // 8 GiB and more stand in another notation, which we never write.
    header.set_size(1 << 40);
    add_checksum(&mut header);
    expect_refusal(folder.path(), &tar_with_header(&header, b""), "without a size");
}

#[test]
fn bombs_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    // 64 MiB of nothing in a few kilobytes.
    let message = refused(folder.path(), &sealed(&vec![0; 64 << 20]));
    assert!(message.contains("bomb"), "{message}");
    // The same without saying so beforehand.
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(&vec![0; 64 << 20]).unwrap();
    let message = refused(folder.path(), &seal(encoder.finish().unwrap()));
    assert!(message.contains("does not declare"), "{message}");
    // A window that would need 128 MiB to decode.
    let mut encoder = zstd::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.window_log(27).unwrap();
    let mut random = stream(1, Purpose::Task, 0);
    let noise: Vec<u8> = (0..(9 << 20)).map(|_| random.below(256) as u8).collect();
    encoder.set_pledged_src_size(Some(noise.len() as u64 * 16)).unwrap();
    for _ in 0..16 {
        encoder.write_all(&noise).unwrap();
    }
    let message = refused(folder.path(), &seal(encoder.finish().unwrap()));
    assert!(message.contains("cannot be decompressed"), "{message}");
}

#[test]
fn garbage_is_not_an_archive() {
    let folder = tempfile::tempdir().unwrap();
    let mut random = stream(2, Purpose::Task, 0);
    for length in [0, 1, 100, 10_000] {
        let noise: Vec<u8> = (0..length).map(|_| random.below(256) as u8).collect();
        refused(folder.path(), &noise);
        refused(folder.path(), &seal(noise.clone()));
        refused(folder.path(), &sealed(&noise));
    }
    refused(folder.path(), &sealed(&[0; 1024]));
    assert!(verify(folder.path()).unwrap_err().to_string().contains(&folder.path().display().to_string()));
    assert!(verify(&folder.path().join("absent")).is_err());
}

/// What someone might do to the files of an archive, and seal it again.
#[test]
fn files_that_are_missing_extra_double_or_changed_are_refused_by_name() {
    let (fixture, file) = archived(&[]);
    let folder = fixture.path("");
    let sound = files_of(&tar_of(&fs::read(&file).unwrap()));
    let position = |name: &str| sound.iter().position(|(path, _)| path.ends_with(name)).unwrap();
    let check = |files: &[(String, Vec<u8>)], expected: [&str; 2]| {
        let message = refused(&folder, &sealed(&tar_with(files)));
        assert!(expected.iter().all(|part| message.contains(part)), "expected {expected:?} in: {message}");
    };
    let figure = "outputs/small/accuracy.parquet";

    let mut files = sound.clone();
    files.remove(position(figure));
    check(&files, [figure, "is missing"]);

    let mut files = sound.clone();
    files.insert(position(figure), ("small/data/extra.txt".into(), b"x".to_vec()));
    check(&files, ["small/data/extra.txt", "too many"]);

    let mut files = sound.clone();
    files.insert(position(figure), sound[position(figure)].clone());
    check(&files, [figure, "twice"]);

    let mut files = sound.clone();
    files.swap(position(figure), position(figure) + 1);
    check(&files, [figure, "in the order of names"]);

    let mut files = sound.clone();
    files[position(figure)].1.push(0);
    check(&files, [figure, "was changed"]);

    let mut files = sound.clone();
    files.push(("zoo/file".into(), b"x".to_vec()));
    check(&files, ["zoo/file", "outside the folder"]);

    let mut files = sound.clone();
    let list = &mut files[position("small/manifest-sha256.txt")].1;
    let line = list.iter().position(|byte| *byte == b'\n').unwrap();
    list.drain(..=line);
    check(&files, ["small/data/Cargo.lock", "does not list it"]);

    let mut files = sound.clone();
    files[position("small/bagit.txt")].1.clear();
    check(&files, ["bagit.txt", "was changed"]);

    // With a bag that was made to fit, too: then the digests in manifest.json tell.
    let mut files = sound.clone();
    files[position(figure)].1.push(0);
    check(&rebagged(files), [figure, "not the one in manifest.json"]);

    let mut files = sound.clone();
    files.remove(position(figure));
    check(&rebagged(files), [figure, "speaks of it"]);

    let mut files = sound.clone();
    files.insert(position(figure), ("small/data/extra.txt".into(), b"x".to_vec()));
    check(&rebagged(files), ["small/data/extra.txt", "too many"]);

    let mut files = sound.clone();
    files[position("pipelines/small.toml")].1.push(b'\n');
    check(&rebagged(files), ["small.toml", "not the text in manifest.json"]);

    let mut files = sound.clone();
    files[position("data-sets.json")].1 = b"[]\n".to_vec();
    check(&rebagged(files), ["data-sets.json", "checksums"]);

    let mut files = sound.clone();
    files[position("small/bag-info.txt")].1.extend(b"Contact-Name: Nobody\n");
    check(&rebagged(files), ["bag-info.txt", "does not describe"]);

    // Names that a reproduction would make folders and files of.
    let escaping = String::from_utf8(sound[position("data-sets.json")].1.clone()).unwrap();
    let mut files = sound.clone();
    files[position("data-sets.json")].1 = escaping.replace("\"tiny\"", "\"../../tiny\"").into_bytes();
    check(&rebagged(files), ["data-sets.json", "../../tiny"]);
    let description: serde_json::Value = serde_json::from_slice(&sound[position("data-sets.json")].1).unwrap();
    let forge = |change: &dyn Fn(&mut serde_json::Value), says: &str| {
        let mut forged = description.clone();
        change(&mut forged[0]);
        let mut files = sound.clone();
        files[position("data-sets.json")].1 = serde_json::to_vec_pretty(&forged).unwrap();
        check(&rebagged(files), ["data-sets.json", says]);
    };
    forge(&|set| set["files"][1]["sha256"] = "0".repeat(64).into(), "not those of the identity");
    forge(&|set| set["files"][2]["count"] = 7.into(), "not those of the identity");
    forge(&|set| set["files"][3]["role"] = "train_images".into(), "four files");
    forge(&|set| drop(set["files"].as_array_mut().unwrap().pop()), "four files");
    forge(&|set| set["n_test"] = 7.into(), "numbers of images");
    let mut files = sound.clone();
    let manifest = String::from_utf8(sound[position("manifest.json")].1.clone()).unwrap();
    let manifest = manifest.replace("\"path\": \"pipelines/small.toml\"", "\"path\": \"../small.toml\"");
    files[position("manifest.json")].1 = manifest.into_bytes();
    check(&rebagged(files), ["small.toml", "is missing"]);

    // And nothing but what was done made the difference.
    accepted(&sealed(&tar_with(&rebagged(sound))));
}

/// The same files with manifests that fit them.
pub fn rebagged(mut files: Vec<(String, Vec<u8>)>) -> Vec<(String, Vec<u8>)> {
    let lines = |files: &[(String, Vec<u8>)], wanted: fn(&str) -> bool| -> Vec<u8> {
        let inside = files.iter().map(|(path, content)| (path.strip_prefix("small/").unwrap(), content));
        let lines = inside.filter(|(path, _)| wanted(path));
        lines.map(|(path, content)| format!("{:x}  {path}\n", Sha256::digest(content))).collect::<String>().into_bytes()
    };
    let payload: Vec<usize> =
        files.iter().filter(|(path, _)| path.starts_with("small/data/")).map(|(_, c)| c.len()).collect();
    let oxum = format!("Payload-Oxum: {}.{}", payload.iter().sum::<usize>(), payload.len());
    for index in 0..files.len() {
        match files[index].0.as_str() {
            "small/bag-info.txt" => {
                let text = String::from_utf8(files[index].1.clone()).unwrap();
                let lines = text.lines().map(|line| if line.starts_with("Payload-Oxum") { &oxum } else { line });
                files[index].1 = lines.flat_map(|line| [line, "\n"]).collect::<String>().into_bytes();
            }
            "small/manifest-sha256.txt" => files[index].1 = lines(&files, |path| path.starts_with("data/")),
            // The last in the order of names, so everything that it lists is final.
            "small/tagmanifest-sha256.txt" => {
                files[index].1 = lines(&files, |path| !path.starts_with("data/") && !path.starts_with("tag"));
            }
            _ => {}
        }
    }
    files
}

#[test]
fn an_archive_is_run_again_to_the_same_bytes() {
    let (fixture, _) = archived(&[]);
    // The archive is all that counts: what the project has become since does not matter.
    let fixture = fixture.edit("gradient = 0.01\noja", "gradient = 0.02\noja");
    fs::remove_dir_all(fixture.outputs()).unwrap();
    let printed = fixture.stdout(&["reproduce", "small.tar.zst"]);
    assert!(printed.contains("small/train_weights") && printed.contains("small/claims"), "{printed}");
    assert!(printed.ends_with(" identical, 0 within tolerance, 0 with the same values, 0 different\n"), "{printed}");
    assert!(!fixture.outputs().exists(), "it runs in a folder of its own");
    let part = fixture.stdout(&["reproduce", "small.tar.zst", "--to", "train", "--jobs", "1", "--keep", "kept"]);
    assert!(part.contains("small/train_updates") && !part.contains("small/accuracy"), "{part}");
    assert!(fixture.path("kept/outputs/small/train_runs.parquet").is_file());
    let again = fixture.output(&["reproduce", "small.tar.zst", "--keep", "kept"]);
    assert_eq!(again.status.code(), Some(2), "a folder with something in it is left alone");
}

#[test]
fn overrides_and_stages_asked_for_are_repeated() {
    let fixture = Fixture::new().pipeline(SMALL);
    let run = ["pipeline", "small", "--set", "stages.train.schedule.every=25", "--set", "rules.bp.gradient=0.005"];
    fixture.stdout(&[&run[..], &["--to", "train", "--as", "short"]].concat());
    fixture.stdout(&["archive", "short"]);
    let printed = fixture.stdout(&["reproduce", "short.tar.zst"]);
    assert!(printed.contains("short/train_weights") && printed.contains(" 0 different"), "{printed}");
}

#[test]
fn a_table_that_comes_out_different_is_named_with_column_rows_and_deviation() {
    let fixture = Fixture::new().pipeline(SMALL).run();
    // An archive whose numbers nobody can reproduce: one accuracy is half of what it was, digests and all.
    let path = fixture.outputs().join("small/train_evaluations.parquet");
    let manifest_path = fixture.outputs().join("small/manifest.json");
    let mut manifest: serde_json::Value = serde_json::from_slice(&fs::read(&manifest_path).unwrap()).unwrap();
    let table =
        manifest["tables"].as_array_mut().unwrap().iter_mut().find(|table| table["name"] == "train_evaluations");
    let table = table.unwrap();
    let schema: ojaflow::tables::TableSchema = serde_json::from_value(table["schema"].clone()).unwrap();
    let read = ojaflow::tables::parquet::read(fs::read(&path).unwrap().into(), &schema).unwrap().to_batch().unwrap();
    let at = schema.columns.iter().position(|column| column.name == "accuracy").unwrap();
    let mut accuracy: Vec<f64> = ojaflow::tables::frame::Frame::new("accuracy", read.clone())
        .numbers("accuracy")
        .unwrap()
        .into_iter()
        .map(Option::unwrap)
        .collect();
    accuracy[2] /= 2.0;
    let deviation = accuracy[2];
    let mut columns = read.columns().to_vec();
    columns[at] = std::sync::Arc::new(arrow::array::Float64Array::from(accuracy));
    let changed = arrow::array::RecordBatch::try_new(schema.to_arrow(), columns).unwrap();
    let mut writer =
        ojaflow::tables::parquet::TableWriter::new(File::create(&path).unwrap(), schema, "forged").unwrap();
    writer.write(&changed).unwrap();
    writer.finish().unwrap();
    let bytes = fs::read(&path).unwrap();
    table["digest"] = blake3::hash(&bytes).to_hex().as_str().into();
    table["bytes"] = bytes.len().into();
    let forged: ojaflow::publish::manifest::Manifest = serde_json::from_value(manifest).unwrap();
    fs::write(&manifest_path, forged.to_text()).unwrap();
    archive(&fixture, &[]);
    fixture.stdout(&["verify", "small.tar.zst"]);
    let output = fixture.output(&["reproduce", "small.tar.zst"]);
    let printed = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{printed}");
    let line = printed.lines().find(|line| line.starts_with("small/train_evaluations")).unwrap();
    assert!(line.contains("DIFFERENT: `accuracy` in 1 of 12 rows"), "{line}");
    assert!(line.contains(&format!("{deviation:.3e}")), "{line}");
    assert!(line.contains("5.00e-1 relative"), "{line}");
    assert!(printed.contains(", 1 different"), "{printed}");
}

#[test]
fn what_cannot_be_archived_or_reproduced_says_why() {
    let (fixture, _) = archived(&[]);
    let fails = |arguments: &[&str], status: i32, parts: &[&str]| {
        let output = fixture.output(arguments);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(status), "{message}");
        assert!(parts.iter().all(|part| message.contains(part)), "expected {parts:?} in: {message}");
    };
    fails(&["archive", "absent"], 2, &["absent", "ojaflow pipeline absent"]);
    fails(&["archive", "small", "-o", "no/such/folder/x"], 1, &["no/such/folder"]);
    fails(&["verify", "absent.tar.zst"], 1, &["absent.tar.zst"]);
    fails(&["verify", "pipelines/small.toml"], 1, &["pipelines/small.toml", "not an archive"]);
    // Another data folder: the archive knows what it needs.
    fs::create_dir(fixture.path("empty")).unwrap();
    fails(&["reproduce", "small.tar.zst", "--data", "empty"], 2, &["tiny", "missing", "--data"]);
    fails(&["archive", "small", "--data", "empty"], 2, &["--data"]);
    // What was touched after it was published is not what was published.
    let table = fixture.outputs().join("small/accuracy.parquet");
    let mut bytes = fs::read(&table).unwrap();
    bytes[100] ^= 1;
    fs::write(&table, bytes).unwrap();
    fails(&["archive", "small"], 1, &["accuracy.parquet", "not what was published"]);
}

#[test]
fn a_composition_is_archived_with_its_parts() {
    let fixture = Fixture::new().pipeline(SMALL);
    let whole = "include = [\"small\", { pipeline = \"small\", set = [\"stages.accuracy.resamples=50\"], as = \"coarse\" }]\n\
                 [pipeline]\nname = \"whole\"\ntitle = \"Two of them\"\n";
    let fixture = fixture.beside("whole", whole);
    fixture.stdout(&["pipeline", "whole"]);
    fixture.stdout(&["archive", "whole"]);
    let verified = verify(&fixture.path("whole.tar.zst")).unwrap();
    let names: Vec<&str> = verified.published.manifests.iter().map(|manifest| manifest.pipeline.as_str()).collect();
    assert_eq!(names, ["whole", "small", "coarse"]);
    let printed = fixture.stdout(&["reproduce", "whole.tar.zst"]);
    assert!(printed.contains("coarse/accuracy") && printed.contains("whole/claims"), "{printed}");
    assert!(printed.contains(" 0 different"), "{printed}");
}
