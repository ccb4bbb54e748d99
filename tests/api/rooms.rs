//! Every file has a level and imports only from the levels below it; SQL, HTTP and the time stay in their places.

use std::{collections::BTreeMap, fs, path::Path};

/// The files of the crate from the ground up, `child` for `src/child/mod.rs`; `*` stands for any name, and a
/// file's own name comes before a star.
const LEVELS: &[&[&str]] = &[
    &[
        "array",
        "word",
        "object",
        "digest",
        "metric",
        "told",
        "clock",
        "working_day",
        "keys",
        "keys::*",
        "postgres",
        "postgres::*",
    ],
    &[
        "code",
        "contact",
        "ids",
        "jose",
        "jose::*",
        "problem",
        "problem::*",
        "token",
        "token::*",
        "session::user_name",
        "information_request::clock",
    ],
    &["dpop", "limit", "seal"],
    &["credentials", "access::policy"],
    &["access::caller", "access::scope"],
    &[
        "access",
        "cursor",
        "catalogue",
        "remote",
        "remote::*",
        "session::secret",
        "session::totp",
        "session::renewal",
        "listener",
        "listener::*",
    ],
    &["budget", "budget::limits"],
    &["http", "http::*", "span", "describe", "describe::*", "examples"],
    &["child::address", "child::birth", "child::identifier", "child::provenance"],
    &["child::name", "child::whereabouts"],
    &["carer", "consent", "organisation", "organisation::codes"],
    &["involvement", "guard"],
    &["child"],
    &["retention"],
    &[
        "record",
        "matching",
        "matching::asked",
        "matching::candidate",
        "matching::candidates",
        "matching::criteria",
        "matching::fuzzy",
        "matching::matcher",
        "learning",
        "learning::labelled",
        "learning::plot",
        "learning::replay",
        "matching::system",
        "stop",
        "session",
        "external",
        "external::claims",
        "external::issuers",
        "throttle",
        "audit",
        "audit::search",
        "audit::trail",
        "load",
        "load::lines",
        "feed",
        "feed::batch",
        "feed::row",
        "notice",
        "reseal",
        "transfer",
        "merge",
        "hold",
        "purge",
        "shield",
        "override_grant",
        "change",
        "subject",
        "identity",
        "detector",
        "detector::chance",
        "detector::others",
        "detector::person",
        "detector::seen",
        "detector::watch",
    ],
    &[
        "account",
        "alert",
        "account::enrolment",
        "archive",
        "contact_request",
        "duplicate",
        "review",
        "reconciliation",
        "feed::import",
        "feed::import::bounded",
        "feed::import::csv",
        "feed::import::ctf",
        "feed::import::draft",
        "feed::import::ndjson",
        "feed::import::pupil",
        "sensitive",
        "information_request",
        "information_request::found",
        "withholding",
        "subscription",
        "subscription::event",
        "subscription::signature",
    ],
    &["investigation"],
    &["report", "my", "my::words"],
    &["usage"],
    &[
        "policy",
        "client",
        "client::method",
        "client::scope",
        "client::assertion",
        "client::presented",
    ],
    &["oauth", "oauth::exchange"],
    &["access_request"],
    &["audit::leaf", "audit::roots", "audit::export"],
    &["audit::ledger"],
    &["scribe"],
    &["work", "work::*"],
    &["feed::batch::reader"],
    &[
        "database",
        "edge",
        "health",
        "bounds",
        "matching::entry",
        "matching::retrieve",
        "*::store",
        "child::store::*",
        "feed::batch::store",
        "audit::roots::store",
    ],
    &["audit::export::store", "audit::roots::witness"],
    &["client::admission", "guard::store", "detector::state"],
    &["involvement::discreet"],
    &[
        "feed::worker",
        "feed::worker::held",
        "feed::worker::queue",
        "feed::worker::round",
        "feed::worker::rule",
        "feed::worker::apply",
        "feed::worker::decide",
        "feed::worker::store",
        "feed::worker::unlink",
    ],
    &["feed::batch::intake", "feed::batch::task"],
    &["feed::batch::routes"],
    &["audit::roots::task", "audit::export::task", "audit::roots::routes"],
    &["demo", "demo::*", "*::routes", "*::task", "learning::trial", "merge::act"],
    &["demo::protection", "generate", "generate::copy"],
    &["generate::directory"],
    &["generate::services", "generate::identifiers"],
    &["generate::child"],
    &["generate::store", "generate::task"],
    &["app"],
    &["server", "server::*"],
    &["command", "command::*"],
    &["lib", "main"],
];

