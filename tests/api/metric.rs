//! What the service measures is named in one place, and what watches it names nothing else.

use std::{collections::BTreeSet, fs};

use contactpoint::metric::{ALL, Metric, MetricKind};
use regex::Regex;
use serde_json::Value;

const RULES: &str = "deploy/prometheus/alerts.yml";
const DASHBOARD: &str = "deploy/grafana/contactpoint.json";

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap()
}

/// The expressions of the rules, each to the end of its block.
fn rules() -> Vec<String> {
    let text = read(RULES);
    let parts = text.split("        expr: ").skip(1);
    let end = Regex::new(r"\n {8}(?:for|labels):").unwrap();
    parts.map(|part| end.split(part).next().unwrap().to_owned()).collect()
}

fn panels() -> Vec<String> {
    let dashboard: Value = serde_json::from_str(&read(DASHBOARD)).unwrap();
    let panels = dashboard["panels"].as_array().unwrap().clone();
    let targets = panels.iter().flat_map(|panel| panel["targets"].as_array().unwrap().clone());
    targets.map(|target| target["expr"].as_str().unwrap().to_owned()).collect()
}

/// The series that Prometheus has of a metric.
fn series(metric: &Metric) -> Vec<String> {
    let suffixes: &[&str] = match metric.kind {
        MetricKind::Histogram => &["_bucket", "_count", "_sum"],
        MetricKind::Counter | MetricKind::Gauge => &[""],
    };
    suffixes.iter().map(|suffix| format!("{}{suffix}", metric.name)).collect()
}

fn named(expressions: &[String]) -> BTreeSet<String> {
    let name = Regex::new(r"\b(?:contactpoint|http_server)_[a-z_]+\b").unwrap();
    let found = expressions
        .iter()
        .flat_map(|text| name.find_iter(text).map(|found| found.as_str().to_owned()));
    found.collect()
}

#[test]
fn alert_rules_and_the_dashboard_name_only_what_is_measured() {
    let known: BTreeSet<_> = ALL.iter().flat_map(series).collect();
    let (rules, panels) = (rules(), panels());
    assert!(rules.len() > 10 && panels.len() > 10, "they are read");
    for expressions in [&rules, &panels] {
        let named = named(expressions);
        assert!(!named.is_empty());
        let lost: Vec<_> = named.difference(&known).collect();
        assert!(lost.is_empty(), "{lost:?}");
    }
}

#[test]
fn they_name_only_labels_that_there_are() {
    let label = Regex::new(r#"\b([a-z_]+)\s*(?:=~|!~|!=|=)\s*""#).unwrap();
    let by = Regex::new(r"\bby \(([a-z_, ]+)\)").unwrap();
    // What Prometheus adds itself.
    let mut known: BTreeSet<_> = ["le", "instance", "job"].into();
    known.extend(ALL.iter().flat_map(|metric| metric.labels));
    for text in rules().iter().chain(&panels()) {
        let matched = label.captures_iter(text).map(|found| found.get(1).unwrap().as_str());
        let grouped =
            by.captures_iter(text).flat_map(|found| found.get(1).unwrap().as_str().split(", "));
        for label in matched.chain(grouped) {
            assert!(known.contains(label), "{label} in {text}");
        }
    }
}

#[test]
fn whatever_is_measured_is_on_the_dashboard_and_in_the_docs() {
    let (panels, docs) = (named(&panels()), read("docs/running.md"));
    for metric in ALL {
        assert!(series(metric).iter().any(|series| panels.contains(series)), "{}", metric.name);
        assert!(docs.contains(&format!("`{}`", metric.name)), "{}", metric.name);
    }
}

#[test]
fn each_alert_says_in_the_docs_what_to_do() {
    let docs = read("docs/running.md");
    let name = Regex::new(r"- alert: (\w+)").unwrap();
    let text = read(RULES);
    let alerts: Vec<_> = name.captures_iter(&text).map(|found| found[1].to_owned()).collect();
    for alert in &alerts {
        assert!(docs.contains(&format!("\n### {alert}\n")), "{alert}");
        assert!(text.contains(&format!("docs/running.md#{}\n", alert.to_lowercase())), "{alert}");
    }
    assert_eq!(
        docs.matches("\n### ").count(),
        alerts.len(),
        "no alert is explained that there is none of"
    );
}

#[test]
fn no_label_tells_of_a_person_or_a_record() {
    let known = ["operation", "status", "limit", "worker", "pool", "state"];
    for metric in ALL {
        assert!(metric.labels.iter().all(|label| known.contains(label)), "{}", metric.name);
    }
}
