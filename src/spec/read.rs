//! Any part of the tree → a type, through `serde`, so that parameter structs stay plain.

use std::fmt;

use serde::de::{self, DeserializeSeed, IntoDeserializer, Visitor};

use super::node::{Key, Node, Value};
use super::pasted;
use crate::error::{Fault, Span};
use crate::words::instead_of;

/// A `serde` error that remembers the innermost place it came from.
#[derive(Debug)]
pub struct ReadError {
    message: String,
    span: Option<Span>,
    help: Option<String>,
}

impl ReadError {
    /// As a fault of the pipeline; `place` is underlined if nothing within it is known to be at fault.
    pub(super) fn fault(self, place: &Span) -> Fault {
        let Self { message, span, help } = self.at(place);
        Fault { message, span, help }
    }

    fn at(mut self, span: &Span) -> Self {
        self.span.get_or_insert_with(|| span.clone());
        self
    }
}

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for ReadError {}

impl de::Error for ReadError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { message: message.to_string(), span: None, help: None }
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        de::Error::custom(format!("unknown key `{field}`; {}", instead_of(field, expected)))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        de::Error::custom(format!("unknown choice `{variant}`; {}", instead_of(variant, expected)))
    }

    fn missing_field(field: &'static str) -> Self {
        de::Error::custom(format!("the key `{field}` is missing"))
    }

    fn invalid_type(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let wanted = in_words(expected);
        let help = match found {
            // `1e3` is a floating-point number to TOML, and a thousand to everybody else.
            de::Unexpected::Float(number) if is_whole(&wanted, number) => Some(format!("Write {number:.0}.")),
            // Of an override that is no TOML: it was taken as a word.
            de::Unexpected::Str(text) => pasted::find(text).map(|(_, said)| format!("In `{text}`, {said}.")),
            _ => None,
        };
        Self { help, ..de::Error::custom(format!("expected {wanted}, found {found}")) }
    }

    fn invalid_value(found: de::Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        de::Error::custom(format!("expected {}, found {found}", in_words(expected)))
    }
}

/// Whether a number is what was `wanted`, a whole one, in all but the way it is written.
fn is_whole(wanted: &str, number: f64) -> bool {
    let least = if wanted == UNSIGNED { 0.0 } else { -1e15 };
    (wanted == UNSIGNED || wanted == SIGNED) && number.fract() == 0.0 && (least..=1e15).contains(&number)
}

const UNSIGNED: &str = "a whole number, 0 or more";
const SIGNED: &str = "a whole number";

/// What was expected, without the names of Rust's types.
fn in_words(expected: &dyn de::Expected) -> String {
    match expected.to_string().as_str() {
        "u8" | "u16" | "u32" | "u64" | "usize" => UNSIGNED.to_owned(),
        "i8" | "i16" | "i32" | "i64" | "isize" => SIGNED.to_owned(),
        "f32" | "f64" => "a number".to_owned(),
        "a sequence" => "a list".to_owned(),
        "a map" => "a table of `key = value`".to_owned(),
        other => other.strip_prefix("struct ").map_or(other, |_| "a table of `key = value`").to_owned(),
    }
}

impl<'de> de::Deserializer<'de> for &'de Node {
    type Error = ReadError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        match &self.value {
            Value::Boolean(value) => visitor.visit_bool(*value),
            Value::Integer(value) => visitor.visit_i64(*value),
            Value::Float(value) => visitor.visit_f64(*value),
            Value::String(value) => visitor.visit_borrowed_str(value),
            Value::Array(items) => visitor.visit_seq(Items { items: items.iter() }),
            Value::Table(table) => visitor.visit_map(Entries { entries: table.entries.iter(), value: None }),
        }
        .map_err(|error| error.at(&self.span))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, ReadError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ReadError> {
        match &self.value {
            Value::String(name) => visitor.visit_enum(name.as_str().into_deserializer()),
            Value::Table(table) if table.entries.len() == 1 => {
                visitor.visit_enum(de::value::MapAccessDeserializer::new(Entries {
                    entries: table.entries.iter(),
                    value: None,
                }))
            }
            _ => Err(de::Error::custom(format!("expected a name, found {}", self.value.kind()))),
        }
        .map_err(|error: ReadError| error.at(&self.span))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf
        unit unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

struct Items<'de> {
    items: std::slice::Iter<'de, Node>,
}

impl<'de> de::SeqAccess<'de> for Items<'de> {
    type Error = ReadError;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, ReadError> {
        // An enum that tries several forms fails after it has left the node, so the place is noted here as well.
        self.items.next().map(|node| seed.deserialize(node).map_err(|error| error.at(&node.span))).transpose()
    }
}

struct Entries<'de> {
    entries: std::slice::Iter<'de, (Key, Node)>,
    value: Option<&'de Node>,
}

impl<'de> de::MapAccess<'de> for Entries<'de> {
    type Error = ReadError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ReadError> {
        let Some((key, value)) = self.entries.next() else { return Ok(None) };
        self.value = Some(value);
        let name: de::value::StrDeserializer<'_, ReadError> = key.name.as_str().into_deserializer();
        seed.deserialize(name).map(Some).map_err(|error| error.at(&key.span))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ReadError> {
        let node = self.value.take().expect("serde asks for a value after its key");
        seed.deserialize(node).map_err(|error| error.at(&node.span))
    }
}
