//! ARCHITECTURE.md says who may name whom and where `unsafe` may stand; here it is held against every path in the source.
//!
//! What counts is what is written anywhere outside of unit tests, in `use` lines, in passing and in macro calls. A room
//! that passes another's names on names them itself.

mod arrows;
mod lexer;
mod page;
mod source;

use std::collections::BTreeSet;
use std::fs;

use crate::common::root;
use arrows::{Arrow, arrows, circles};
use lexer::tokens;
use page::Page;
use source::{Module, Named, Read, Source};

#[test]
fn no_room_names_one_that_it_knows_nothing_of() {
    let (page, sources) = (page(), sources());
    let found = forbidden(&page, &arrows(&sources, &Read::new(&sources)));
    assert!(found.is_empty(), "not in the table of ARCHITECTURE.md:\n{}", found.join("\n"));
}

#[test]
fn every_room_is_on_the_page_and_every_arrow_of_the_page_is_used() {
    let (page, sources) = (page(), sources());
    let rooms: BTreeSet<String> = sources.iter().filter_map(|source| room(&source.path)).collect();
    assert_eq!(rooms, page.rooms.iter().cloned().collect(), "folders of src and rooms of ARCHITECTURE.md");
    let used: BTreeSet<(String, String)> =
        arrows(&sources, &Read::new(&sources)).iter().filter_map(between_rooms).collect();
    let allowed = page.may_name.iter().flat_map(|(from, to)| to.iter().map(move |to| (from.clone(), to.clone())));
    let unused: Vec<String> =
        allowed.filter(|arrow| !used.contains(arrow)).map(|(from, to)| format!("{from} → {to}")).collect();
    assert!(unused.is_empty(), "allowed by ARCHITECTURE.md, and nobody needs it: {}", unused.join(", "));
}

#[test]
fn unsafe_stands_where_the_page_says() {
    let (page, sources) = (page(), sources());
    let found = unsafe_elsewhere(&page, &sources, &Read::new(&sources));
    assert!(found.is_empty(), "`unsafe` outside of the places that ARCHITECTURE.md names:\n{}", found.join("\n"));
}

#[test]
fn the_store_and_what_is_published_touch_files_through_one_room() {
    let sources = sources();
    let found = files_elsewhere(&sources, &Read::new(&sources));
    assert!(found.is_empty(), "not through `files`, so no test can let it fail:\n{}", found.join("\n"));
}

#[test]
fn no_circle_between_folders_and_none_over_more_than_two_files() {
    let sources = sources();
    let arrows = arrows(&sources, &Read::new(&sources));
    let rooms = circles(arrows.iter().filter_map(between_rooms), 1);
    assert!(rooms.is_empty(), "folders that name each other: {rooms:?}");
    let files = circles(between_files(&arrows), 2);
    assert!(files.is_empty(), "files that name each other:\n{}", said(&files, &arrows));
}

fn page() -> Page {
    let text = fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    Page::read(&text).unwrap_or_else(|message| panic!("ARCHITECTURE.md: {message}"))
}

