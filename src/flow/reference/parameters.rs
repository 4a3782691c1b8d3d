//! The parameters of a type, from its JSON Schema: what an editor completes by is what people read.

use serde_json::{Map, Value};

/// A key that can be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Parameter {
    /// Where it is written: `panels[].title` is the key `title` of an entry of `panels`.
    pub path: String,
    /// What TOML calls its values.
    pub kind: String,
    /// What is taken if it is left out, as TOML has it; none where it has to be written, or where its description says so.
    pub default: Option<String>,
    pub is_required: bool,
    pub description: String,
    /// The words that it can be, each with what it means.
    pub choices: Vec<(String, String)>,
}

/// The keys of a table, those of tables in it included.
pub(super) fn parameters(schema: &Value, definitions: &Map<String, Value>) -> Vec<Parameter> {
    let mut found = Vec::new();
    Reader { definitions }.keys(schema, "", &mut found);
    found
}

struct Reader<'a> {
    definitions: &'a Map<String, Value>,
}

/// What a value can be.
#[derive(Default)]
struct Shape {
    kinds: Vec<String>,
    choices: Vec<(String, String)>,
    /// The keys of what is a table.
    nested: Vec<Parameter>,
}

impl Shape {
    fn add(&mut self, kind: impl Into<String>) {
        let kind = kind.into();
        if !self.kinds.contains(&kind) {
            self.kinds.push(kind);
        }
    }

    fn absorb(&mut self, other: Self) {
        other.kinds.into_iter().for_each(|kind| self.add(kind));
        self.choices
            .extend(other.choices.into_iter().filter(|choice| !self.choices.contains(choice)).collect::<Vec<_>>());
        for parameter in other.nested {
            if !self.nested.contains(&parameter) {
                self.nested.push(parameter);
            }
        }
    }
}

impl Reader<'_> {
    fn keys(&self, schema: &Value, path: &str, found: &mut Vec<Parameter>) {
        let schema = self.resolved(schema);
        let required: Vec<&str> =
            schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
            let shape = self.shape(property, &path);
            let is_required = required.contains(&name.as_str());
            found.push(Parameter {
                path,
                kind: shape.kinds.join(" or "),
                default: property.get("default").and_then(toml),
                is_required,
                description: one_line(property["description"].as_str().unwrap_or_default()),
                choices: shape.choices,
            });
            found.extend(shape.nested);
        }
    }

    fn shape(&self, schema: &Value, path: &str) -> Shape {
        let schema = self.resolved(schema);
        let mut shape = Shape::default();
        let description = one_line(schema["description"].as_str().unwrap_or_default());
        if let Some(word) = schema.get("const").and_then(toml) {
            shape.choices.push((word, description));
            shape.add("string");
            return shape;
        }
        for word in schema["enum"].as_array().into_iter().flatten().filter_map(toml) {
            shape.choices.push((word, String::new()));
            shape.add("string");
        }
        for alternatives in ["oneOf", "anyOf", "allOf"] {
            for variant in schema[alternatives].as_array().into_iter().flatten() {
                shape.absorb(self.variant(variant, path));
            }
        }
        let own = &schema["type"];
        let kinds: Vec<&str> =
            own.as_array().into_iter().flatten().chain(Some(own)).filter_map(Value::as_str).collect();
        if ["boolean", "number", "string"].iter().all(|kind| kinds.contains(kind)) {
            // What can stand in a column of a table.
            shape.add("value");
            return shape;
        }
        for kind in kinds {
            match kind {
                "null" => {}
                // Their words are said.
                "string" if !shape.choices.is_empty() => {}
                "array" => self.array(schema, path, &mut shape),
                "object" => self.table(schema, path, &mut shape),
                other => shape.add(other),
            }
        }
        shape
    }

    /// One of several things that a value can be; `{ adam = { … } }` is a choice among words.
    fn variant(&self, variant: &Value, path: &str) -> Shape {
        let schema = self.resolved(variant);
        let mut keys = schema["properties"].as_object().into_iter().flatten();
        let is_chosen_by_its_key =
            schema["required"].as_array().is_some_and(|required| required.len() == 1) && schema["type"] == "object";
        match (keys.next(), keys.next()) {
            (Some((key, inside)), None) if is_chosen_by_its_key => {
                let place = format!("{path}.{key}");
                let inner = self.shape(inside, &place);
                let mut shape = Shape::default();
                shape.add("table");
                let description = schema["description"].as_str().or(inside["description"].as_str()).unwrap_or_default();
                let value = if inner.kinds == ["table"] { "{ … }" } else { "…" };
                shape.choices.push((format!("{{ {key} = {value} }}"), one_line(description)));
                // What is chosen inside is said of the key inside.
                if value == "…" || !inner.choices.is_empty() {
                    shape.nested.push(Parameter {
                        path: place,
                        kind: inner.kinds.join(" or "),
                        default: None,
                        is_required: false,
                        description: one_line(inside["description"].as_str().unwrap_or(description)),
                        choices: inner.choices,
                    });
                }
                shape.nested.extend(inner.nested);
                shape
            }
            _ => self.shape(variant, path),
        }
    }

    fn array(&self, schema: &Value, path: &str, shape: &mut Shape) {
        let items = self.shape(&schema["items"], &format!("{path}[]"));
        let kind = items.kinds.iter().map(|kind| plural(kind)).collect::<Vec<_>>().join(" or ");
        shape.add(match schema["maxItems"].as_u64() {
            Some(count) if schema["minItems"].as_u64() == Some(count) => format!("array of {count} {kind}"),
            _ => format!("array of {kind}"),
        });
        shape.choices.extend(items.choices);
        shape.nested.extend(items.nested);
    }

    fn table(&self, schema: &Value, path: &str, shape: &mut Shape) {
        if schema.get("properties").is_some() {
            shape.add("table");
            self.keys(schema, path, &mut shape.nested);
        } else if schema["additionalProperties"].is_object() {
            let values = self.shape(&schema["additionalProperties"], &format!("{path}.NAME"));
            let kind = values.kinds.iter().map(|kind| plural(kind)).collect::<Vec<_>>().join(" or ");
            shape.add(format!("table of {kind}"));
            shape.nested.extend(values.nested);
        } else {
            shape.add("table");
        }
    }

    fn resolved<'s>(&'s self, schema: &'s Value) -> &'s Value {
        let name = schema["$ref"].as_str().and_then(|path| path.rsplit('/').next());
        name.and_then(|name| self.definitions.get(name)).unwrap_or(schema)
    }
}

