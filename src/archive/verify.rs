//! Is a file an archive of ojaflow, and all that it should be? Read as a stream; nothing is unpacked.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use sha2::{Digest, Sha256};

use super::contents::{self, DataSet, Published};
use super::fault::Fault;
use super::part::Part;
use super::{bag, container};
use crate::datasets;
use crate::error::Result;
use crate::publish::manifest::{self, Manifest};

/// Texts are held in memory while the rest streams by: none of ours comes near this.
const MAX_TEXT: u64 = 64 << 20;
/// And all of them together.
const MAX_TEXTS: u64 = 256 << 20;

/// A sound archive: what it holds, without its tables.
#[derive(Debug)]
pub struct Verified {
    /// The folder that everything lies in, which is the pipeline's published name.
    pub name: String,
    /// Sizes and digests of the whole.
    pub summary: container::Summary,
    /// The manifests and data sets inside.
    pub published: Published,
    /// Which large tables are inside.
    pub parts: BTreeSet<Part>,
}

/// What is remembered of a file that streamed by.
struct Seen {
    bytes: u64,
    sha256: String,
    blake3: String,
    /// For texts that say what else has to be there.
    text: Option<Vec<u8>>,
}

/// Checks an archive: the container is canonical, the bag is complete and holds nothing else, every table and figure is
/// the one that the manifest speaks of.
///
/// # Errors
/// [`Error::Check`](crate::error::Error::Check) with the first thing that is wrong, and the name of the file it is in.
pub fn verify(file: &Path) -> Result<Verified> {
    check(file).map_err(|fault| fault.of(file))
}

pub(super) fn check(file: &Path) -> Result<Verified, Fault> {
    let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
    let mut held = 0;
    let summary = container::read(file, |path, size, content| {
        let mut text = if is_text(path) { Some(Vec::new()) } else { None };
        if text.is_some() {
            held += size;
            if size > MAX_TEXT || held > MAX_TEXTS {
                return Err(Fault::entry(path, format!("claims {size} bytes, more than such a file ever has")));
            }
        }
        let (mut sha256, mut blake3, mut bytes) = (Sha256::new(), blake3::Hasher::new(), 0);
        let mut buffer = [0; 1 << 16];
        loop {
            let n = match content.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(Fault::entry(path, format!("cannot be decompressed: {error}"))),
            };
            sha256.update(&buffer[..n]);
            blake3.update(&buffer[..n]);
            bytes += n as u64;
            if let Some(text) = &mut text {
                text.extend_from_slice(&buffer[..n]);
            }
        }
        let sha256 = format!("{:x}", sha256.finalize());
        seen.insert(path.to_owned(), Seen { bytes, sha256, blake3: blake3.finalize().to_hex().to_string(), text });
        Ok(())
    })?;
    let (name, seen) = in_one_folder(seen)?;
    check_bag(&name, &seen)?;
    let (published, parts) = check_payload(&name, &seen)?;
    check_info(&name, &seen, &published, summary.time)?;
    Ok(Verified { name, summary, published, parts })
}

/// Files that are read and not only digested: everything that is neither table nor figure.
fn is_text(path: &str) -> bool {
    [".txt", ".json", ".toml", ".md", ".lock"].iter().any(|ending| path.ends_with(ending))
}

/// Takes off the folder that everything lies in.
fn in_one_folder(seen: BTreeMap<String, Seen>) -> Result<(String, BTreeMap<String, Seen>), Fault> {
    let first = seen.keys().next().ok_or_else(|| Fault::archive("is empty"))?;
    let name = first.split('/').next().unwrap_or_default().to_owned();
    let mut inside = BTreeMap::new();
    for (path, one) in seen {
        match path.split_once('/') {
            Some((folder, rest)) if folder == name => inside.insert(rest.to_owned(), one),
            _ => return Err(Fault::entry(&path, format!("lies outside the folder `{name}` of the archive"))),
        };
    }
    Ok((name, inside))
}