/// Every file of both crates.
fn sources() -> Vec<Source> {
    let mut found = Vec::new();
    let mut waiting = vec![root().join("src")];
    while let Some(folder) = waiting.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = fs::read_to_string(&path).unwrap();
                found.push(file(path.strip_prefix(root()).unwrap().to_str().unwrap(), &text));
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn file(path: &str, text: &str) -> Source {
    Source { path: path.to_owned(), module: module(path), text: text.to_owned() }
}

/// `src/plan/mod.rs` → `ojaflow::plan`
fn module(path: &str) -> Module {
    let inside = path.trim_start_matches("src/").trim_end_matches(".rs");
    let (first, inside) = match inside.strip_prefix("mathematics/") {
        Some(inside) => ("ojaflow_mathematics", inside),
        None => ("ojaflow", inside),
    };
    let names = inside.split('/').filter(|name| !["mod", "lib"].contains(name));
    std::iter::once(first).chain(names).map(str::to_owned).collect()
}

/// Within `src`, the mathematics' rooms beside the others.
fn inside(path: &str) -> &str {
    path.trim_start_matches("src/").trim_start_matches("mathematics/")
}

/// The folder or file directly under `src`; none for the roots of the crates, which only list what there is.
fn room(path: &str) -> Option<String> {
    let first = inside(path).split('/').next().unwrap_or_default().trim_end_matches(".rs");
    (!["lib", "main"].contains(&first)).then(|| first.to_owned())
}

/// The rooms that an arrow joins.
fn between_rooms(arrow: &Arrow) -> Option<(String, String)> {
    let (from, to) = (room(&arrow.from)?, room(&arrow.to)?);
    (from != to).then_some((from, to))
}

/// Arrows to where things are defined. A file that passes a name on is a table of contents, not a user of it.
fn between_files(arrows: &[Arrow]) -> impl Iterator<Item = (String, String)> {
    let used = arrows.iter().filter(|arrow| !arrow.passed_on && arrow.from != arrow.origin);
    used.map(|arrow| (arrow.from.clone(), arrow.origin.clone()))
}

fn forbidden(page: &Page, arrows: &[Arrow]) -> Vec<String> {
    let forbidden = arrows.iter().filter_map(|arrow| {
        let (from, to) = between_rooms(arrow).filter(|(from, to)| !page.allows(from, to))?;
        Some(format!("{}:{}: `{}`; {from} knows nothing of {to}", arrow.from, arrow.line, arrow.path))
    });
    forbidden.collect()
}

fn unsafe_elsewhere(page: &Page, sources: &[Source], read: &Read) -> Vec<String> {
    let allowed = |path: &str| page.may_be_unsafe.iter().any(|place| inside(path).starts_with(place.as_str()));
    let places = read.unsafes.iter().filter(|(file, _)| !allowed(&sources[*file].path));
    places.map(|(file, line)| format!("{}:{line}", sources[*file].path)).collect()
}

/// Where a room that leaves files and folders to `files` names a library that touches them, or calls a path's own methods.
fn files_elsewhere(sources: &[Source], read: &Read) -> Vec<String> {
    const ROOMS: [&str; 2] = ["store", "publish"];
    const LIBRARIES: [&str; 3] = ["tempfile", "reflink_copy", "rustix"];
    const METHODS: [&str; 6] = ["exists", "try_exists", "read_dir", "read_link", "symlink_metadata", "canonicalize"];
    let is_ours = |file: usize| room(&sources[file].path).is_some_and(|room| ROOMS.contains(&room.as_str()));
    let is_for_tests = |within: &Module| read.tests.iter().any(|tests| within.starts_with(tests));
    let touches = |named: &&Named| match named.segments.as_slice() {
        [first, second, ..] if first == "std" => second == "fs",
        [first, ..] => LIBRARIES.contains(&first.as_str()),
        [] => false,
    };
    let named = read.named.iter().filter(|named| is_ours(named.file) && !is_for_tests(&named.within)).filter(touches);
    let mut found: Vec<String> = named
        .map(|named| format!("{}:{}: `{}`", sources[named.file].path, named.line, named.segments.join("::")))
        .collect();
    for (file, source) in sources.iter().enumerate().filter(|(file, _)| is_ours(*file)) {
        // Unit tests stand at the end.
        let text = source.text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let tokens = if is_for_tests(&sources[file].module) { Vec::new() } else { tokens(text) };
        let called = tokens.windows(3).filter(|of| of[0].text == "." && of[2].text == "(");
        let called = called.filter(|of| METHODS.contains(&of[1].text.as_str()));
        found.extend(called.map(|of| format!("{}:{}: `.{}()`", source.path, of[1].line, of[1].text)));
    }
    found
}

/// Circles with the paths that make them.
fn said(circles: &[Vec<String>], arrows: &[Arrow]) -> String {
    let mut lines = Vec::new();
    for circle in circles {
        lines.push(circle.join(", "));
        let within = |arrow: &&Arrow| {
            !arrow.passed_on
                && arrow.from != arrow.origin
                && circle.contains(&arrow.from)
                && circle.contains(&arrow.origin)
        };
        let said = |arrow: &Arrow| format!("  {}:{}: `{}` of {}", arrow.from, arrow.line, arrow.path, arrow.origin);
        lines.extend(arrows.iter().filter(within).map(said));
    }
    lines.join("\n")
}

/// The checker itself, on made-up rooms: `a` may name `b`, `b` may name `c`.
mod made_up {
    use super::*;

    const PAGE: &str = "| room | may name |\n|---|---|\n| `a` | `b` |\n| `b` | `c` |\n| `c` | |\n\n\
                        | where `unsafe` may stand | why |\n|---|---|\n| `c/` | it is fast |\n";

    fn arrows_of(files: &[(&str, &str)]) -> Vec<Arrow> {
        let sources: Vec<Source> = files.iter().map(|(path, text)| file(path, text)).collect();
        arrows(&sources, &Read::new(&sources))
    }

    /// What is wrong with the text of `src/a.rs`, beside rooms `b`, `c` and `science`.
    fn wrong_in_a(text: &str) -> Vec<String> {
        let files = [
            ("src/lib.rs", "pub mod a; pub mod b; pub mod c; pub use ojaflow_mathematics::science;"),
            ("src/a.rs", text),
            ("src/b/mod.rs", "mod inner; pub use inner::Thing;"),
            ("src/b/inner.rs", "pub struct Thing;"),
            ("src/c.rs", "pub struct Other;"),
            ("src/mathematics/lib.rs", "pub mod science;"),
            ("src/mathematics/science.rs", "pub struct Rule;"),
        ];
        forbidden(&Page::read(PAGE).unwrap(), &arrows_of(&files))
    }

    #[test]
    fn what_the_page_allows_passes() {
        assert!(
            wrong_in_a("use crate::b::Thing;\nuse std::fmt;\nfn f(thing: &Thing) -> crate::b::Thing {}").is_empty()
        );
    }

    #[test]
    fn an_arrow_that_the_page_does_not_allow_is_told_with_its_place() {
        assert_eq!(wrong_in_a("\nuse crate::c::Other;"), ["src/a.rs:2: `crate::c::Other`; a knows nothing of c"]);
    }

    #[test]
    fn paths_count_wherever_they_stand() {
        let written = [
            "pub use crate::c::Other;",
            "pub(crate) use crate::{b::Thing, c};",
            "use super::c::*;",
            "fn f() { let x = crate::c::Other; }",
            "fn f() { format!(\"{}\", crate::c::Other) }",
            "mod inner { use super::super::c::Other; }",
            "impl From<crate::c::Other> for u8 {}",
            "use ojaflow_mathematics::science::Rule;",
            "use crate::science::Rule;",
            "fn f(c: char) -> bool { c == '\"' || crate::c::yes(c) }",
        ];
        for text in written {
            assert_eq!(wrong_in_a(text).len(), 1, "{text}");
        }
    }

    #[test]
    fn comments_texts_and_unit_tests_name_nothing() {
        let written = [
            "//! [`Other`](crate::c::Other)",
            "/* crate::c /* nested */ crate::c::Other */",
            "const S: &str = \"crate::c::Other\";",
            "const S: &str = r#\"a \" crate::c::Other\"#;",
            "const C: char = '\\''; /* crate::c::Other */ fn f<'a>(x: &'a str) {}",
            "#[cfg(test)]\nmod tests { use crate::c::Other; }",
            "pub(crate) fn f() {}",
            "pub(in crate::c) fn f() {}",
        ];
        for text in written {
            assert!(wrong_in_a(text).is_empty(), "{text}: {:?}", wrong_in_a(text));
        }
    }

    #[test]
    fn a_file_of_unit_tests_names_nothing() {
        let files = [("src/a/mod.rs", "#[cfg(test)]\npub(crate) mod fake;"), ("src/a/fake.rs", "use crate::c::Other;")];
        assert!(arrows_of(&[files[0], files[1], ("src/c.rs", "pub struct Other;")]).is_empty());
    }

    #[test]
    fn a_name_is_followed_to_where_it_is_defined() {
        let files = [
            ("src/a.rs", "use crate::b::Thing;"),
            ("src/b/mod.rs", "mod inner; pub use inner::Thing as Renamed; pub use self::inner::Thing;"),
            ("src/b/inner.rs", "pub struct Thing;"),
        ];
        let found = arrows_of(&files);
        let arrow = found.iter().find(|arrow| arrow.from == "src/a.rs").unwrap();
        assert_eq!((arrow.to.as_str(), arrow.origin.as_str()), ("src/b/mod.rs", "src/b/inner.rs"));
    }

    #[test]
    fn unsafe_is_found_with_its_place() {
        let sources = [file("src/a.rs", "fn f() {\n    unsafe { g() }\n}"), file("src/c/x.rs", "unsafe fn g() {}")];
        let found = unsafe_elsewhere(&Page::read(PAGE).unwrap(), &sources, &Read::new(&sources));
        assert_eq!(found, ["src/a.rs:2"]);
    }

    #[test]
    fn files_that_are_touched_past_their_room_are_found() {
        let sources = [
            file("src/store/a.rs", "use std::{fmt, fs};\nfn f(p: &Path) -> bool {\n    p.exists()\n}"),
            file(
                "src/publish/a.rs",
                "fn f() {}\n#[cfg(test)]\nmod tests {\n    use std::fs;\n    fn g() { p.exists() }\n}",
            ),
            file("src/files/a.rs", "use std::fs;"),
        ];
        let found = files_elsewhere(&sources, &Read::new(&sources));
        assert_eq!(found, ["src/store/a.rs:1: `std::fs`", "src/store/a.rs:3: `.exists()`"]);
    }

    #[test]
    fn circles_are_found_and_tables_of_contents_make_none() {
        let files = [
            ("src/a/mod.rs", "mod x; mod y; mod z; pub use x::X; pub use y::Y; pub use z::Z;"),
            ("src/a/x.rs", "use super::Y; pub struct X;"),
            ("src/a/y.rs", "use super::z::Z; pub struct Y;"),
            ("src/a/z.rs", "pub struct Z;"),
        ];
        assert!(circles(between_files(&arrows_of(&files)), 1).is_empty());
        let mut files = files;
        files[3].1 = "use super::X; pub struct Z;";
        let found = circles(between_files(&arrows_of(&files)), 2);
        assert_eq!(found, [["src/a/x.rs", "src/a/y.rs", "src/a/z.rs"]]);
    }

    #[test]
    fn a_page_on_which_a_room_names_one_above_it_is_refused() {
        let page = PAGE.replace("| `c` | |", "| `c` | `a` |");
        assert_eq!(Page::read(&page).unwrap_err(), "`c` may name `a`, which is no room below it");
    }
}
