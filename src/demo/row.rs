//! The load format: one organisation or one child a row.

use chrono::NaiveDate;
use serde::Serialize;
use serde_json::Value;

/// One line of the load.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) enum Row {
    Organisation(Box<Organisation>),
    Child(Box<Child>),
}

impl Row {
    /// The row as it is loaded.
    pub(super) fn value(&self) -> Value {
        serde_json::to_value(self).unwrap_or_default()
    }
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Organisation {
    pub(super) kind: &'static str,
    pub(super) name: String,
    pub(super) codes: Codes,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) authority: Option<String>,
    pub(super) office_hours: String,
    pub(super) duty: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) email: Option<String>,
}

#[derive(Debug, Clone, Default, Serialize)]
pub(super) struct Codes {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) authority: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) gss: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) urn: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) laestab: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ods: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) reference: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Child {
    pub(super) names: Vec<KindOfName>,
    pub(super) date_of_birth: NaiveDate,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) date_of_birth_precision: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) date_of_birth_estimated: Option<bool>,
    pub(super) gender: &'static str,
    pub(super) whereabouts: Whereabouts,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) former_whereabouts: Vec<FormerWhereabouts>,
    pub(super) identifiers: Vec<Identifier>,
    pub(super) carers: Vec<Carer>,
    pub(super) responsible_authority: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) without_service: Vec<&'static str>,
    pub(super) involvements: Vec<Involvement>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Name {
    pub(super) given: Vec<String>,
    pub(super) family: String,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct KindOfName {
    pub(super) kind: &'static str,
    #[serde(flatten)]
    pub(super) name: Name,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Address {
    pub(super) lines: Vec<String>,
    pub(super) town: &'static str,
    pub(super) postcode: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) uprn: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase", rename_all_fields = "camelCase", tag = "kind")]
pub(super) enum Whereabouts {
    Current { address: Address },
    LastKnown { address: Address },
    NoneKnown,
    LeftEngland { left_on: NaiveDate, r#return: &'static str },
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct FormerWhereabouts {
    pub(super) whereabouts: Whereabouts,
    pub(super) until: NaiveDate,
}

#[derive(Debug, Clone, Serialize)]
pub(super) struct Identifier {
    pub(super) kind: &'static str,
    pub(super) value: String,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Carer {
    pub(super) name: Name,
    pub(super) relationship: &'static str,
    pub(super) parental_responsibility: bool,
    pub(super) phones: Vec<String>,
    pub(super) emails: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) address: Option<Address>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Involvement {
    pub(super) organisation: String,
    pub(super) service_type: &'static str,
    pub(super) contact: Contact,
    pub(super) started_on: NaiveDate,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ended_on: Option<NaiveDate>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) confirmed_on: Option<NaiveDate>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) flags: Vec<Flag>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Contact {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) practitioner: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) team: Option<String>,
    pub(super) office_hours: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) out_of_hours: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) email: Option<String>,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Flag {
    #[serde(rename = "flag")]
    pub(super) kind: &'static str,
    pub(super) set_on: NaiveDate,
    pub(super) expires_on: NaiveDate,
}