/// The bag's two manifests: nothing missing, nothing more, nothing changed.
fn check_bag(name: &str, seen: &BTreeMap<String, Seen>) -> Result<(), Fault> {
    let payload = |path: &str| path.starts_with("data/");
    check_list(name, seen, bag::MANIFEST, payload)?;
    check_list(name, seen, bag::TAG_MANIFEST, |path| !payload(path) && path != bag::TAG_MANIFEST)?;
    let tags = [bag::BAGIT, bag::INFO, bag::MANIFEST, bag::TAG_MANIFEST];
    if let Some(other) = seen.keys().find(|path| !payload(path) && !tags.contains(&path.as_str())) {
        return Err(Fault::entry(&format!("{name}/{other}"), "does not belong to an archive"));
    }
    if text(name, seen, bag::BAGIT)? != bag::DECLARATION {
        return Err(Fault::entry(&format!("{name}/{}", bag::BAGIT), "does not declare BagIt 1.0 in UTF-8"));
    }
    Ok(())
}

fn check_list(
    name: &str,
    seen: &BTreeMap<String, Seen>,
    list: &str,
    listed: impl Fn(&str) -> bool,
) -> Result<(), Fault> {
    let found = text(name, seen, list)?;
    let there: BTreeMap<String, String> =
        seen.iter().filter(|(path, _)| listed(path)).map(|(path, one)| (path.clone(), one.sha256.clone())).collect();
    if found == bag::manifest(&there) {
        return Ok(());
    }
    // Something differs; what, and where?
    let entry = |path: &str, message: &str| Err(Fault::entry(&format!("{name}/{path}"), message));
    let lines: BTreeMap<&str, &str> =
        found.lines().filter_map(|line| line.split_once("  ")).map(|(digest, path)| (path, digest)).collect();
    for (path, digest) in &lines {
        match there.get(*path) {
            None => return entry(path, &format!("is missing: {list} lists it")),
            Some(other) if other != digest => {
                return entry(path, &format!("was changed: its digest is not the one in {list}"));
            }
            Some(_) => {}
        }
    }
    match there.keys().find(|path| !lines.contains_key(path.as_str())) {
        Some(extra) => entry(extra, &format!("is one file too many: {list} does not list it")),
        None => entry(list, "is not written as ojaflow does: one line per file, sorted by path"),
    }
}

fn text<'a>(name: &str, seen: &'a BTreeMap<String, Seen>, path: &str) -> Result<&'a str, Fault> {
    let entry = format!("{name}/{path}");
    let one = seen.get(path).ok_or_else(|| Fault::entry(&entry, "is missing"))?;
    let bytes = one.text.as_deref().unwrap_or_default();
    std::str::from_utf8(bytes).map_err(|_| Fault::entry(&entry, "is not text in UTF-8"))
}

fn json<T: serde::de::DeserializeOwned>(name: &str, seen: &BTreeMap<String, Seen>, path: &str) -> Result<T, Fault> {
    serde_json::from_str(text(name, seen, path)?)
        .map_err(|error| Fault::entry(&format!("{name}/{path}"), format!("cannot be understood: {error}")))
}

