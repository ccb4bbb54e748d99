//! The edge of every request: its number, its deadline, the headers of its answer, and the writing down of refusals.

use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    time::{Duration, Instant},
};

use actix_web::{
    Error, HttpMessage, HttpRequest, HttpResponse, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{ResourceDef, ServiceRequest, ServiceResponse},
    http::{
        StatusCode,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
    middleware::Next,
    rt,
    web::Data,
};
use serde_json::{Value, json};
use tracing::Instrument;
use utoipa::openapi::OpenApi;
use uuid::Uuid;

use crate::{
    access::{Caller, Errand},
    audit::{Trail, refusal_details},
    describe::policy_of,
    http::Received,
    involvement::Flag,
    metric,
    problem::{Kind, Problem, harden},
    work::Db,
};

/// The operations by which a supervisor and a balancer ask how the service is.
const PROBES: [&str; 2] = ["is_live", "is_ready"];
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest address that is read (security rule H-1), in bytes.
const MAX_URI: usize = 2048;
/// The ticks on which it is answered that nothing is there.
const TICK: Duration = Duration::from_millis(5);
/// How long the work on a request may take once it is here whole (security rule D-4): a database that has gone silent never answers.
const DEADLINE: Duration = Duration::from_secs(5);
/// What takes as long as its body takes to arrive; the door sees to that.
const LONG: [&str; 1] = ["send_batch"];

/// What a request is named that asks for no operation.
const UNMATCHED: &str = "unmatched";

/// The operations by method and path template, as the API description has them.
#[derive(Debug)]
pub struct Operations {
    by_route: HashMap<String, String>,
    policies: HashMap<String, Value>,
    paths: Vec<(ResourceDef, String)>,
}

impl Operations {
    /// Those that `api` describes.
    #[must_use]
    pub fn of(api: &OpenApi) -> Self {
        let (mut by_route, mut policies) = (HashMap::new(), HashMap::new());
        let mut paths = Vec::new();
        for (path, item) in &api.paths.paths {
            let methods = [
                ("GET", &item.get),
                ("POST", &item.post),
                ("PUT", &item.put),
                ("PATCH", &item.patch),
                ("DELETE", &item.delete),
            ];
            let described: Vec<_> =
                methods.iter().filter_map(|(m, o)| Some((*m, o.as_ref()?))).collect();
            for (method, operation) in &described {
                let id = operation.operation_id.clone().unwrap_or_default();
                policies.extend(policy_of(operation).map(|policy| (id.clone(), json!(policy))));
                by_route.insert(format!("{method} {path}"), id);
            }
            let allowed =
                described.iter().map(|(method, _)| *method).collect::<Vec<_>>().join(", ");
            paths.push((ResourceDef::new(path.as_str()), allowed));
        }
        Self { by_route, policies, paths }
    }

    fn named(&'static self, request: &ServiceRequest) -> &'static str {
        let pattern = request.match_pattern().unwrap_or_default();
        let route = format!("{} {pattern}", request.method());
        self.by_route.get(&route).map_or(UNMATCHED, String::as_str)
    }

    /// The policy of an operation, told with its refusals: it is the same for every record, so it tells nothing of one.
    fn policy(&self, operation: &str, problem: &Problem) -> Option<&Value> {
        self.policies.get(operation).filter(|_| problem.kind().status() == 403)
    }

    /// The refusal of a method that the path does not have; judged before routing, since `/v1/children/search` is also an
    /// `/v1/children/{indexNumber}`.
    fn wrong_method(&self, path: &str) -> Option<Problem> {
        let (_, allowed) = self.paths.iter().find(|(described, _)| described.is_match(path))?;
        Some(Problem::from(Kind::MethodNotAllowed).allow(allowed.clone()))
    }

    /// The answer to a path or a method that no route serves.
    #[must_use]
    pub fn no_route(&self, request: &HttpRequest) -> Problem {
        self.wrong_method(request.path()).unwrap_or_else(|| Kind::NotFound.into())
    }
}

/// Turns a request away that would find no place, before anything is done for it: no route is sought, no line of the log is written.
pub async fn turn_away(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let takes_a_place = request.path().starts_with("/v1/") || request.path().starts_with("/oauth/");
    let db = request.app_data::<Data<Db>>().filter(|_| takes_a_place);
    let Some(more) = db.and_then(|db| db.refusal_of_more()) else {
        return next.call(request).await.map(ServiceResponse::map_into_boxed_body);
    };
    let id = request_id(request.headers());
    let mut response = request.into_response(more.error_response());
    sign(response.headers_mut(), false, id);
    Ok(response)
}

/// Wraps every request. The work behind it runs to its end even if the client goes away.
pub async fn edge(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let started = Instant::now();
    let _under_way = UnderWay::begin();
    let operations = request.app_data::<Data<&'static Operations>>().cloned();
    let operation = operations.as_ref().map_or(UNMATCHED, |operations| operations.named(&request));
    let wrong_method = operations
        .filter(|_| operation == UNMATCHED)
        .and_then(|operations| operations.wrong_method(request.path()));
    let id = request_id(request.headers());
    let db = request.app_data::<Data<Db>>().cloned();
    let errand = errand(&request, id, operation);
    request.extensions_mut().insert(errand);
    let docs = request.path().starts_with("/docs");

    let mut response = if request.uri().to_string().len() > MAX_URI {
        request.into_response(Problem::from(Kind::UriTooLong).error_response())
    } else if let Some(problem) = wrong_method {
        request.into_response(problem.error_response())
    } else {
        let received = Received::begin(&request);
        let work = rt::spawn(next.call(request).in_current_span());
        let stop = work.abort_handle();
        let answer = async {
            match work.await {
                Ok(Ok(response)) => Ok(refusal(response.map_into_boxed_body()).await),
                Ok(Err(error)) => Err(error),
                Err(panic) => {
                    metrics::counter!(metric::PANICS).increment(1);
                    tracing::error!(operation, panicked = panic.is_panic(), "a request failed");
                    Err(unanswered(Kind::Internal, operation, id, started))
                }
            }
        };
        tokio::select! {
            answer = answer => answer?,
            () = overdue(operation, &received) => {
                stop.abort();
                if let Some(db) = db {
                    db.doubt();
                }
                return Err(unanswered(Kind::Unavailable, operation, id, started));
            }
        }
    };
    let status = response.status().as_u16();
    sign(response.headers_mut(), docs, id);
    if status == Kind::NotFound.status() && operation != UNMATCHED {
        next_tick(started).await;
    }
    answered(operation, status, id, started.elapsed());
    Ok(response)
}

fn sign(headers: &mut HeaderMap, docs: bool, id: Uuid) {
    harden(headers, docs);
    if let Ok(value) = HeaderValue::from_str(&id.to_string()) {
        headers.insert(REQUEST_ID, value);
    }
}

/// Waits until a request that is here whole has been worked on, or its refusal written down, for as long as may be; without end for what
/// takes as long as its body.
async fn overdue(operation: &str, received: &Received) {
    if LONG.contains(&operation) {
        return std::future::pending().await;
    }
    received.awaited().await;
    tokio::time::sleep(DEADLINE).await;
}

/// Waits for the next tick since the request began, so that what may not be seen and what is not there take as long
/// (security rule Z-5): what is hidden costs some microseconds of reading more.
async fn next_tick(started: Instant) {
    let ticks = started.elapsed().div_duration_f64(TICK).ceil().max(1.0);
    tokio::time::sleep_until((started + TICK.mul_f64(ticks)).into()).await;
}

fn request_id(headers: &HeaderMap) -> Uuid {
    let given = headers.get("x-request-id").and_then(|value| value.to_str().ok());
    given.and_then(|value| value.parse().ok()).unwrap_or_else(Uuid::new_v4)
}

fn errand(request: &ServiceRequest, id: Uuid, operation: &'static str) -> Errand {
    let agent = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    Errand {
        request: id,
        operation,
        address: address(request),
        user_agent: agent.map(|agent| agent.chars().take(200).collect()),
        reason: None,
        reference: None,
        on_behalf_of: None,
    }
}

/// The caller's address: the peer's, or what a proxy that we trust says last (security rule H-5).
fn address(request: &ServiceRequest) -> Option<IpAddr> {
    let peer = request.peer_addr()?.ip();
    let trusted =
        request.app_data::<Data<TrustedProxies>>().is_some_and(|proxies| proxies.0.contains(&peer));
    let forwarded = request.headers().get_all("x-forwarded-for").last().filter(|_| trusted);
    let last =
        forwarded.and_then(|value| value.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
    last.or(Some(peer))
}

/// Proxies whose word is taken on whom they speak for.
#[derive(Debug, Clone, Default)]
pub struct TrustedProxies(pub Vec<IpAddr>);

/// Writes a refusal down before it is answered.
async fn refusal(response: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    let Some(problem) = response.response().error().and_then(|error| error.as_error::<Problem>())
    else {
        return response;
    };
    let moved = moved(problem, response.request()).await;
    let problem = moved.as_ref().unwrap_or(problem);
    tell(problem, response.request());
    let explained = match &moved {
        Some(moved) => Some(moved.error_response()),
        None => explained(problem, response.request()),
    };
    let audited = audited(response.request()).filter(|_| !problem.is_recorded());
    if let Some((db, caller, errand)) = audited {
        let path: Vec<_> = response.request().match_info().iter().map(named).collect();
        let details = refusal_details(problem, &path);
        let trail = match details {
            Some(details) if !path.is_empty() => Trail::default().with_sealed(details),
            details => Trail { details, ..Trail::default() },
        };
        if let Err(instead) = db.record_refusal(caller, errand, problem, trail).await {
            tell(&instead, response.request());
            return response.into_response(instead.error_response());
        }
    }
    match explained {
        Some(explained) => response.into_response(explained),
        None => response,
    }
}

/// Where a record that is not there was merged into one that the caller sees, that this is so; asked whatever is not there, so that
/// what is hidden and what never was are the same.
async fn moved(problem: &Problem, request: &HttpRequest) -> Option<Problem> {
    const RECORDS: &str = "/v1/children/";
    let number = request.match_info().get("indexNumber")?;
    if problem.kind() != Kind::NotFound || !request.match_pattern()?.starts_with(RECORDS) {
        return None;
    }
    let caller = request.extensions().get::<Caller>().cloned()?;
    let db = request.app_data::<Data<Db>>()?.clone();
    let survivor = match db.survivor(&caller, number).await {
        Ok(survivor) => survivor?,
        Err(problem) => return Some(problem),
    };
    let rest = request.path().strip_prefix(RECORDS)?.strip_prefix(number)?;
    let query = Some(request.query_string()).filter(|query| !query.is_empty());
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    Some(Problem::from(Kind::RecordMerged).at(format!("{RECORDS}{survivor}{rest}{query}")))
}

/// The same answer with the policy that refused, where one did.
fn explained(problem: &Problem, request: &HttpRequest) -> Option<HttpResponse> {
    let operations = request.app_data::<Data<&'static Operations>>()?;
    let operation = request.extensions().get::<Errand>()?.operation;
    Some(problem.told(Some(operations.policy(operation, problem)?)))
}

/// A part of the path as it is written down: a number or a code as it stands; of anything else, which might be a name, nothing.
fn named((name, value): (&str, &str)) -> (String, String) {
    let number = value.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-');
    let known = number || Flag::parse(value).is_ok();
    (name.to_owned(), if known { value } else { "…" }.to_owned())
}

/// Refusals of operations are written down; an address that is none, or a health check, is not an operation on the index.
fn audited(request: &HttpRequest) -> Option<(Data<Db>, Option<Caller>, Errand)> {
    let errand = request.extensions().get::<Errand>().cloned()?;
    let pattern = request.match_pattern()?;
    if errand.operation == UNMATCHED
        || !(pattern.starts_with("/v1/") || pattern.starts_with("/oauth/"))
    {
        return None;
    }
    let caller = request.extensions().get::<Caller>().cloned();
    Some((request.app_data::<Data<Db>>()?.clone(), caller, errand))
}

/// Our own failures are logged once, here, and told as nothing.
fn tell(problem: &Problem, request: &HttpRequest) {
    if let Some(cause) = problem.cause() {
        let errand = request.extensions().get::<Errand>().cloned();
        tracing::error!(
            operation = errand.as_ref().map(|errand| errand.operation),
            request_id = errand.map(|errand| errand.request.to_string()),
            problem = problem.kind().slug(),
            cause,
            "a request failed"
        );
    }
}

/// What is told where the work on a request came to no answer: the request went with it, and is known by its number alone.
#[derive(Debug)]
struct Unanswered(Problem, Uuid);

impl fmt::Display for Unanswered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl ResponseError for Unanswered {
    fn status_code(&self) -> StatusCode {
        self.0.status_code()
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = self.0.error_response();
        if let Ok(value) = HeaderValue::from_str(&self.1.to_string()) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        response
    }
}

fn unanswered(kind: Kind, operation: &'static str, id: Uuid, started: Instant) -> Error {
    answered(operation, kind.status(), id, started.elapsed());
    Unanswered(kind.into(), id).into()
}

/// A request that has no answer yet, for the metric that counts them.
struct UnderWay;

impl UnderWay {
    fn begin() -> Self {
        metrics::gauge!(metric::REQUESTS_UNDER_WAY).increment(1.0);
        Self
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        metrics::gauge!(metric::REQUESTS_UNDER_WAY).decrement(1.0);
    }
}

/// Counts an answer, and writes its line of the log: at `debug` where a probe was told that all is well, as it is several times a second.
fn answered(operation: &'static str, status: u16, id: Uuid, took: Duration) {
    let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
    let milliseconds = f64::from(micros) / 1000.0;
    if status == 200 && PROBES.contains(&operation) {
        tracing::debug!(operation, status, request_id = %id, milliseconds, "answered");
    } else {
        tracing::info!(operation, status, request_id = %id, milliseconds, "answered");
    }
    let labels = [("operation", operation.to_owned()), ("status", status.to_string())];
    metrics::histogram!(metric::REQUEST_DURATION, &labels).record(took.as_secs_f64());
}

/// The answer where no route serves.
pub async fn no_route(request: HttpRequest) -> Result<HttpResponse, Problem> {
    match request.app_data::<Data<&'static Operations>>() {
        Some(operations) => Err(operations.no_route(&request)),
        None => Err(Kind::NotFound.into()),
    }
}

/// The answer to any other method than GET of a page that is no operation.
pub async fn only_get() -> Result<HttpResponse, Problem> {
    Err(Problem::from(Kind::MethodNotAllowed).allow("GET".to_owned()))
}
