//! A row that is put together from the fields of another form, so that it is read as JSON is.

use chrono::NaiveDate;
use serde_json::{Map, Value};

use super::ndjson;
use crate::{feed::row::FeedRow, load::fault, problem::Fault};

/// A row in the making. What is wrong with one of its members is told of the field that it came from.
#[derive(Default)]
pub(super) struct Draft {
    document: Value,
    origins: Vec<(String, String)>,
    faults: Vec<Fault>,
}

impl Draft {
    /// Puts a value where `pointer` says; it came from the field `at`.
    pub(super) fn put(&mut self, pointer: &str, at: &str, value: impl Into<Value>) {
        self.came_from(pointer, at);
        let steps: Vec<_> = pointer.split('/').skip(1).collect();
        place(&mut self.document, &steps, value.into());
    }

    /// Were something put where `pointer` says, it would come from the field `at`.
    pub(super) fn came_from(&mut self, pointer: &str, at: &str) {
        self.origins.push((pointer.to_owned(), at.to_owned()));
    }

    /// Puts a text where `pointer` says; an empty one is not said.
    pub(super) fn put_text(&mut self, pointer: &str, at: &str, text: &str) {
        if text.is_empty() {
            self.came_from(pointer, at);
        } else {
            self.put(pointer, at, text);
        }
    }

    /// Puts given names that stand in one text with spaces between them.
    pub(super) fn put_given(&mut self, pointer: &str, at: &str, text: &str) {
        let mut parts: Vec<_> = text.split(' ').filter(|part| !part.is_empty()).collect();
        let rest = if parts.len() > 5 { parts.split_off(4).join(" ") } else { String::new() };
        parts.extend((!rest.is_empty()).then_some(rest.as_str()));
        if parts.is_empty() {
            self.came_from(pointer, at);
        } else {
            self.put(pointer, at, parts);
        }
    }

    /// The field `at` is wrong for a reason that its form alone has.
    pub(super) fn refuse(&mut self, at: &str, detail: &str) {
        self.faults.push(fault(at, detail));
    }

    /// The row, read as JSON is.
    pub(super) fn row(self, today: NaiveDate) -> Result<FeedRow, Vec<Fault>> {
        if !self.faults.is_empty() {
            return Err(self.faults);
        }
        let text = self.document.to_string();
        let told = |Fault { pointer, detail }| Fault { pointer: self.origin(&pointer), detail };
        ndjson::read(text.as_bytes(), today)
            .map_err(|faults| faults.into_iter().map(told).collect())
    }

    /// The field from which the member at `pointer` came, or what it is part of.
    fn origin(&self, pointer: &str) -> String {
        let holds = |(member, _): &&(String, String)| {
            pointer
                .strip_prefix(member)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let nearest = self.origins.iter().filter(holds).max_by_key(|(member, _)| member.len());
        nearest.map_or_else(|| pointer.to_owned(), |(_, at)| at.clone())
    }
}

fn place(document: &mut Value, steps: &[&str], value: Value) {
    let [step, rest @ ..] = steps else {
        *document = value;
        return;
    };
    if let Ok(n) = step.parse::<usize>() {
        if !document.is_array() {
            *document = Value::Array(Vec::new());
        }
        let Value::Array(items) = document else { return };
        if items.len() <= n {
            items.resize(n + 1, Value::Null);
        }
        place(&mut items[n], rest, value);
    } else {
        if !document.is_object() {
            *document = Value::Object(Map::new());
        }
        let Value::Object(members) = document else { return };
        place(members.entry(*step).or_insert(Value::Null), rest, value);
    }
}
