//! What holds for every request, whatever it asks for.

use std::time::Duration;

use contactpoint::{access::Role, problem::Kind};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    harness::{DOCUMENT, Index},
    involvement::{Place, service},
    raw,
};

const JSON: &str = "Content-Type: application/json\r\n";

#[actix_web::test]
async fn every_answer_has_the_headers_that_protect_it() {
    let index = Index::start().await;
    let authority = index.authority().await;
    let child = index.child(authority).await;
    let by = index.caller(Role::Practitioner, authority).await;
    let signed =
        format!("Authorization: Bearer {}\r\nAccess-Reason: direct-service\r\n", index.token(&by));
    let (long, child) = (format!("/{}", "a".repeat(2048)), child.path(""));
    let post = format!("{signed}Idempotency-Key: headers-1\r\n");
    let typed = format!("{post}{JSON}");
    let involvements = format!("{child}/involvements");
    let said = service("socialCare").to_string();
    for (method, path, headers, body, status) in [
        ("GET", "/health/live", "", "", 200),
        ("GET", "/health/ready", "", "", 200),
        ("GET", "/openapi.json", "", "", 200),
        ("GET", "/docs/", "", "", 200),
        ("GET", "/docs", "", "", 307),
        ("GET", "/problems", "", "", 200),
        ("GET", "/.well-known/jwks.json", "", "", 200),
        ("GET", child.as_str(), signed.as_str(), "", 200),
        ("POST", &involvements, &typed, &said, 201),
        ("POST", &involvements, &typed, "{", 400),
        ("GET", &child, "", "", 401),
        ("GET", "/v1/audit/events", &signed, "", 403),
        ("GET", "/nowhere", "", "", 404),
        ("PUT", &child, &signed, "", 405),
        ("TRACE", "/health/live", "", "", 405),
        ("OPTIONS", &child, &signed, "", 405),
        ("GET", &long, "", "", 414),
        ("POST", &involvements, &post, "{}", 415),
        ("POST", &involvements, &typed, "{}", 422),
        ("POST", "/oauth/token", JSON, "{}", 415),
    ] {
        let origin = format!("{headers}Origin: https://example.org\r\n");
        let answer = raw::ask(index.address(), method, path, &origin, body);
        let at = format!("{method} {}: {answer:?}", &path[..path.len().min(60)]);
        assert_eq!(answer.status, status, "{at}");
        assert_eq!(answer.all("x-content-type-options"), ["nosniff"], "{at}");
        assert_eq!(answer.all("referrer-policy"), ["no-referrer"], "{at}");
        let [policy] = answer.all("content-security-policy")[..] else { panic!("{at}") };
        assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"));
        let [cached] = answer.all("cache-control")[..] else { panic!("{at}") };
        let public = path.starts_with("/.well-known") || path.starts_with("/docs");
        assert!(cached == "no-store" || public, "{at}");
        let [id] = answer.all("x-request-id")[..] else { panic!("{at}") };
        id.parse::<Uuid>().unwrap();
        let telling = ["server", "x-powered-by", "access-control-allow-origin", "set-cookie"];
        assert!(telling.iter().all(|name| answer.all(name).is_empty()), "{at}");
    }
}

#[actix_web::test]
async fn a_request_keeps_its_number_if_it_has_one() {
    let index = Index::start().await;
    let sent = |headers: &str| {
        let answer = raw::get(index.address(), "/health/live", headers);
        answer.all("x-request-id")[0].to_owned()
    };
    let id = Uuid::new_v4().to_string();
    assert_eq!(sent(&format!("X-Request-Id: {id}\r\n")), id);
    assert_eq!(sent(&format!("X-Request-Id: {}\r\n", id.to_uppercase())), id);
    for other in ["", "X-Request-Id: \r\n", "X-Request-Id: 42\r\n", "X-Request-Id: Amy Testley\r\n"]
    {
        let made: Uuid = sent(other).parse().unwrap();
        assert!(!made.is_nil() && made.to_string() != id);
    }
    assert_ne!(sent(""), sent(""));
}

#[actix_web::test]
async fn what_is_not_there_is_told_and_so_are_the_methods_that_are() {
    let index = Index::start().await;
    for path in
        ["/", "/v1", "/v1/", "/v2/children", "/v1/children/48271930566/diary", "/health", "//"]
    {
        let answer = raw::get(index.address(), path, "");
        assert_eq!(answer.status, 404, "{path}");
        let told: Value = serde_json::from_str(&answer.body).unwrap();
        assert_eq!(told["type"], "/problems/not-found");
    }
    for (template, item) in DOCUMENT["paths"].as_object().unwrap() {
        let path = template.replace(['{', '}'], "");
        let held: Vec<_> =
            item.as_object().unwrap().keys().map(|method| method.to_uppercase()).collect();
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"] {
            let of_a_child =
                path.starts_with("/v1/children/") && ["GET", "PATCH"].contains(&method);
            if held.iter().any(|held| held == method) || of_a_child {
                continue;
            }
            let answer = raw::ask(index.address(), method, &path, "", "");
            assert_eq!(answer.status, 405, "{method} {path}");
            let [allow] = answer.all("allow")[..] else { panic!("{method} {path}") };
            let mut allowed: Vec<_> = allow.split(", ").map(str::to_owned).collect();
            let mut held = held.clone();
            allowed.sort();
            held.sort();
            assert_eq!(allowed, held, "{path}");
        }
    }
}

