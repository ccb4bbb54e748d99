//! Hostile access tokens: none is accepted on any operation.

use std::collections::{BTreeMap, HashSet};

use contactpoint::access::Role;
use futures_util::future::join_all;

use crate::harness::{Index, Operation};

mod recipe;

#[actix_web::test]
async fn no_hostile_token_is_accepted_by_an_operation_of_any_permission() {
    let index = Index::start().await;
    let scene = index.scene().await;
    let target = index.own(&scene).await;
    let caller = scene.caller(Role::Operator);
    let good = index.token(caller);
    let bearer = format!("Bearer {good}");
    let corpus = recipe::corpus(&Index::verifier().issuer().keys, &good);
    let names: HashSet<_> = corpus.iter().map(|hostile| &hostile.name).collect();
    assert_eq!(names.len(), corpus.len(), "no two have one name");
    assert!(corpus.len() >= 150, "{}", corpus.len());

    let mut operations = BTreeMap::new();
    for operation in Operation::all() {
        if let Some(policy) = operation.policy() {
            operations.entry(policy.scope).or_insert(operation);
        }
    }
    let before = index.rows().await;
    for (scope, operation) in &operations {
        for some in corpus.chunks(24) {
            join_all(some.iter().map(async |hostile| {
                let authorization = format!("Bearer {}", hostile.token);
                let headers = [("Authorization", authorization.as_str())];
                let body = operation.example();
                let answer = index.ask(*operation, None, &target, body, &headers).await;
                assert_eq!(answer.status, 401, "{scope}: {}", hostile.name);
            }))
            .await;
        }
    }
    assert_eq!(index.rows().await, before, "nothing was stored");
    let headers = [("Authorization", bearer.as_str())];
    index.request(None, "GET", "/v1/organisations", (), &headers).await.expect(200);
}
