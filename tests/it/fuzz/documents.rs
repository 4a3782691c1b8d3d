//! Pipelines as structure: the shipped ones, with values, keys and whole stages taken from one another.

use std::fs;
use std::sync::LazyLock;

use proptest::prelude::*;
use toml::{Table, Value};

use crate::common::{SMALL, root};

/// Combinations that a plan of these tests may have: what is larger is slow, and not wrong for that …
const MOST_COMBINATIONS: f64 = 300.0;

/// … until it is so large that it has to be refused, and at once.
const ABSURD: f64 = 1e6;

/// The shipped pipelines that can be planned in a moment, with two seeds instead of many.
pub static SHIPPED: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut paths: Vec<_> =
        fs::read_dir(root().join("pipelines")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    let texts = paths.iter().map(|path| {
        let text = fs::read_to_string(path).unwrap();
        let counted = |line: &str| match line.split_once("count = ") {
            Some((before, after)) => {
                let rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
                format!("{before}count = 2{rest}\n")
            }
            None => format!("{line}\n"),
        };
        text.lines().map(counted).collect::<String>()
    });
    let small = SMALL.replace("\"tiny\"", "\"mnist\"");
    texts.chain([small]).filter(|text| !is_too_large(text, &[])).collect()
});

static PARSED: LazyLock<Vec<Table>> = LazyLock::new(|| SHIPPED.iter().map(|text| text.parse().unwrap()).collect());

/// Everything that stands under a key somewhere.
static VALUES: LazyLock<Vec<(String, Value)>> = LazyLock::new(|| {
    let mut found = Vec::new();
    for document in PARSED.iter() {
        visit(&Value::Table(document.clone()), &mut |key, value| {
            let pair = (key.to_owned(), value.clone());
            if !found.contains(&pair) {
                found.push(pair);
            }
        });
    }
    found
});

fn visit(value: &Value, look: &mut impl FnMut(&str, &Value)) {
    match value {
        Value::Table(table) => {
            for (key, value) in table {
                look(key, value);
                visit(value, look);
            }
        }
        Value::Array(items) => items.iter().for_each(|item| visit(item, look)),
        _ => {}
    }
}

/// Whether a pipeline has more combinations than these tests have time for. What cannot be read has none.
pub fn is_too_large(text: &str, overrides: &[String]) -> bool {
    let Ok(mut document) = text.parse::<Table>() else { return false };
    for change in overrides {
        if let Ok(patch) = change.parse::<Table>() {
            merge(&mut document, patch);
        }
    }
    let names_others = match document.get("include") {
        Some(Value::Array(items)) => !items.is_empty(),
        _ => false,
    };
    let Some(Value::Table(matrix)) = document.get("matrix") else { return names_others };
    let axis = |value: &Value| match value {
        Value::Array(items) => items.len() as f64,
        Value::Table(table) => match table.get("count") {
            Some(Value::Integer(count)) => *count as f64,
            _ => table.len() as f64,
        },
        _ => 1.0,
    };
    let product = |table: &Table| table.values().map(axis).map(|n| n.max(1.0)).product::<f64>();
    let mut axes = matrix.clone();
    let combinations = match axes.remove("combinations") {
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_table).map(product).sum(),
        _ => 1.0,
    };
    let combinations = combinations * product(&axes);
    names_others || (combinations > MOST_COMBINATIONS && combinations <= ABSURD)
}

fn merge(document: &mut Table, patch: Table) {
    for (key, value) in patch {
        match (document.get_mut(&key), value) {
            (Some(Value::Table(old)), Value::Table(new)) => merge(old, new),
            (_, value) => drop(document.insert(key, value)),
        }
    }
}

/// One change of a document: what happens, and three numbers that say where and with what.
type Change = (u8, usize, usize, usize);

/// Documents, as text.
pub fn documents() -> impl Strategy<Value = String> {
    let number = || 0_usize..10_000;
    let changes = prop::collection::vec((0_u8..8, number(), number(), number()), 1..6);
    (0..PARSED.len(), changes).prop_map(|(base, changes)| {
        let mut document = Value::Table(PARSED[base].clone());
        for change in changes {
            apply(&mut document, change);
        }
        toml::to_string(&document).unwrap_or_default()
    })
}

/// Paths of keys, as they are typed after `--set`.
pub fn paths(pipeline: usize) -> Vec<String> {
    fn walk(table: &Table, before: &str, found: &mut Vec<String>) {
        for (key, value) in table {
            let path = if before.is_empty() { key.clone() } else { format!("{before}.{key}") };
            if let Value::Table(inner) = value {
                walk(inner, &path, found);
            }
            found.push(path);
        }
    }
    let mut found = Vec::new();
    walk(&PARSED[pipeline], "", &mut found);
    found
}

fn apply(document: &mut Value, (what, place, other, piece): Change) {
    let n_places = count(document);
    let mut place = place % n_places.max(1);
    let same_key = |key: &str| -> Value {
        let alike: Vec<&Value> = VALUES.iter().filter(|(name, _)| name == key).map(|(_, value)| value).collect();
        alike.get(other % alike.len().max(1)).map_or(Value::Boolean(true), |value| (*value).clone())
    };
    let odd = || -> Value {
        let text = super::edits::PIECES[piece % super::edits::PIECES.len()];
        let parsed = format!("x = {text}").parse::<Table>().ok().and_then(|mut table| table.remove("x"));
        parsed.unwrap_or_else(|| Value::String(text.to_owned()))
    };
    let (name, any_value) = &VALUES[other % VALUES.len()];
    let mut change = |table: &mut Table, key: &str| {
        let new = match what {
            0 => return drop(table.remove(key)),
            1 | 2 => same_key(key),
            3 => odd(),
            4 => any_value.clone(),
            5 => Value::Array(vec![table[key].clone(), same_key(key)]),
            6 => Value::Table(Table::from_iter([(name.clone(), table[key].clone())])),
            // A key, often a whole stage, that stands elsewhere.
            _ => return drop(table.insert(name.clone(), any_value.clone())),
        };
        table.insert(key.to_owned(), new);
    };
    at(document, &mut place, &mut change);
}

fn count(value: &Value) -> usize {
    match value {
        Value::Table(table) => table.values().map(|value| 1 + count(value)).sum(),
        Value::Array(items) => items.iter().map(count).sum(),
        _ => 0,
    }
}

/// Changes the key at a place; says whether it was reached.
fn at(value: &mut Value, place: &mut usize, change: &mut impl FnMut(&mut Table, &str)) -> bool {
    match value {
        Value::Table(table) => {
            let keys: Vec<String> = table.keys().cloned().collect();
            for key in keys {
                if *place == 0 {
                    change(table, &key);
                    return true;
                }
                *place -= 1;
                if at(&mut table[&key], place, change) {
                    return true;
                }
            }
            false
        }
        Value::Array(items) => items.iter_mut().any(|item| at(item, place, change)),
        _ => false,
    }
}
