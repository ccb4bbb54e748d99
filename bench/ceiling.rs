//! The ceiling that `bench/run look` measures against: plain actix-web and sqlx, the same rows, no token, no audit,
//! and the JSON of the database handed through.
//!
//! `ceiling SOCKET_FOLDER DATABASE ADDRESS`

use std::time::Duration;

use actix_web::{App, HttpResponse, HttpServer, web};
use serde::Deserialize;
use sqlx::{
    ConnectOptions, PgPool,
    postgres::{PgConnectOptions, PgPoolOptions},
};

const OPEN: &str = include_str!("open.sql");
const PLAIN: &str = "insert into plain_event (event_id, at, operation, outcome, status, account_id, organisation_id, session_id, token_id, role, \
    reason, children, request_id, address, user_agent, instance, serial, settled, voids, leaf, mac, epoch, tx) \
    values (gen_random_uuid(), now(), 'open_child', 'answered', 200, gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), \
    gen_random_uuid(), 'practitioner', 'direct-service', array[gen_random_uuid()], gen_random_uuid(), '127.0.0.1', 'wrk', \
    gen_random_uuid(), 1, 1, '{}', '\\x0000000000000000000000000000000000000000000000000000000000000000', \
    '\\x0000000000000000000000000000000000000000000000000000000000000000', 1, pg_current_xact_id())";
const SEARCH: &str = include_str!("search.sql");

#[derive(Deserialize)]
struct Search {
    name: Name,
    #[serde(rename = "dateOfBirth")]
    date_of_birth: chrono::NaiveDate,
}

#[derive(Deserialize)]
struct Name {
    given: Vec<String>,
    family: String,
}

async fn open(pool: web::Data<PgPool>, number: web::Path<String>) -> HttpResponse {
    answer(sqlx::query_scalar(OPEN).bind(number.into_inner()).fetch_optional(pool.get_ref()).await)
}

async fn search(pool: web::Data<PgPool>, body: web::Json<Search>) -> HttpResponse {
    let Search { name, date_of_birth } = body.into_inner();
    let fold = |text: &str| text.to_lowercase().replace(|c: char| !c.is_ascii_alphabetic(), "");
    let given: Vec<_> = name.given.iter().map(|part| fold(part)).collect();
    let found = sqlx::query_scalar(SEARCH)
        .bind(fold(&name.family))
        .bind(date_of_birth)
        .bind(given)
        .fetch_optional(pool.get_ref());
    answer(found.await)
}

/// The same read with one plain insert of the columns of an event.
async fn plain(pool: web::Data<PgPool>, number: web::Path<String>) -> HttpResponse {
    let found = sqlx::query_scalar(OPEN).bind(number.into_inner()).fetch_optional(pool.get_ref());
    let found = found.await;
    let written = sqlx::query(PLAIN).execute(pool.get_ref()).await;
    answer(written.and(found))
}

fn answer(found: Result<Option<String>, sqlx::Error>) -> HttpResponse {
    match found {
        Ok(Some(json)) => HttpResponse::Ok().content_type("application/json").body(json),
        Ok(None) => HttpResponse::NotFound().finish(),
        Err(_) => HttpResponse::InternalServerError().finish(),
    }
}

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(socket), Some(database), Some(address)) =
        (arguments.next(), arguments.next(), arguments.next())
    else {
        return Err(std::io::Error::other("usage: ceiling SOCKET_FOLDER DATABASE ADDRESS"));
    };
    let options = PgConnectOptions::new_without_pgpass()
        .socket(socket)
        .username("contactpoint_app")
        .database(&database)
        .options([("plan_cache_mode", "force_generic_plan"), ("random_page_cost", "1.1")])
        .disable_statement_logging();
    HttpServer::new(move || {
        let pool = PgPoolOptions::new()
            .max_connections(4)
            .test_before_acquire(false)
            .acquire_timeout(Duration::from_secs(5))
            .connect_lazy_with(options.clone());
        App::new()
            .app_data(web::Data::new(pool))
            .route("/open/{number}", web::get().to(open))
            .route("/plain/{number}", web::get().to(plain))
            .route("/search", web::post().to(search))
    })
    .bind(address)?
    .run()
    .await
}