/// Where HTTP is spoken.
const EDGE: [&str; 23] = [
    "access",
    "app",
    "catalogue",
    "command",
    "command::*",
    "credentials",
    "edge",
    "health",
    "http",
    "http::*",
    "listener",
    "listener::*",
    "main",
    "problem",
    "problem::*",
    "server",
    "server::*",
    "span",
    "work",
    "work::*",
    "*::routes",
    "feed::batch::routes",
    "audit::roots::routes",
];

/// Where SQL stands.
const SQL: [&str; 16] = [
    "audit::export::store",
    "audit::ledger",
    "audit::roots::store",
    "database",
    "detector::state",
    "scribe",
    "work",
    "work::*",
    "feed::worker::held",
    "feed::worker::queue",
    "feed::worker::store",
    "matching::entry",
    "matching::retrieve",
    "*::store",
    "child::store::*",
    "feed::batch::store",
];

#[test]
fn every_file_has_a_level() {
    let lost: Vec<_> = files().into_keys().filter(|file| level(file).is_none()).collect();
    assert!(lost.is_empty(), "{lost:#?}");
}

#[test]
fn imports_go_down() {
    let files = files();
    let mut upward = Vec::new();
    for (file, source) in &files {
        for import in imports(file, source, &files) {
            let own_words = room(&import) == room(file) && level(&import) == level(file);
            if !own_words && level(&import) >= level(file) {
                upward.push(format!("{file} imports {import}"));
            }
        }
    }
    assert!(upward.is_empty(), "{upward:#?}");
}

#[test]
fn sql_stands_only_in_stores() {
    refuse("has SQL", &["sqlx::query", "sqlx::raw_sql"], |file| !any(&SQL, file));
}

#[test]
fn http_is_spoken_only_at_the_edge() {
    refuse("speaks HTTP", &["actix_web", "actix_http"], |file| !any(&EDGE, file));
}

#[test]
fn a_handler_that_admits_a_caller_answers_only_by_recording() {
    let admits: Vec<_> = files()
        .into_iter()
        .filter(|(_, source)| source.contains("Access<"))
        .map(|(file, _)| file)
        .collect();
    refuse("answers without recording", &["HttpResponse"], |file| {
        file.ends_with("::routes") && admits.iter().any(|admitting| admitting == file)
    });
}

#[test]
fn only_the_clock_tells_the_time() {
    refuse("tells the time", &["Utc::now", "Local::now", "SystemTime::now"], |file| {
        file != "clock"
    });
}

#[test]
fn what_is_measured_is_named_in_one_place() {
    let marks = ["counter!(\"", "gauge!(\"", "histogram!(\""];
    refuse("names a metric itself", &marks, |_| true);
}

#[test]
fn nothing_is_written_outside_a_unit_of_work() {
    refuse(
        "writes past its work",
        &[".execute(&pool)", ".execute(&self.pool)", ".execute(look.db())"],
        |_| true,
    );
}

#[test]
fn each_task_has_a_lock_of_its_own() {
    let mut taken = BTreeMap::new();
    for (file, source) in files() {
        for (at, _) in source.match_indices("pg_try_advisory_") {
            let lock = source[at..].split(['(', ')']).nth(1).unwrap().to_owned();
            let other = taken.insert(lock.clone(), file.clone()).unwrap_or(file.clone());
            assert_eq!(other, file, "while one is at work the other would be kept from it: {lock}");
        }
    }
    assert!(taken.contains_key("7261044") && taken.len() > 4, "{taken:?}");
}

/// Fails where a file of these has one of these in it.
fn refuse(fault: &str, marks: &[&str], of: impl Fn(&str) -> bool) {
    let mut found = files();
    found.retain(|file, source| of(file) && marks.iter().any(|mark| source.contains(mark)));
    let files: Vec<_> = found.into_keys().map(|file| format!("{file} {fault}")).collect();
    assert!(files.is_empty(), "{files:#?}");
}