/// The payload is what the manifests inside it speak of, file by file.
fn check_payload(name: &str, seen: &BTreeMap<String, Seen>) -> Result<(Published, BTreeSet<Part>), Fault> {
    let mut manifests: Vec<Manifest> = Vec::new();
    let mut waiting = vec![name.to_owned()];
    let mut expected: BTreeSet<String> =
        [contents::CRATE, contents::INSTRUCTIONS, contents::LOCK, contents::DATA_SETS].map(str::to_owned).into();
    while let Some(pipeline) = waiting.pop() {
        if manifests.iter().any(|manifest| manifest.pipeline == pipeline) {
            continue;
        }
        let path = format!("outputs/{pipeline}/{}", manifest::FILE);
        let manifest: Manifest = json(name, seen, &format!("data/{path}"))?;
        if manifest.pipeline != pipeline {
            let message = format!("is the manifest of `{}`, not of `{pipeline}`", manifest.pipeline);
            return Err(Fault::entry(&format!("{name}/data/{path}"), message));
        }
        waiting.extend(manifest.includes.iter().rev().cloned());
        expected.insert(path);
        manifests.push(manifest);
    }
    let data_sets: Vec<DataSet> = json(name, seen, &format!("data/{}", contents::DATA_SETS))?;
    let known: BTreeSet<&str> = data_sets.iter().map(|set| set.identity.as_str()).collect();
    if let Some(missing) = contents::identities(&manifests).iter().find(|identity| !known.contains(*identity)) {
        let message = format!("does not hold the checksums of the data set {missing}");
        return Err(Fault::entry(&format!("{name}/data/{}", contents::DATA_SETS), message));
    }
    // These become names in the scratch folder of a reproduction.
    if let Some(set) = data_sets.iter().find(|set| !datasets::is_name(&set.name)) {
        let message = format!("names a data set `{}`, which is no name of one", set.name.escape_debug());
        return Err(Fault::entry(&format!("{name}/data/{}", contents::DATA_SETS), message));
    }
    if let Some((set, what)) = data_sets.iter().find_map(|set| set.contradiction().map(|what| (set, what))) {
        let message = format!("{what}: `{}`", set.name);
        return Err(Fault::entry(&format!("{name}/data/{}", contents::DATA_SETS), message));
    }
    let mut parts = BTreeSet::new();
    for manifest in &manifests {
        let folder = format!("outputs/{}", manifest.pipeline);
        let files = contents::files(manifest, |_| true);
        // A large table is there as a whole or not at all.
        let there = |path: &str| seen.contains_key(&format!("data/{folder}/{path}"));
        let inside: BTreeSet<Part> = files.iter().filter(|f| there(&f.path)).filter_map(|file| file.part).collect();
        for file in files.iter().filter(|file| file.part.is_none_or(|part| inside.contains(&part))) {
            let path = format!("{folder}/{}", file.path);
            let entry = format!("{name}/data/{path}");
            let one = seen.get(&format!("data/{path}")).ok_or_else(|| {
                Fault::entry(&entry, format!("is missing: the manifest of `{}` speaks of it", manifest.pipeline))
            })?;
            if one.blake3 != file.blake3 {
                return Err(Fault::entry(&entry, "was changed: its digest is not the one in manifest.json"));
            }
            expected.insert(path);
        }
        parts.extend(inside);
    }
    let published = Published::from_parts(manifests, data_sets);
    let manifest_entry = || format!("{name}/data/outputs/{name}/{}", manifest::FILE);
    for source in published.sources().map_err(|message| Fault::entry(&manifest_entry(), message))?.into_values() {
        if text(name, seen, &format!("data/{}", source.path))? != source.text {
            let entry = format!("{name}/data/{}", source.path);
            return Err(Fault::entry(&entry, "was changed: it is not the text in manifest.json"));
        }
        if !source.path.starts_with("pipelines/") || !source.path.ends_with(".toml") {
            let entry = format!("{name}/data/{}", source.path);
            return Err(Fault::entry(
                &entry,
                "is not a pipeline or a table of coefficients, but manifest.json calls it one",
            ));
        }
        expected.insert(source.path.clone());
    }
    if published.main().sources.is_empty() {
        return Err(Fault::entry(&manifest_entry(), "does not hold the pipeline's text"));
    }
    let payload = seen.keys().filter_map(|path| path.strip_prefix("data/"));
    if let Some(extra) = payload.into_iter().find(|path| !expected.contains(*path)) {
        return Err(Fault::entry(
            &format!("{name}/data/{extra}"),
            "is one file too many: nothing in the archive speaks of it",
        ));
    }
    let described: serde_json::Value = json(name, seen, &format!("data/{}", contents::CRATE))?;
    let graph = described["@graph"].as_array().into_iter().flatten();
    let described: BTreeSet<&str> = graph.filter_map(|entity| entity["@id"].as_str()).collect();
    let undescribed = expected.iter().find(|path| *path != contents::CRATE && !described.contains(path.as_str()));
    match undescribed {
        Some(path) => {
            let entry = format!("{name}/data/{}", contents::CRATE);
            Err(Fault::entry(&entry, format!("does not describe `{path}`")))
        }
        None => Ok((published, parts)),
    }
}

fn check_info(name: &str, seen: &BTreeMap<String, Seen>, published: &Published, time: u64) -> Result<(), Fault> {
    let payload = || seen.iter().filter(|(path, _)| path.starts_with("data/"));
    let main = published.main();
    let (bytes, files) = (payload().map(|(_, one)| one.bytes).sum(), payload().count());
    let found = text(name, seen, bag::INFO)?;
    // The time of the files is 0 where no time was given.
    let times = if time == 0 { vec![None, Some(0)] } else { vec![Some(time)] };
    let expected = |time| bag::info(&main.pipeline, &main.title, &main.program.version, time, bytes, files);
    if times.into_iter().any(|time| found == expected(time)) {
        return Ok(());
    }
    Err(Fault::entry(&format!("{name}/{}", bag::INFO), "does not describe this archive"))
}
