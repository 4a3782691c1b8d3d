//! `ojaflow schema`: the JSON Schema of pipeline files, made from the types that read them.

use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::spec::Header;
use crate::stages::{
    self,
    claims::{ClaimSpec, DecideSpec},
    training::{BatchRuleSpec, RuleSpec, TermSpec},
};

/// Where the schema is committed; the first line of each pipeline names it.
pub const SCHEMA_FILE: &str = "pipelines/schema.json";

/// The schema.
pub(super) fn schema() -> Value {
    let mut generator = SchemaGenerator::default();
    let header = generator.subschema_for::<Header>();
    let term = generator.subschema_for::<TermSpec>();
    let rule = generator.subschema_for::<RuleSpec>();
    let batch_rule = generator.subschema_for::<BatchRuleSpec>();
    let claim = generator.subschema_for::<ClaimSpec>();
    let decide = generator.subschema_for::<DecideSpec>();
    let mut kinds = Vec::new();
    for kind in stages::kinds() {
        let parameters = kind.schema(&mut generator);
        let definition = resolve(parameters.as_value(), &generator);
        let mut definition = definition.as_object().cloned().unwrap_or_default();
        // What the matrix sets need not stand in the stage, so nothing but the kind is required.
        definition.remove("required");
        let mut properties = Map::new();
        properties.insert("kind".into(), json!({ "const": kind.name(), "description": kind.summary() }));
        let keep = "Whether the tables are stored; otherwise they are handed on in memory.";
        properties.insert("keep".into(), json!({ "type": "boolean", "default": true, "description": keep }));
        let publish =
            "Of its tables those that are published, by what follows the stage's name; all if it is left out.";
        properties.insert(
            "publish".into(),
            json!({ "type": "array", "items": { "type": "string" }, "description": publish }),
        );
        if let Some(Value::Object(own)) = definition.get("properties") {
            properties.extend(own.clone());
        }
        definition.insert("properties".into(), Value::Object(properties));
        definition.insert("required".into(), json!(["kind"]));
        definition.insert("additionalProperties".into(), json!(false));
        definition.insert("title".into(), json!(kind.name()));
        kinds.push(Value::Object(definition));
    }
    let definitions: Map<String, Value> = generator.take_definitions(true).into_iter().collect();
    let include = json!({
        "type": "array",
        "description": "Pipelines that run as part of this one.",
        "items": { "anyOf": [
            { "type": "string" },
            {
                "type": "object",
                "properties": {
                    "pipeline": { "type": "string", "description": "Its name, or the path of its file." },
                    "set": { "type": "array", "items": { "type": "string" }, "description": "Overrides, as after --set." },
                    "as": { "type": "string", "description": "The name to publish under; its own, with eight digits if something is overridden, if left out." }
                },
                "required": ["pipeline"],
                "additionalProperties": false
            }
        ] }
    });
    let mut schema = json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "ojaflow pipeline",
        "type": "object",
        "properties": {
            "pipeline": described(header, "The name of the pipeline, and what it shows."),
            "include": include,
            "matrix": {
                "type": "object",
                "description": "Axes of the experiment; every combination of their values is one task of each stage that depends on them.",
                "additionalProperties": true
            },
            "terms": {
                "type": "object",
                "description": "Plasticity terms by name, written as equations; rules use them beside the shipped ones.",
                "propertyNames": { "pattern": "^[a-z][a-z0-9_]*$" },
                "additionalProperties": term
            },
            "rules": { "type": "object", "description": "Learning rules by name.", "additionalProperties": { "anyOf": [rule, batch_rule] } },
            "stages": {
                "type": "object",
                "description": "Stages by name.",
                "additionalProperties": { "oneOf": kinds }
            },
            "claims": { "type": "array", "description": "What the runs are to show, each with a bound that was set before they ran.", "items": claim },
            "decide": described(decide, "How often claims are looked at, and with which certainty.")
        },
        "required": ["pipeline"],
        "additionalProperties": false,
        "$defs": definitions
    });
    describe_keys_of_variants(&mut schema);
    schema
}

/// The same as text, ending without a newline.
pub fn schema_text() -> String {
    serde_json::to_string_pretty(&schema()).expect("plain data")
}

/// A schema that says what it is, where what it refers to says so of itself.
fn described(schema: Schema, description: &str) -> Value {
    let mut schema = schema.to_value();
    schema["description"] = description.into();
    schema
}

/// What is written as `{ adam = { … } }` is described as a whole; an editor asks the key.
fn describe_keys_of_variants(schema: &mut Value) {
    for variant in schema.get_mut("oneOf").and_then(Value::as_array_mut).into_iter().flatten() {
        let description = variant["description"].clone();
        let properties = variant.get_mut("properties").and_then(Value::as_object_mut);
        if let Some(properties) = properties.filter(|properties| properties.len() == 1 && description.is_string()) {
            for property in properties.values_mut().filter_map(Value::as_object_mut) {
                property.entry("description").or_insert_with(|| description.clone());
            }
        }
    }
    match schema {
        Value::Object(object) => object.values_mut().for_each(describe_keys_of_variants),
        Value::Array(items) => items.iter_mut().for_each(describe_keys_of_variants),
        _ => {}
    }
}

/// The definition that a reference points to.
fn resolve(schema: &Value, generator: &SchemaGenerator) -> Value {
    let reference = schema.get("$ref").and_then(Value::as_str);
    let name = reference.and_then(|reference| reference.rsplit('/').next());
    name.and_then(|name| generator.definitions().get(name).cloned()).unwrap_or_else(|| schema.clone())
}
