//! TOML text → a tree in which every key and every value knows where it was written.
//!
//! Pipelines are merged from a file, its includes, bundles of the matrix and `--set` overrides before they are
//! checked, and an error still has to underline the text that a person typed. So the tree keeps positions, and reading any
//! part of it (`read.rs`) puts them into the errors.

use std::sync::Arc;

use serde::de;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::pasted;
pub use crate::error::{Fault, Source, Span};
pub use crate::words::{choices, instead_of};
pub(crate) use crate::words::{nearest, size, suggestion};

/// A value with its place.
#[derive(Clone, Debug)]
pub struct Node {
    /// Where it was written.
    pub span: Span,
    /// What it is.
    pub value: Value,
}

/// A value of TOML; dates have no use here.
#[derive(Clone, Debug)]
pub enum Value {
    /// `true`, `false`
    Boolean(bool),
    /// A whole number of 64 bits.
    Integer(i64),
    /// A number of double precision.
    Float(f64),
    /// A text.
    String(String),
    /// A list.
    Array(Vec<Node>),
    /// Entries by name.
    Table(Table),
}

/// Entries in the order in which they were written.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// Each key with its value.
    pub entries: Vec<(Key, Node)>,
}

/// A key with its place.
#[derive(Clone, Debug)]
pub struct Key {
    /// Where it was written.
    pub span: Span,
    /// The key itself, without quotes.
    pub name: String,
}

impl Table {
    /// The value of a key.
    pub fn get(&self, name: &str) -> Option<&Node> {
        self.entries.iter().find(|(key, _)| key.name == name).map(|(_, node)| node)
    }

    /// The value of a key, to be changed.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Node> {
        self.entries.iter_mut().find(|(key, _)| key.name == name).map(|(_, node)| node)
    }

    /// A key with its place.
    pub fn key(&self, name: &str) -> Option<&Key> {
        self.entries.iter().find(|(key, _)| key.name == name).map(|(key, _)| key)
    }

    /// Takes an entry out.
    pub fn remove(&mut self, name: &str) -> Option<(Key, Node)> {
        let index = self.entries.iter().position(|(key, _)| key.name == name)?;
        Some(self.entries.remove(index))
    }

    /// Sets `name`, replacing what was there.
    pub fn set(&mut self, key: Key, node: Node) {
        match self.get_mut(&key.name) {
            Some(old) => *old = node,
            None => self.entries.push((key, node)),
        }
    }

    /// All keys, in order.
    pub fn names(&self) -> Vec<&str> {
        self.entries.iter().map(|(key, _)| key.name.as_str()).collect()
    }
}

impl Node {
    /// Parses a whole document. Of several syntax errors the first is reported: a bracket left open makes one of every
    /// line after it.
    pub fn parse(name: impl Into<String>, text: impl Into<String>) -> Result<Self, Vec<Fault>> {
        let source = Arc::new(Source { name: name.into(), text: text.into() });
        let (document, errors) = DeTable::parse_recoverable(&source.text);
        if !errors.is_empty() {
            let first = errors.iter().min_by_key(|error| error.span().map_or(0, |span| span.start));
            let first = first.expect("there is at least one");
            let span = Span { source: source.clone(), range: first.span().unwrap_or(0..0) };
            // What is drawn as a minus or a quotation mark reads like the right thing: say what it is instead of what follows.
            if let Some((place, message)) = pasted::find(pasted::word(&source.text, span.range.start)) {
                let at = span.range.start;
                let span = Span { source, range: at + place.start..at + place.end };
                let help = "Such characters come with copied text; type this one anew.".to_owned();
                return Err(vec![Fault { message, span: Some(span), help: Some(help) }]);
            }
            let left_open = errors.iter().any(|error| error.message().starts_with("unclosed"));
            let help =
                left_open.then(|| "A bracket or quote that is opened before this place is not closed.".to_owned());
            return Err(vec![Fault { message: first.message().to_owned(), span: Some(span), help }]);
        }
        let span = Span { source: source.clone(), range: document.span() };
        let mut faults = Vec::new();
        let table = convert_table(document.into_inner(), &source, &mut faults);
        if faults.is_empty() { Ok(Self { span, value: Value::Table(table) }) } else { Err(faults) }
    }

