//! An event as it is sent: `CloudEvents` 1.0 in the structured mode, as JSON.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};

use crate::{
    change::ChangeKind,
    ids::{DeliveryId, IndexNumber},
};

/// The type of content of an event.
pub const CONTENT_TYPE: &str = "application/cloudevents+json";

/// What an event tells: of which child, what has changed.
#[derive(Debug, Clone)]
pub struct Pointer {
    /// The child's number here.
    pub index_number: IndexNumber,
    /// What has changed.
    pub kind: ChangeKind,
    /// The number of the record that goes on, where this one was merged.
    pub into: Option<IndexNumber>,
}

/// An event, as sent: a pointer, or a ping where there is none.
#[must_use]
pub fn event(id: DeliveryId, issuer: &str, at: DateTime<Utc>, told: Option<&Pointer>) -> Value {
    let (kind, data) = match told {
        Some(Pointer { index_number, kind, into: None }) => {
            ("contactpoint.child.changed", json!({ "indexNumber": index_number, "kind": kind }))
        }
        Some(Pointer { index_number, kind, into }) => (
            "contactpoint.child.changed",
            json!({ "indexNumber": index_number, "kind": kind, "into": into }),
        ),
        None => ("contactpoint.ping", json!({})),
    };
    json!({
        "specversion": "1.0",
        "id": id,
        "source": format!("{}/v1/changes", issuer.trim_end_matches('/')),
        "type": kind,
        "time": at.to_rfc3339_opts(chrono::SecondsFormat::Millis, true),
        "datacontenttype": "application/json",
        "data": data,
    })
}
