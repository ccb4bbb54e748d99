//! The description that callers build against.

use std::{collections::HashSet, fs};

use contactpoint::app;
use serde_json::Value;

use crate::harness::{DOCUMENT, Operation};

/// Operations that need no token: to get one, to check one, and to run the service.
const OPEN: [&str; 13] = [
    "ask_for_access",
    "revoke_token",
    "create_session",
    "create_external_session",
    "begin_enrolment",
    "complete_enrolment",
    "issue_token",
    "read_keys",
    "read_metadata",
    "is_live",
    "is_ready",
    "list_problems",
    "read_problem",
];

#[test]
fn the_committed_description_is_the_one_the_code_gives() {
    let committed = fs::read_to_string("api-spec/openapi.json").unwrap_or_default();
    let current = committed == app::document();
    assert!(
        current,
        "api-spec/openapi.json is out of date: run `cargo run -- openapi > api-spec/openapi.json`"
    );
}

#[test]
fn every_operation_says_what_it_does_and_what_it_answers() {
    let tags: Vec<_> =
        DOCUMENT["tags"].as_array().unwrap().iter().map(|tag| &tag["name"]).collect();
    for Operation { id, described, .. } in Operation::all() {
        assert!(
            text(&described["summary"]) && text(&described["description"]),
            "{id} is not explained"
        );
        let [tag] = described["tags"].as_array().unwrap().as_slice() else {
            panic!("{id} has not one tag")
        };
        assert!(tags.contains(&tag), "{id}: {tag} is not explained");
        let mut statuses = described["responses"].as_object().unwrap().keys();
        assert!(statuses.any(|status| status.starts_with('2')), "{id} never succeeds");
    }
}

#[test]
fn every_answer_is_explained_and_every_problem_has_an_example() {
    for Operation { id, described, .. } in Operation::all() {
        for (status, response) in described["responses"].as_object().unwrap() {
            assert!(text(&response["description"]), "{id} {status} is not explained");
            let media = response["content"].as_object().into_iter().flatten();
            for (kind, media) in media.filter(|_| !status.starts_with('2')) {
                assert!(media["example"].is_object(), "{id} {status} {kind} has no example");
            }
        }
    }
}

#[test]
fn every_parameter_and_every_member_of_a_body_is_explained() {
    for Operation { id, described, .. } in Operation::all() {
        for parameter in described["parameters"].as_array().into_iter().flatten() {
            assert!(text(&parameter["description"]), "{id} {} is not explained", parameter["name"]);
        }
    }
    for (name, schema) in DOCUMENT["components"]["schemas"].as_object().unwrap() {
        assert!(text(&schema["description"]), "{name} is not explained");
        for (member, schema) in schema["properties"].as_object().into_iter().flatten() {
            assert!(explained(schema), "{name}/{member} is not explained");
        }
    }
}

#[test]
fn every_body_has_an_example_that_its_schema_admits() {
    for Operation { id, described, .. } in Operation::all() {
        for media in described["requestBody"]["content"]
            .as_object()
            .into_iter()
            .flat_map(|content| content.values())
        {
            if media["schema"]["type"] == "string" {
                assert!(text(&media["example"]), "{id} has no example body");
                continue;
            }
            let schema = DOCUMENT.pointer(&media["schema"]["$ref"].as_str().unwrap()[1..]).unwrap();
            let mut whole = schema.clone();
            whole["components"] = DOCUMENT["components"].clone();
            let validator = jsonschema::draft202012::options()
                .should_validate_formats(true)
                .build(&whole)
                .unwrap();
            assert!(schema["example"].is_object(), "{id} has no example body");
            let faults: Vec<_> =
                validator.iter_errors(&schema["example"]).map(|fault| fault.to_string()).collect();
            assert!(faults.is_empty(), "the example of {id} is not admitted: {faults:#?}");
        }
    }
}

#[test]
fn every_operation_is_protected_or_open_on_purpose() {
    for operation in Operation::all() {
        let open = OPEN.contains(&operation.id);
        assert_eq!(operation.policy().is_none(), open, "{}", operation.id);
        assert_eq!(operation.described["x-access"].is_null(), open, "{}", operation.id);
    }
}

#[test]
fn operation_ids_are_unique() {
    let mut seen = HashSet::new();
    for operation in Operation::all() {
        assert!(
            !operation.id.is_empty() && seen.insert(operation.id),
            "{} {}",
            operation.method,
            operation.path
        );
    }
}

/// Whether a member is explained where it stands, or by what it refers to.
fn explained(schema: &Value) -> bool {
    let referred = schema["$ref"].as_str().and_then(|reference| DOCUMENT.pointer(&reference[1..]));
    text(&schema["description"])
        || referred.is_some_and(|schema| text(&schema["description"]))
        || schema["oneOf"].as_array().is_some_and(|schemas| schemas.iter().any(explained))
}

fn text(value: &Value) -> bool {
    value.as_str().is_some_and(|text| !text.trim().is_empty())
}