    /// The table, if it is one.
    pub fn as_table(&self) -> Option<&Table> {
        match &self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The table, if it is one, to be changed.
    pub fn as_table_mut(&mut self) -> Option<&mut Table> {
        match &mut self.value {
            Value::Table(table) => Some(table),
            _ => None,
        }
    }

    /// The table that this node has to be, or the fault that says what it is instead.
    pub fn expect_table(&self, what: &str) -> Result<&Table, Fault> {
        self.as_table().ok_or_else(|| {
            Fault::at(&self.span, format!("{what} is a table of `key = value`, not {}", self.value.kind()))
        })
    }

    /// The text, if it is one.
    pub fn as_str(&self) -> Option<&str> {
        match &self.value {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    /// Reads this part of the tree as a `T`; the error underlines the offending text.
    pub fn read<'de, T: de::Deserialize<'de>>(&'de self) -> Result<T, Fault> {
        T::deserialize(self).map_err(|error| error.fault(&self.span))
    }

    /// Lays `patch` over this node: tables merge key by key, anything else is replaced.
    pub fn merge(&mut self, patch: &Node) {
        match (&mut self.value, &patch.value) {
            (Value::Table(table), Value::Table(patch)) => {
                for (key, node) in &patch.entries {
                    match table.get_mut(&key.name) {
                        Some(old) => old.merge(node),
                        None => table.entries.push((key.clone(), node.clone())),
                    }
                }
            }
            _ => *self = patch.clone(),
        }
    }

    /// The value as JSON, for manifests and keys; positions are left behind.
    pub fn to_json(&self) -> serde_json::Value {
        match &self.value {
            Value::Boolean(value) => (*value).into(),
            Value::Integer(value) => (*value).into(),
            Value::Float(value) => (*value).into(),
            Value::String(value) => value.as_str().into(),
            Value::Array(items) => items.iter().map(Node::to_json).collect(),
            Value::Table(table) => serde_json::Value::Object(
                table.entries.iter().map(|(key, node)| (key.name.clone(), node.to_json())).collect(),
            ),
        }
    }
}

impl Value {
    /// The TOML type, with its article, as messages call it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Boolean(_) => "a boolean",
            Self::Integer(_) => "an integer",
            Self::Float(_) => "a float",
            Self::String(_) => "a string",
            Self::Array(_) => "an array",
            Self::Table(_) => "a table",
        }
    }
}

fn convert_table(table: DeTable<'_>, source: &Arc<Source>, faults: &mut Vec<Fault>) -> Table {
    let mut entries: Vec<(Key, Node)> = table
        .into_iter()
        .map(|(key, value)| {
            let span = Span { source: source.clone(), range: key.span() };
            (Key { span, name: key.into_inner().into_owned() }, convert_value(value, source, faults))
        })
        .collect();
    // The parser's map is sorted by name; the order of axes and stages is the order in which a person wrote them.
    entries.sort_by_key(|(key, _)| key.span.range.start);
    Table { entries }
}

fn convert_value(value: Spanned<DeValue<'_>>, source: &Arc<Source>, faults: &mut Vec<Fault>) -> Node {
    let span = Span { source: source.clone(), range: value.span() };
    let value = match value.into_inner() {
        DeValue::Boolean(value) => Value::Boolean(value),
        DeValue::Integer(value) => match i64::from_str_radix(value.as_str(), value.radix()) {
            Ok(value) => Value::Integer(value),
            Err(_) => {
                faults.push(Fault::at(&span, "this integer does not fit into 64 bits"));
                Value::Integer(0)
            }
        },
        DeValue::Float(value) => match value.as_str().parse() {
            Ok(value) => Value::Float(value),
            Err(_) => {
                faults.push(Fault::at(&span, "this is not a floating-point number"));
                Value::Float(0.0)
            }
        },
        DeValue::String(value) => Value::String(value.into_owned()),
        DeValue::Datetime(_) => {
            faults.push(Fault::at(&span, "a date or time has no use in a pipeline"));
            Value::Boolean(false)
        }
        DeValue::Array(items) => {
            Value::Array(items.into_iter().map(|item| convert_value(item, source, faults)).collect())
        }
        DeValue::Table(table) => Value::Table(convert_table(table, source, faults)),
    };
    Node { span, value }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Point {
        x: f64,
        #[serde(default)]
        tags: Vec<String>,
    }

    fn underlined(fault: &Fault) -> &str {
        let span = fault.span.as_ref().expect("has a place");
        &span.source.text[span.range.clone()]
    }

    #[test]
    fn integers_are_accepted_where_a_float_is_wanted() {
        let point: Point = Node::parse("p", "x = 1\ntags = ['a']").unwrap().read().unwrap();
        assert_eq!((point.x, point.tags), (1.0, vec!["a".to_owned()]));
    }

    #[test]
    fn an_error_underlines_the_text_at_fault() {
        let read = |text: &str| Node::parse("p", text).unwrap().read::<Point>().unwrap_err();
        let unknown = read("x = 1.0\nyy = 2");
        assert_eq!(underlined(&unknown), "yy");
        assert_eq!(unknown.message, "unknown key `yy`; there are: `x`, `tags`");
        assert_eq!(underlined(&read("x = 'a'")), "'a'");
        assert_eq!(underlined(&read("x = 1.0\ntags = ['a', 3]")), "3");
    }

    #[test]
    fn a_whole_number_written_as_a_float_is_answered_with_how_to_write_it() {
        #[derive(Debug, Deserialize)]
        #[allow(dead_code)]
        struct Counts {
            n: u64,
            #[serde(default)]
            shift: i64,
        }
        let help = |text: &str| Node::parse("p", text).unwrap().read::<Counts>().unwrap_err().help;
        assert_eq!(help("n = 1e3").unwrap(), "Write 1000.");
        assert_eq!(help("n = 1\nshift = -2.0").unwrap(), "Write -2.");
        assert_eq!(help("n = -1e3"), None);
        assert_eq!(help("n = 1.5"), None);
        assert_eq!(help("n = '−5'").unwrap(), "In `−5`, this is U+2212, a minus sign, not `-`.");
    }

    #[test]
    fn entries_keep_the_order_of_the_text() {
        let node = Node::parse("p", "zeta = 1\nalpha = 2").unwrap();
        assert_eq!(node.as_table().unwrap().names(), ["zeta", "alpha"]);
    }

    #[test]
    fn merging_replaces_values_and_keeps_the_rest() {
        let mut node = Node::parse("p", "[a]\nx = 1\ny = 2").unwrap();
        node.merge(&Node::parse("q", "a.y = 3").unwrap());
        assert_eq!(node.to_json().to_string(), r#"{"a":{"x":1,"y":3}}"#);
    }
}
