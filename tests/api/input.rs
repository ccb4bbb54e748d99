//! Bad input: every body that may not be so is refused with its place, leaves nothing behind, and is written down.

use serde_json::{Value, json};

use crate::harness::{Body, Index, Operation, Scene, Target};

/// An index with one child, to which every operation that takes a JSON body is sent what it must refuse.
struct Bench {
    index: Index,
    scene: Scene,
    target: Target,
    rows: Value,
}

impl Bench {
    async fn set() -> Self {
        let index = Index::start().await;
        let scene = index.scene().await;
        let target = index.own(&scene).await;
        let rows = index.rows().await;
        Self { index, scene, target, rows }
    }

    /// Sends a body, which must be refused in this way, with its place where there is one, and change nothing.
    async fn refuses(
        &self,
        operation: Operation,
        body: impl Into<Body>,
        headers: &[(&str, &str)],
        as_told: &[(u16, &str)],
        pointer: &str,
    ) {
        let caller = operation.asked_by().map(|role| self.scene.caller(role));
        let answer = self.index.ask(operation, caller, &self.target, body, headers).await;
        let at = format!("{}: {:#}", operation.id, answer.body);
        assert!(as_told.contains(&(answer.status, answer.problem())), "{at}\n{as_told:?} is due");
        let placed =
            pointer.is_empty() || answer.pointers().iter().any(|told| told.starts_with(pointer));
        assert!(placed, "{at}\n{pointer} is at fault");
        let event = self.index.event(&answer).await;
        assert_eq!(
            (event["operation"].as_str(), event["outcome"].as_str()),
            (Some(operation.id), Some("refused"))
        );
        assert_eq!(event["problem"], answer.problem(), "{at}");
    }

    async fn end(self) {
        assert_eq!(self.index.rows().await, self.rows, "nothing was stored");
    }
}

/// Operations that take a JSON body, with a body that is good.
fn operations() -> impl Iterator<Item = (Operation, Value)> {
    Operation::all()
        .filter(|operation| operation.body().is_some())
        .map(|operation| (operation, operation.example()))
}

fn operation(id: &str) -> Operation {
    Operation::all().find(|operation| operation.id == id).unwrap()
}

/// The members of an operation's body, with what they may be.
fn members(operation: Operation) -> impl Iterator<Item = (&'static String, &'static Value)> {
    operation.body().unwrap()["properties"].as_object().unwrap().iter()
}

const MALFORMED: &[(u16, &str)] = &[(400, "malformed-json")];
const INVALID: &[(u16, &str)] = &[(422, "invalid-value")];
const UNTYPED: &[(u16, &str)] = &[(415, "unsupported-media-type")];

#[actix_web::test]
async fn a_member_that_is_not_known_is_refused() {
    let bench = Bench::set().await;
    for (operation, mut body) in operations() {
        body["caseNotes"] = json!("seemed tired");
        bench.refuses(operation, body, &[], &[(422, "unknown-property")], "/caseNotes").await;
    }
    bench.end().await;
}

#[actix_web::test]
async fn a_member_that_is_given_twice_is_refused() {
    let bench = Bench::set().await;
    for (operation, _) in operations() {
        let (name, _) = members(operation).next().unwrap();
        let twice = format!(r#"{{"{name}": null, "{name}": null}}"#);
        bench.refuses(operation, twice.as_str(), &[], MALFORMED, &format!("/{name}")).await;
    }
    bench.end().await;
}

#[actix_web::test]
async fn a_value_of_the_wrong_type_is_refused_where_it_stands() {
    let bench = Bench::set().await;
    for (operation, good) in operations() {
        for (name, schema) in members(operation) {
            let mut body = good.clone();
            let number = schema["type"] == "integer" || schema["type"] == "number";
            body[name] = if number { json!("seven") } else { json!(7) };
            bench.refuses(operation, body, &[], INVALID, &format!("/{name}")).await;
        }
        for body in ["7", "null", "\"text\""] {
            bench.refuses(operation, body, &[], INVALID, "").await;
        }
    }
    bench.end().await;
}

#[actix_web::test]
async fn an_object_told_as_a_list_of_its_values_is_refused_where_it_stands() {
    let bench = Bench::set().await;
    for (operation, _) in operations() {
        for body in ["[]", r#"["48271930566"]"#] {
            bench.refuses(operation, body, &[], INVALID, "").await;
        }
    }
    let add = operation("add_child");
    let mut child = add.example();
    child["names"][0] = json!(["current", ["Amy"], "Testley"]);
    bench.refuses(add, child, &[], INVALID, "/names/0").await;
    let mut child = add.example();
    child["whereabouts"]["address"] = json!([["12 Harbour Way"], "Exampleton", "PO1 3AX", null]);
    bench.refuses(add, child, &[], INVALID, "/whereabouts/address").await;
    bench.end().await;
}

#[actix_web::test]
async fn a_day_that_does_not_exist_is_refused_where_it_stands() {
    let bench = Bench::set().await;
    for (operation, good) in operations() {
        for (name, _) in members(operation).filter(|(_, schema)| schema["format"] == "date") {
            for day in
                ["2015-02-30", "2015-13-01", "14/03/2015", "2015-3-14", "2015-03-14T00:00:00Z", ""]
            {
                let mut body = good.clone();
                body[name] = json!(day);
                bench.refuses(operation, body, &[], INVALID, &format!("/{name}")).await;
            }
        }
    }
    bench.end().await;
}

#[actix_web::test]
async fn a_body_of_five_megabytes_is_refused() {
    let bench = Bench::set().await;
    for (operation, _) in operations() {
        let body = format!(r#"{{"a": "{}"}}"#, "x".repeat(5 << 20));
        bench.refuses(operation, body.as_str(), &[], &[(413, "body-too-large")], "").await;
    }
    bench.end().await;
}

#[actix_web::test]
async fn a_body_nested_a_thousand_deep_is_refused() {
    let bench = Bench::set().await;
    for (operation, _) in operations() {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}")] {
            let body = format!("{}1{}", open.repeat(1000), close.repeat(1000));
            bench.refuses(operation, body.as_str(), &[], MALFORMED, "").await;
        }
    }
    bench.end().await;
}