fn plural(kind: &str) -> String {
    match kind.split_once(' ') {
        // `array of integers` → `arrays of integers`
        Some((first, rest)) => format!("{first}s {rest}"),
        None => format!("{kind}s"),
    }
}

/// As it is written in TOML; nothing where TOML has no word for it.
fn toml(value: &Value) -> Option<String> {
    match value {
        Value::Null => None,
        Value::Array(items) if items.is_empty() => Some("[]".to_owned()),
        Value::Array(items) => Some(format!("[{}]", items.iter().map(toml).collect::<Option<Vec<_>>>()?.join(", "))),
        Value::Object(entries) if entries.is_empty() => Some("{}".to_owned()),
        Value::Object(entries) => {
            let entries = entries.iter().map(|(key, value)| Some(format!("{key} = {}", toml(value)?)));
            Some(format!("{{ {} }}", entries.collect::<Option<Vec<_>>>()?.join(", ")))
        }
        plain => Some(plain.to_string()),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(schema: Value) -> Vec<(String, String, Option<String>, Vec<String>)> {
        let definitions = json!({
            "Word": { "oneOf": [
                { "const": "a", "description": "the first" },
                { "type": "object", "description": "more", "properties": { "b": { "$ref": "#/$defs/Numbers" } }, "required": ["b"] },
            ] },
            "Numbers": { "type": "object", "properties": { "n": { "type": "integer", "default": 3 } } },
        });
        let found = parameters(&schema, definitions.as_object().unwrap());
        let words = |choices: &[(String, String)]| choices.iter().map(|(word, _)| word.clone()).collect();
        found.into_iter().map(|one| (one.path, one.kind, one.default, words(&one.choices))).collect()
    }

    #[test]
    fn a_reference_is_followed_and_a_table_inside_is_read_too() {
        let found = read(json!({ "properties": { "word": { "$ref": "#/$defs/Word" } } }));
        let none: Vec<String> = Vec::new();
        assert_eq!(
            found,
            [
                ("word".into(), "string or table".into(), None, vec!["\"a\"".to_owned(), "{ b = { … } }".to_owned()]),
                ("word.b.n".into(), "integer".into(), Some("3".to_owned()), none),
            ]
        );
    }

    #[test]
    fn arrays_and_tables_say_of_what_they_are() {
        let found = read(json!({ "properties": {
            "range": { "type": ["array", "null"], "items": { "type": "number" }, "minItems": 2, "maxItems": 2 },
            "rows": { "type": "array", "items": { "$ref": "#/$defs/Numbers" }, "default": [] },
            "by_name": { "type": "object", "additionalProperties": { "type": "array", "items": { "type": "number" } } },
        } }));
        let kinds: Vec<(&str, &str)> = found.iter().map(|(path, kind, ..)| (path.as_str(), kind.as_str())).collect();
        let expected = [
            ("range", "array of 2 numbers"),
            ("rows", "array of tables"),
            ("rows[].n", "integer"),
            ("by_name", "table of arrays of numbers"),
        ];
        assert_eq!(kinds, expected);
    }
}