#[actix_web::test]
async fn an_address_of_two_kilobytes_is_read_and_a_longer_one_is_not() {
    let index = Index::start().await;
    for (length, status) in [(2048, 404), (2049, 414)] {
        let path = format!("/{}", "a".repeat(length - 1));
        assert_eq!(raw::get(index.address(), &path, "").status, status, "{length}");
    }
}

#[actix_web::test]
async fn a_body_is_json_in_utf_8_and_nothing_around_it() {
    let place = Place::new().await;
    let (index, by) = (&place.index, &place.practitioner);
    let path = place.child.path("/involvements");
    let rows = index.rows().await;
    for (kind, encoding) in [
        ("", ""),
        ("text/plain", ""),
        ("application/x-www-form-urlencoded", ""),
        ("application/jsonp", ""),
        ("application/json; charset=iso-8859-1", ""),
        ("application/json", "gzip"),
        ("application/json", "identity"),
    ] {
        let headers = [("Content-Type", kind), ("Content-Encoding", encoding)];
        let answer = index.request(by, "POST", &path, service("school"), &headers).await;
        answer.refused(415, "unsupported-media-type");
    }
    assert_eq!(index.rows().await, rows);
    for (kind, said) in
        [("application/json; charset=utf-8", "school"), ("Application/JSON", "police")]
    {
        let headers = [("Content-Type", kind)];
        index.request(by, "POST", &path, service(said), &headers).await.expect(201);
    }
}

#[actix_web::test]
async fn every_type_of_problem_is_explained_where_it_points_to() {
    let index = Index::start().await;
    let list = index.request(None, "GET", "/problems", (), &[]).await.expect(200);
    let listed = list.body["items"].as_array().unwrap();
    assert_eq!(listed.len(), Kind::ALL.len());
    for (kind, listed) in Kind::ALL.iter().zip(listed) {
        let told = index.request(None, "GET", &kind.uri(), (), &[]).await.expect(200);
        assert_eq!(&told.body, listed);
        assert_eq!(told.body["type"], kind.uri());
        assert_eq!(told.body["status"], kind.status());
        assert!(!told.body["meaning"].as_str().unwrap().is_empty());
    }
    index.request(None, "GET", "/problems/no-such", (), &[]).await.refused(404, "not-found");
}

/// What a request of this number did, once its event is there.
async fn event(index: &Index, id: Uuid) -> Option<Value> {
    for _ in 0..100 {
        let event = "select to_jsonb(e) from audit_event e where request_id = $1";
        let event = sqlx::query_scalar(event).bind(id).fetch_optional(&index.db).await.unwrap();
        if event.is_some() {
            return event;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    None
}

#[actix_web::test]
async fn what_was_asked_for_is_done_and_written_down_although_the_caller_has_gone() {
    let place = Place::new().await;
    let index = &place.index;
    let token = index.token(&place.practitioner);
    let ask = |id: Uuid, service_type: &str| {
        let body = service(service_type).to_string();
        format!(
            "POST {} HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer {token}\r\nAccess-Reason: direct-service\r\n\
             Idempotency-Key: {id}\r\nX-Request-Id: {id}\r\n{JSON}Content-Length: {}\r\n\r\n{body}",
            place.child.path("/involvements"),
            body.len(),
        )
    };
    let mut held = index.db.begin().await.unwrap();
    let hold = "select child_id from child where child_id = $1 for update";
    sqlx::query(hold).bind(place.child.id).execute(&mut *held).await.unwrap();
    let (midst, at_once) = (Uuid::new_v4(), Uuid::new_v4());
    let stream = raw::open(index.address(), &ask(midst, "school"));
    let waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    for _ in 0..100 {
        let waiting: i64 = sqlx::query_scalar(waiting).fetch_one(&index.db).await.unwrap();
        if waiting > 0 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    drop(stream);
    tokio::time::sleep(Duration::from_millis(100)).await;
    held.rollback().await.unwrap();
    assert_eq!(event(index, midst).await.unwrap()["status"], 201);

    drop(raw::open(index.address(), &ask(at_once, "police")));
    if let Some(event) = event(index, at_once).await {
        assert_eq!(event["status"], 201);
    }
    let done = "select count(*) from involvement where service_type = $1";
    let done: i64 = sqlx::query_scalar(done).bind("school").fetch_one(&index.db).await.unwrap();
    assert_eq!(done, 1);
}

#[actix_web::test]
async fn only_a_trusted_proxy_is_believed_for_whom_it_speaks() {
    let index = Index::start().await;
    let behind = index.beside(&["127.0.0.1"]).await;
    let proxied = behind.address();
    for (address, forwarded, noted) in [
        (index.address(), "X-Forwarded-For: 192.0.2.7\r\n", "127.0.0.1"),
        (proxied, "", "127.0.0.1"),
        (proxied, "X-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7"),
        (proxied, "X-Forwarded-For: 203.0.113.9, 192.0.2.7\r\n", "192.0.2.7"),
        (proxied, "X-Forwarded-For: 203.0.113.9\r\nX-Forwarded-For: 192.0.2.7\r\n", "192.0.2.7"),
        (proxied, "X-Forwarded-For: nobody\r\n", "127.0.0.1"),
        (proxied, "X-Forwarded-For: 2001:db8::7\r\n", "2001:db8::7"),
    ] {
        let id = Uuid::new_v4();
        let headers = format!("{forwarded}Forwarded: for=198.51.100.1\r\nX-Request-Id: {id}\r\n");
        assert_eq!(raw::get(address, "/v1/organisations", &headers).status, 401);
        let event = event(&index, id).await.unwrap();
        assert_eq!(event["address"], json!(noted), "{forwarded}");
    }
}