/// The crate's files by name, without their tests.
fn files() -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    gather(Path::new("src"), "", &mut found);
    found
}

fn gather(folder: &Path, room: &str, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = format!("{room}{}", path.file_stem().unwrap().display());
        if path.is_dir() {
            gather(&path, &format!("{name}::"), found);
        } else if path.extension().is_some_and(|extension| extension == "rs")
            && !name.contains("tests")
        {
            let source = fs::read_to_string(&path).unwrap();
            let code = source.split("#[cfg(test)]").next().unwrap_or_default().to_owned();
            found.insert(name.trim_end_matches("::mod").to_owned(), code);
        }
    }
}

/// The files that a file takes something from.
fn imports(file: &str, source: &str, files: &BTreeMap<String, String>) -> Vec<String> {
    let mut paths = Vec::new();
    for (mark, root) in [("crate::", ""), ("super::", parent(file))] {
        for (at, _) in source.match_indices(mark) {
            let begins = source[..at]
                .chars()
                .next_back()
                .is_none_or(|before| !before.is_alphanumeric() && !"_:$".contains(before));
            if begins {
                expand(root, &source[at + mark.len()..], &mut paths);
            }
        }
    }
    // A room imported by its name is used by its store: `child::store::find`.
    for room in files.keys().filter(|name| !name.contains("::")) {
        for part in ["store", "routes"] {
            if source.contains(&format!(" {room}::{part}::")) {
                paths.push(format!("{room}::{part}"));
            }
        }
    }
    let mut found: Vec<_> = paths.iter().filter_map(|path| module(path, files)).collect();
    found.sort();
    found.dedup();
    found.retain(|import| import != file);
    found
}

/// The paths of a tree such as `a::{b, c::{d, e}}` under `root`.
fn expand(root: &str, tree: &str, found: &mut Vec<String>) -> usize {
    let word = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let length = tree.find(|c| !word(c)).unwrap_or(tree.len());
    let head = join(root, tree[..length].trim_matches(':'));
    if !tree[length..].starts_with('{')
        || !tree[..length].is_empty() && !tree[..length].ends_with("::")
    {
        found.push(head);
        return length;
    }
    let mut at = length + 1;
    while !tree[at..].starts_with('}') {
        match tree[at..].chars().next() {
            Some(letter) if word(letter) => at += expand(&head, &tree[at..], found),
            Some(letter) => at += letter.len_utf8(),
            None => return at,
        }
    }
    at + 1
}

fn join(root: &str, path: &str) -> String {
    if root.is_empty() || path.is_empty() {
        format!("{root}{path}")
    } else {
        format!("{root}::{path}")
    }
}

/// The file that a path leads into, the innermost one.
fn module(path: &str, files: &BTreeMap<String, String>) -> Option<String> {
    let mut path = path;
    loop {
        if files.contains_key(path) {
            return Some(path.to_owned());
        }
        path = path.rsplit_once("::")?.0;
    }
}

/// What `super` is in a file.
fn parent(file: &str) -> &str {
    file.rsplit_once("::").map_or("", |(room, _)| room)
}

fn room(file: &str) -> &str {
    file.split("::").next().unwrap_or(file)
}

/// How far above the ground a file stands.
fn level(file: &str) -> Option<usize> {
    let exact = LEVELS.iter().position(|names| names.contains(&file));
    exact.or_else(|| LEVELS.iter().position(|names| any(names, file)))
}

fn any(names: &[&str], file: &str) -> bool {
    names.iter().any(|name| match (name.split_once("::"), name.strip_suffix('*')) {
        (Some(("*", part)), _) => file.split_once("::").is_some_and(|(_, own)| own == part),
        (_, Some(room)) => file.starts_with(room),
        _ => *name == file,
    })
}

#[test]
fn a_tree_of_imports_is_read_whole() {
    let mut found = Vec::new();
    expand("", "{a, b::{self, C, d::{E, F}}, g}; rest", &mut found);
    assert_eq!(found, ["a", "b::self", "b::C", "b::d::E", "b::d::F", "g"]);
    found.clear();
    expand("", "a::b(c)", &mut found);
    assert_eq!(found, ["a::b"]);
}