#[actix_web::test]
async fn text_that_is_no_text_is_refused() {
    let bench = Bench::set().await;
    for (operation, _) in operations() {
        let (name, _) = members(operation).next().unwrap();
        let body = |text: &[u8]| [br#"{""#, name.as_bytes(), br#"": ""#, text, br#""}"#].concat();
        let nul = &[(400, "malformed-json"), (422, "invalid-value")];
        bench.refuses(operation, body(b"a\\u0000b"), &[], nul, &format!("/{name}")).await;
        for text in [
            &b"\\ud800"[..],
            b"\\udc00\\ud800",
            b"a\xffb",
            b"\xc0\xaf",
            b"\xed\xa0\x80",
            b"a\x00b",
            b"a\nb",
        ] {
            bench.refuses(operation, body(text), &[], MALFORMED, "").await;
        }
    }
    bench.end().await;
}

#[actix_web::test]
async fn a_body_that_is_cut_short_or_missing_is_refused() {
    let bench = Bench::set().await;
    for (operation, good) in operations() {
        let whole = json!({ "a": good }).to_string();
        for body in
            [&whole[..whole.len() - 1], "", " ", "{}{}", "{,}", "{'a': 1}", "NaN", "\u{feff}{}"]
        {
            bench.refuses(operation, body, &[], MALFORMED, "").await;
        }
        bench.refuses(operation, (), &[], UNTYPED, "").await;
    }
    bench.end().await;
}

#[actix_web::test]
async fn a_body_of_another_type_or_coding_is_refused() {
    let bench = Bench::set().await;
    for (operation, good) in operations() {
        let types = [
            "text/plain",
            "application/xml",
            "application/json; charset=utf-16",
            "application/jsonp",
            "json",
        ];
        for kind in types {
            bench.refuses(operation, good.clone(), &[("Content-Type", kind)], UNTYPED, "").await;
        }
        for coding in ["gzip", "br", "identity, gzip"] {
            bench
                .refuses(operation, good.clone(), &[("Content-Encoding", coding)], UNTYPED, "")
                .await;
        }
    }
    bench.end().await;
}

#[actix_web::test]
async fn a_mistyped_number_is_refused_where_it_stands() {
    let bench = Bench::set().await;
    let (search, add) = (operation("search_children"), operation("add_child"));
    for number in ["48271930567", "4827193056", "48271930566 ", ""] {
        bench.refuses(search, json!({ "indexNumber": number }), &[], INVALID, "/indexNumber").await;
    }
    for (kind, value) in [
        ("upn", "C801200005001"),
        ("nhsNumber", "9434765918"),
        ("uln", "1234567890"),
        ("nationalInsuranceNumber", "BG123456A"),
        ("childReference", ""),
    ] {
        let identifier = json!({ "kind": kind, "value": value });
        bench
            .refuses(search, json!({ "identifier": identifier }), &[], INVALID, "/identifier/value")
            .await;
        let mut child = add.example();
        child["identifiers"] = json!([identifier]);
        bench.refuses(add, child, &[], INVALID, "/identifiers/0/value").await;
    }
    bench.end().await;
}

#[actix_web::test]
async fn nobody_is_born_tomorrow_or_over_25_years_ago() {
    let bench = Bench::set().await;
    for day in ["2026-11-17", "9999-12-31", "2001-11-15", "1899-01-01"] {
        for operation in [operation("add_child"), operation("correct_child")] {
            let mut child = operation.example();
            child["dateOfBirth"] = json!(day);
            bench.refuses(operation, child, &[], INVALID, "/dateOfBirth").await;
        }
    }
    bench.end().await;
}

#[actix_web::test]
async fn less_than_the_least_is_refused_to_search_by() {
    let bench = Bench::set().await;
    let (family, name) =
        (json!({ "family": "Testley" }), json!({ "given": ["Amy"], "family": "Testley" }));
    let born = "2015-03-14";
    for criteria in [
        json!({}),
        json!({ "name": name }),
        json!({ "name": family, "dateOfBirth": born }),
        json!({ "dateOfBirth": born, "gender": "female", "postcode": "PO1 3AX" }),
        json!({ "name": family, "gender": "female", "postcode": "PO1 3AX" }),
        json!({ "name": name, "postcode": "PO1 3AX" }),
        json!({ "name": name, "gender": "female" }),
    ] {
        bench
            .refuses(
                operation("search_children"),
                criteria,
                &[],
                &[(422, "too-little-to-search-by")],
                "",
            )
            .await;
    }
    let short = json!({ "name": { "given": ["Amy"], "family": "T" }, "dateOfBirth": born });
    bench.refuses(operation("search_children"), short, &[], INVALID, "/name/family").await;
    bench.end().await;
}
