//! ARCHITECTURE.md says who knows nothing of whom and where `unsafe` may stand; here it is held against the source.

mod arrows;
mod lexer;
mod source;

use source::{Read, Source};

#[test]
fn explore() {
    let sources = sources();
    let read = Read::new(&sources);
    let arrows = arrows::arrows(&sources, &read);
    let mut rooms = std::collections::BTreeMap::<(String, String), Vec<String>>::new();
    for a in &arrows {
        let (f, t) = (room(&a.from), room(&a.to));
        if f != t {
            rooms.entry((f, t)).or_default().push(format!("{}:{} {}", a.from, a.line, a.path));
        }
    }
    for ((f, t), places) in &rooms {
        println!("ROOM {f} -> {t}: {} e.g. {:?}", places.len(), &places[..places.len().min(3)]);
    }
    for c in arrows::circles(arrows.iter().filter(|a| !a.passed_on).map(|a| (a.from.clone(), a.origin.clone())), 1) {
        println!("CIRCLE {c:?}");
        for a in
            arrows.iter().filter(|a| !a.passed_on && a.from != a.origin && c.contains(&a.from) && c.contains(&a.origin))
        {
            println!("    {}:{} -> {} {}", a.from, a.line, a.origin, a.path);
        }
    }
    for c in arrows::circles(arrows.iter().map(|a| (room(&a.from), room(&a.to))).filter(|(a, b)| a != b), 1) {
        println!("ROOMS {c:?}");
    }
}

fn room(path: &str) -> String {
    let inside = path.trim_start_matches("src/").trim_start_matches("mathematics/");
    inside.split('/').next().unwrap().trim_end_matches(".rs").to_owned()
}

fn sources() -> Vec<Source> {
    let root = crate::common::root();
    let mut found = Vec::new();
    let mut waiting = vec![root.join("src")];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let path = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                let module = module(&path);
                found.push(Source { path, module, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

fn module(path: &str) -> source::Module {
    let inside = path.strip_prefix("src/").unwrap().strip_suffix(".rs").unwrap();
    let (first, inside) = match inside.strip_prefix("mathematics/") {
        Some(inside) => ("ojaflow_mathematics", inside),
        None => ("ojaflow", inside),
    };
    let names = inside.split('/').filter(|name| !["mod", "lib"].contains(name));
    std::iter::once(first).chain(names).map(str::to_owned).collect()
}
