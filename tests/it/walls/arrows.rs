//! Paths → arrows from file to file, and the circles that they make.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{Module, Named, Read, Source};

/// One file names something of another.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Arrow {
    pub from: String,
    pub line: usize,
    /// The file of the module that the path names.
    pub to: String,
    /// The file that what is named stands in, once every `use` in between is followed.
    pub origin: String,
    /// As it is written.
    pub path: String,
    pub passed_on: bool,
}

/// The arrows between files; none from a file to itself, and none of unit tests.
pub fn arrows(sources: &[Source], read: &Read) -> Vec<Arrow> {
    let arrow = |named: &Named| {
        let full = absolute(read, &named.within, &named.segments, 0)?;
        let to = room_of(read, full.clone())?;
        let origin = followed(read, full, 0)?;
        Some(Arrow {
            from: sources[named.file].path.clone(),
            line: named.line,
            to: sources[to].path.clone(),
            origin: sources[origin].path.clone(),
            path: named.segments.join("::"),
            passed_on: named.passed_on,
        })
    };
    let in_tests = |named: &Named| read.tests.iter().any(|tests| named.within.starts_with(tests));
    let all = read.named.iter().filter(|named| !in_tests(named)).filter_map(arrow);
    all.filter(|arrow| arrow.from != arrow.to || arrow.from != arrow.origin).collect()
}

/// More `use`s than anyone passes a name through.
const DEPTH: usize = 16;

/// The full name of a path; none for what belongs to other crates.
fn absolute(read: &Read, within: &Module, segments: &[String], depth: usize) -> Option<Vec<String>> {
    let mut base = within.clone();
    let mut rest = segments;
    match rest.first()?.as_str() {
        "crate" => base.truncate(1),
        "ojaflow" => base = vec!["ojaflow".into()],
        "ojaflow_mathematics" => base = vec!["ojaflow_mathematics".into()],
        "self" | "super" => {
            while let Some(first @ ("self" | "super")) = rest.first().map(String::as_str) {
                if first == "super" {
                    base.pop();
                }
                rest = &rest[1..];
            }
            return (!base.is_empty()).then(|| [base.as_slice(), rest].concat());
        }
        first => {
            let child = [within.as_slice(), &[first.to_owned()]].concat();
            if read.modules.contains_key(&child) {
                return Some([within.as_slice(), rest].concat());
            }
            let import = read.imports.get(within)?.get(first)?;
            if depth == DEPTH || import.as_slice() == rest || import.first() == rest.first() {
                return None;
            }
            let imported = absolute(read, within, import, depth + 1)?;
            return Some([imported.as_slice(), &rest[1..]].concat());
        }
    }
    Some([base.as_slice(), &rest[1..]].concat())
}

/// The file of the innermost module of a full name, and how many segments name it.
fn module_of(read: &Read, full: &[String]) -> Option<(usize, usize)> {
    (1..=full.len()).rev().find_map(|length| read.modules.get(&full[..length]).map(|&file| (file, length)))
}

/// The file of the module that a full name names. The root of a crate only passes on what others hold.
fn room_of(read: &Read, full: Vec<String>) -> Option<usize> {
    let (file, length) = module_of(read, &full)?;
    let passed_on = full.get(1).filter(|_| length == 1).and_then(|name| read.imports.get(&full[..1])?.get(name));
    match passed_on.and_then(|import| absolute(read, &full[..1].to_vec(), import, 0)) {
        Some(target) => module_of(read, &[target.as_slice(), &full[2..]].concat()).map(|(file, _)| file),
        None => Some(file),
    }
}

/// The file where a name is defined.
fn followed(read: &Read, full: Vec<String>, depth: usize) -> Option<usize> {
    let (file, length) = module_of(read, &full)?;
    let module = full[..length].to_vec();
    let next = full.get(length).and_then(|name| read.imports.get(&module)?.get(name));
    match next.and_then(|import| absolute(read, &module, import, depth)) {
        Some(target) if depth < DEPTH => {
            followed(read, [target.as_slice(), &full[length + 1..]].concat(), depth + 1).or(Some(file))
        }
        _ => Some(file),
    }
}

/// Groups of more than `most` nodes each of which leads to every other.
pub fn circles(arrows: impl IntoIterator<Item = (String, String)>, most: usize) -> Vec<Vec<String>> {
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (from, to) in arrows {
        graph.entry(to.clone()).or_default();
        graph.entry(from).or_default().insert(to);
    }
    let reached: BTreeMap<&String, BTreeSet<&String>> = graph.keys().map(|node| (node, reach(&graph, node))).collect();
    let mut found: Vec<Vec<String>> = Vec::new();
    for node in graph.keys() {
        if found.iter().any(|circle| circle.contains(node)) {
            continue;
        }
        let circle: Vec<String> = graph
            .keys()
            .filter(|other| reached[node].contains(other) && reached[other].contains(node))
            .cloned()
            .collect();
        if circle.len() > most {
            found.push(circle);
        }
    }
    found
}

/// Everything that a node leads to, itself only through others.
fn reach<'a>(graph: &'a BTreeMap<String, BTreeSet<String>>, start: &'a String) -> BTreeSet<&'a String> {
    let (mut seen, mut waiting) = (BTreeSet::new(), vec![start]);
    while let Some(node) = waiting.pop() {
        waiting.extend(graph.get(node).into_iter().flatten().filter(|next| seen.insert(*next)));
    }
    seen
}
