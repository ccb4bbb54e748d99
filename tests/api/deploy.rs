//! What stands in `deploy/`, `compose.yaml` and `Dockerfile` names only what the program knows, and holds no secret.

use std::{collections::BTreeSet, fs, net::Ipv4Addr, path::PathBuf, process::Command};

use regex::Regex;

fn files() -> Vec<(PathBuf, String)> {
    let mut files: Vec<PathBuf> = ["compose.yaml", "Dockerfile"].map(PathBuf::from).into();
    let mut folders = vec![PathBuf::from("deploy")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.into_iter().map(|file| (file.clone(), fs::read_to_string(file).unwrap())).collect()
}

/// Every variable that some command of the program reads.
fn variables() -> BTreeSet<String> {
    let read = Regex::new(r"\[env:\s+([A-Z_]+)").unwrap();
    let commands = [&["serve"][..], &["migrate"], &["load"], &["generate"], &["retention", "run"]];
    let helps = commands.map(|command| {
        let help =
            Command::new(env!("CARGO_BIN_EXE_contactpoint")).args(command).arg("--help").output();
        String::from_utf8(help.unwrap().stdout).unwrap()
    });
    helps
        .iter()
        .flat_map(|help| read.captures_iter(help))
        .map(|found| found[1].to_owned())
        .collect()
}

#[test]
fn only_variables_that_the_program_reads_are_set() {
    let known = variables();
    assert!(known.contains("DATABASE_URL") && known.contains("CONTACTPOINT_KEYS"), "{known:?}");
    let named = Regex::new(r"\b(CONTACTPOINT_[A-Z_]+|DATABASE_[A-Z_]+)\b").unwrap();
    for (file, text) in files() {
        for name in named.find_iter(&text) {
            assert!(known.contains(name.as_str()), "{} in {}", name.as_str(), file.display());
        }
    }
}

#[test]
fn probes_ask_what_is_answered() {
    let asked = Regex::new(r"/health/[a-z]+").unwrap();
    let document: serde_json::Value = serde_json::from_str(&contactpoint::app::document()).unwrap();
    for (file, text) in files() {
        for path in asked.find_iter(&text) {
            let known = document["paths"][path.as_str()].is_object();
            assert!(known, "{} in {}", path.as_str(), file.display());
        }
    }
}

#[test]
fn containers_may_do_nothing_but_serve() {
    for file in ["deploy/kubernetes/contactpoint.yaml", "deploy/kubernetes/migrate.yaml"] {
        let text = fs::read_to_string(file).unwrap();
        let containers = text.matches("image: contactpoint").count();
        for rule in [
            "readOnlyRootFilesystem: true",
            "allowPrivilegeEscalation: false",
            "capabilities: { drop: [ALL] }",
        ] {
            assert_eq!(text.matches(rule).count(), containers, "{rule} in {file}");
        }
        assert!(text.contains("runAsNonRoot: true"), "{file}");
        assert!(!text.contains("kind: Secret"), "{file} holds a secret");
    }
    let compose = fs::read_to_string("compose.yaml").unwrap();
    assert!(compose.contains("cap_drop: [ALL]") && compose.contains("read_only: true"));
    assert!(fs::read_to_string("Dockerfile").unwrap().contains("USER 10001:10001"));
}

#[test]
fn the_balancer_has_an_address_that_no_instance_is_given_before() {
    let compose = fs::read_to_string("compose.yaml").unwrap();
    let told = |mark: &str| {
        let (_, rest) = compose.split_once(mark).unwrap();
        rest.split(|c: char| !c.is_ascii_digit() && c != '.' && c != '/').next().unwrap().to_owned()
    };
    let address = |text: &str| text.parse::<Ipv4Addr>().unwrap().to_bits();
    let holds = |network: &str, at: u32| {
        let (first, bits) = network.split_once('/').unwrap();
        (at ^ address(first)) >> (32 - bits.parse::<u32>().unwrap()) == 0
    };
    let (subnet, given, balancer) = (told("subnet: "), told("ip_range: "), told("ipv4_address: "));
    assert!(holds(&subnet, address(&balancer)) && !holds(&given, address(&balancer)));
    assert!(holds(&subnet, address(given.split('/').next().unwrap())));
    assert!(compose.contains(&format!("CONTACTPOINT_TRUSTED_PROXIES: {balancer}\n")));
}

/// The folders and files at the top that the build reads: what `Cargo.toml` names, and what is taken into the program.
fn read_by_the_build() -> BTreeSet<String> {
    let (mut read, mut folders) = (BTreeSet::new(), vec![PathBuf::from("src"), "crates".into()]);
    let manifest = fs::read_to_string("Cargo.toml").unwrap();
    let (_, members) = manifest.split_once("members = [").unwrap();
    let (members, _) = members.split_once(']').unwrap();
    let folder = Regex::new(r#""([a-z-]+)"#).unwrap();
    read.extend(folder.captures_iter(members).map(|found| found[1].to_owned()));
    let path = Regex::new(r#"path = "([a-z-]+)/"#).unwrap();
    read.extend(path.captures_iter(&manifest).map(|found| found[1].to_owned()));
    let taken = Regex::new(r#"include_str!\((?:concat!\()?"(?:\.\./)+([a-z-]+)/"#).unwrap();
    while let Some(folder) = folders.pop() {
        for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|kind| kind == "rs") {
                let text = fs::read_to_string(path).unwrap();
                read.extend(taken.captures_iter(&text).map(|found| found[1].to_owned()));
            }
        }
    }
    // Tests alone take these in.
    read.retain(|folder| !["tests", "docs"].contains(&folder.as_str()));
    read
}

#[test]
fn the_image_is_built_of_all_that_the_build_reads() {
    let ignored = fs::read_to_string(".dockerignore").unwrap();
    let sent: BTreeSet<_> = ignored.lines().filter_map(|line| line.strip_prefix('!')).collect();
    let read = read_by_the_build();
    assert!(
        ["api-spec", "bench", "crates", "data", "fuzz"].iter().all(|known| read.contains(*known))
    );
    for folder in read.iter().map(String::as_str).chain([".sqlx", "Cargo.lock", "migrations"]) {
        assert!(sent.contains(folder), "{folder}");
    }
}

#[test]
fn an_instance_has_time_to_leave() {
    let seconds = |file: &str, of: &str, mark: &str| -> u32 {
        let text = fs::read_to_string(file).unwrap();
        let (_, rest) = text.split_once(of).and_then(|(_, rest)| rest.split_once(mark)).unwrap();
        rest.trim_start()
            .chars()
            .take_while(char::is_ascii_digit)
            .collect::<String>()
            .parse()
            .unwrap()
    };
    // 5 s of notice, 25 s for what is under way.
    assert!(seconds("compose.yaml", "\n  one:", "stop_grace_period:") > 30);
    assert!(
        seconds(
            "deploy/kubernetes/contactpoint.yaml",
            "kind: Deployment",
            "terminationGracePeriodSeconds:"
        ) > 30
    );
}
