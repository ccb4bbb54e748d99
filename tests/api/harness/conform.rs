//! Whether an answer is as the description says: its status, its type, its headers and its body.

use std::{
    collections::HashMap,
    sync::{Arc, LazyLock, Mutex},
};

use contactpoint::app;
use jsonschema::{Draft, Validator};
use serde_json::Value;

use super::Answer;

/// The description that the service publishes.
pub(crate) static DOCUMENT: LazyLock<Value> =
    LazyLock::new(|| serde_json::from_str(&app::document()).unwrap());

static VALIDATORS: LazyLock<Mutex<HashMap<String, Arc<Validator>>>> = LazyLock::new(Mutex::default);

/// Fails unless the answer is one that the description promises.
pub(super) fn check(method: &str, path: &str, answer: &Answer) {
    let at = format!("{method} {path}: {}", answer.status);
    assert_eq!(answer.header("X-Content-Type-Options"), "nosniff", "{at}");
    let Some(operation) = operation(method, path) else {
        let undescribed = path.starts_with("/docs") || path == "/openapi.json";
        return assert!(
            undescribed || [404, 405, 414].contains(&answer.status),
            "{at}: no such operation is described"
        );
    };
    let response = &operation["responses"][answer.status.to_string()];
    assert!(response.is_object(), "{at} is not described: {:#}", answer.body);
    for name in response["headers"].as_object().into_iter().flat_map(|headers| headers.keys()) {
        assert!(answer.headers.contains_key(name), "{at} lacks the described {name}");
    }
    assert_eq!(answer.header("X-Request-Id"), answer.request_id.to_string(), "{at}");
    let Some(content) = response["content"].as_object() else {
        return assert!(answer.bytes.is_empty(), "{at} is described without a body");
    };
    let kind = answer.header("Content-Type").split(';').next().unwrap_or_default();
    let media = content.get(kind).unwrap_or_else(|| panic!("{at}: {kind} is not described"));
    if kind == "application/x-ndjson" {
        for line in answer.bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            body(&at, &media["schema"], &serde_json::from_slice(line).unwrap());
        }
    } else if kind == "text/csv" {
        let text = Value::from(String::from_utf8_lossy(&answer.bytes));
        body(&at, &media["schema"], &text);
    } else {
        body(&at, &media["schema"], &answer.body);
    }
}

fn body(at: &str, schema: &Value, body: &Value) {
    let validator = validator(schema);
    let mut faults: Vec<_> = validator
        .iter_errors(body)
        .map(|fault| format!("{}: {fault}", fault.instance_path()))
        .collect();
    undescribed(schema, body, "", &mut faults);
    assert!(faults.is_empty(), "{at} is not as described: {faults:#?}\n{body:#}");
}

fn validator(schema: &Value) -> Arc<Validator> {
    let mut validators = VALIDATORS.lock().unwrap();
    let made = validators.entry(schema.to_string()).or_insert_with(|| {
        let mut whole = schema.clone();
        whole["components"] = DOCUMENT["components"].clone();
        let options =
            jsonschema::options().with_draft(Draft::Draft202012).should_validate_formats(true);
        Arc::new(options.build(&whole).unwrap())
    });
    Arc::clone(made)
}

/// The operation that serves a path, the more literal one where two do.
fn operation(method: &str, path: &str) -> Option<&'static Value> {
    let path = path.split('?').next().unwrap_or_default();
    let fitting =
        DOCUMENT["paths"].as_object()?.iter().filter(|(template, _)| fits(template, path));
    let (_, item) = fitting.min_by_key(|(template, _)| template.matches('{').count())?;
    item.get(method.to_lowercase())
}

fn fits(template: &str, path: &str) -> bool {
    template.split('/').count() == path.split('/').count()
        && template
            .split('/')
            .zip(path.split('/'))
            .all(|(part, given)| part.starts_with('{') || part == given)
}

/// Members that no schema describes: a schema that is silent about them lets them pass, and they would go out unseen.
fn undescribed(schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    let mut parts = Vec::new();
    gather(schema, &mut parts);
    match value {
        Value::Array(items) => {
            for (n, item) in items.iter().enumerate() {
                descend(
                    parts.iter().filter_map(|part| part.get("items")),
                    item,
                    &format!("{at}/{n}"),
                    faults,
                );
            }
        }
        Value::Object(members) => {
            let open = !parts.iter().any(|part| part.get("properties").is_some());
            for (name, member) in members.iter().filter(|_| !open) {
                let described = parts.iter().filter_map(|part| part["properties"].get(name));
                descend(described, member, &format!("{at}/{name}"), faults);
            }
        }
        _ => {}
    }
}

/// The same for a member or an item, which one of several schemas describes.
fn descend<'s>(
    schemas: impl Iterator<Item = &'s Value>,
    value: &Value,
    at: &str,
    faults: &mut Vec<String>,
) {
    let tried = schemas.map(|schema| {
        let mut faults = Vec::new();
        undescribed(schema, value, at, &mut faults);
        faults
    });
    faults.extend(
        tried.min_by_key(Vec::len).unwrap_or_else(|| vec![format!("{at}: is not described")]),
    );
}

/// A schema with all that it refers to and is composed of.
fn gather<'s>(schema: &'s Value, parts: &mut Vec<&'s Value>) {
    parts.push(schema);
    if let Some(reference) = schema["$ref"].as_str() {
        gather(DOCUMENT.pointer(&reference[1..]).unwrap(), parts);
    }
    for composed in ["allOf", "anyOf", "oneOf"] {
        schema[composed].as_array().into_iter().flatten().for_each(|schema| gather(schema, parts));
    }
}
