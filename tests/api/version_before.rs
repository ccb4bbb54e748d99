//! While instances are replaced one by one, the version before goes on with the database of this one.

use std::fs;

use sqlx::{AssertSqlSafe, Executor, SqlSafeStr};

use crate::harness::Index;

/// Made by `scripts/release` from `.sqlx` of the version that is in use.
const STATEMENTS: &str = "tests/data/statements-of-the-version-before.json";

#[actix_web::test]
async fn every_statement_of_the_version_before_is_understood_still() {
    let statements: Vec<String> =
        serde_json::from_str(&fs::read_to_string(STATEMENTS).unwrap()).unwrap();
    assert!(statements.len() > 500, "{}", statements.len());
    let index = Index::start().await;
    let mut db = index.db.acquire().await.unwrap();
    let mut lost = Vec::new();
    for statement in statements {
        if let Err(error) = db.prepare(AssertSqlSafe(statement.clone()).into_sql_str()).await {
            lost.push(format!("{error}: {statement}"));
        }
    }
    assert!(lost.is_empty(), "{lost:#?}");
}
