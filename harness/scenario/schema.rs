//! The format as a JSON Schema, for editors.

use super::file::{Fault, File, Hold, Range};
use super::sweep::{At, Given, List, Sweep};
use super::value::{Offset, Value};
use schemars::transform::{RecursiveTransform, Transform};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema, schema_for};
use serde_json::Value as Json;
use std::borrow::Cow;

/// The JSON Schema of scenario files, as it is committed in
/// scenarios/schema.json.
pub fn schema() -> String {
    let mut schema = schema_for!(File);
    schema.insert("title".into(), "Halfway scenario".into());
    schema.insert("required".into(), vec!["question"].into());
    if let Some(question) = schema.pointer_mut("/properties/question") {
        question.as_object_mut().map(|key| key.remove("default"));
    }
    RecursiveTransform(without_null).transform(&mut schema);
    let text = serde_json::to_string_pretty(&schema).unwrap_or_default();
    text + "\n"
}

/// Removes null from the schema: TOML has none, and a key without a value is
/// left out.
fn without_null(schema: &mut Schema) {
    let is_null = |value: &Json| {
        value.is_null() || value == "null" || value.get("type").is_some_and(|kind| kind == "null")
    };
    if schema.get("default").is_some_and(Json::is_null) {
        schema.remove("default");
    }
    if let Some(Json::Object(default)) = schema.get_mut("default") {
        default.retain(|_, value| !value.is_null());
    }
    for key in ["type", "anyOf"] {
        let Some(Json::Array(items)) = schema.get_mut(key) else {
            continue;
        };
        items.retain(|item| !is_null(item));
        if let (true, [one]) = (key == "type", items.as_slice()) {
            let one = one.clone();
            schema.insert(key.into(), one);
        }
    }
}

/// Writes the schema of these types where they are used, without a name.
macro_rules! inline {
    ($type:ty, $generator:ident, $schema:expr $(, $param:ident)?) => {
        impl$(<$param: Value>)? JsonSchema for $type {
            fn inline_schema() -> bool {
                true
            }
            fn schema_name() -> Cow<'static, str> {
                stringify!($type).into()
            }
            fn json_schema($generator: &mut SchemaGenerator) -> Schema {
                $schema
            }
        }
    };
}

inline!(Given<T>, generator, T::schema(generator), T);
inline!(List<T>, generator, list(generator, T::schema), T);
inline!(Sweep<T>, generator, sweep::<T>(generator), T);
inline!(Given<Fault>, generator, generator.subschema_for::<Fault>());
inline!(Given<Hold>, generator, generator.subschema_for::<Hold>());
inline!(At, generator, {
    let offsets = sweep::<Offset>(generator);
    json_schema!({ "anyOf": [{ "enum": ["every", "same"] }, offsets] })
});

fn list(generator: &mut SchemaGenerator, item: impl Fn(&mut SchemaGenerator) -> Schema) -> Schema {
    let (one, many) = (item(generator), item(generator));
    json_schema!({ "anyOf": [one, { "type": "array", "items": many }] })
}

fn sweep<T: Value>(generator: &mut SchemaGenerator) -> Schema {
    let one = T::schema(generator);
    let many = json_schema!({
        "type": "array", "items": one, "minItems": 1, "uniqueItems": true,
    });
    match T::RANGE {
        true => json_schema!({ "anyOf": [one, many, generator.subschema_for::<Range>()] }),
        false => json_schema!({ "anyOf": [one, many] }),
    }
}
