//! What a request leaves behind of children and details, and what of that only auditors may read.

use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Datelike, NaiveDate, Utc};
use secrecy::ExposeSecret;
use serde::{Deserialize, Deserializer, Serialize, de::Error};
use serde_json::Value;

use crate::{
    ids::{ChildId, EventId},
    keys::Cipher,
    problem::Problem,
    seal::{Place, Sealed, Vault},
};

/// What a handler adds to the event of its request: the children concerned and the details.
#[derive(Debug, Clone, Default)]
pub struct Trail {
    /// The children concerned; of a search, those found.
    pub children: Vec<ChildId>,
    /// Criteria, ids and values set, as the operation has them.
    pub details: Option<Value>,
    /// What of it only auditors may read.
    pub secrecy: Secrecy,
}

/// What of a trail is kept sealed, so that only auditors read it, through the index.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Secrecy {
    /// Nothing.
    #[default]
    Plain,
    /// The details, which say what somebody looked for.
    Details,
    /// All of it, where children and caller must not stand side by side.
    All,
}

impl Trail {
    /// About one child.
    #[must_use]
    pub fn of(child: ChildId) -> Self {
        Self::about(vec![child])
    }

    /// About several children, or none.
    #[must_use]
    pub fn about(children: Vec<ChildId>) -> Self {
        Self { children, ..Self::default() }
    }

    /// The same, with details.
    #[must_use]
    pub fn with(self, details: Value) -> Self {
        Self { details: Some(details), ..self }
    }

    /// The same, with details that only auditors read.
    #[must_use]
    pub fn with_sealed(self, details: Value) -> Self {
        Self { details: Some(details), secrecy: Secrecy::Details, ..self }
    }

    /// The same, all of which only auditors read: the children too.
    #[must_use]
    pub fn sealed(self) -> Self {
        Self { secrecy: Secrecy::All, ..self }
    }

    /// The child that may be told beside the caller.
    #[must_use]
    pub fn open_child(&self) -> Option<ChildId> {
        self.children.first().copied().filter(|_| self.secrecy != Secrecy::All)
    }

    /// The trail as it is kept, and what of it is hidden: the details always, and the children where nobody else may read them.
    pub(crate) fn kept(self) -> (Self, Option<Hidden>) {
        let secret = self.secrecy != Secrecy::Plain;
        let (children, hidden) = match self.secrecy {
            Secrecy::Plain | Secrecy::Details => (self.children, Vec::new()),
            Secrecy::All => (Vec::new(), self.children),
        };
        let some = secret || self.details.is_some();
        let hidden = some.then_some(Hidden { children: hidden, details: self.details });
        (Self::about(children), hidden)
    }
}

/// What is kept sealed of an event.
#[derive(Debug, Serialize, Deserialize)]
pub struct Hidden {
    /// The children concerned, where they stand nowhere else.
    pub children: Vec<ChildId>,
    /// The details.
    pub details: Option<Value>,
}

/// The columns in which an event keeps what is hidden.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Kept {
    /// `audit_event.hidden`: under the key of the month.
    pub hidden: Option<Hex>,
    /// `audit_key.sealed` of the month (`audit_month(at)`), until that is over.
    pub key: Option<Hex>,
    /// `audit_event.details`, of an event from before there were keys of months.
    pub details: Option<Value>,
}

/// Bytes as the database writes them in JSON.
#[derive(Debug, Clone)]
pub struct Hex(pub Vec<u8>);

impl<'de> Deserialize<'de> for Hex {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let text = String::deserialize(reader)?;
        let digits = text
            .strip_prefix("\\x")
            .and_then(|digits| digits.as_bytes().chunks(2).map(hex).collect());
        digits.map(Self).ok_or_else(|| D::Error::custom("is not hexadecimal"))
    }
}

fn hex(pair: &[u8]) -> Option<u8> {
    u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()
}

impl Hidden {
    /// The only member of the details of an event from before there were keys of months, where they were sealed.
    const MEMBER: &'static str = "sealed";

    /// The first day of the month, in UTC, by whose key an event of this moment is sealed.
    #[must_use]
    pub fn month(at: DateTime<Utc>) -> NaiveDate {
        let day = at.date_naive();
        day.with_day0(0).unwrap_or(day)
    }

    pub(crate) fn place_of_key(month: NaiveDate) -> String {
        format!("audit-key:{month}")
    }

    /// What an event that began at this moment hides, if it hides something and the key of its month is not gone.
    pub fn open(
        event: EventId,
        at: DateTime<Utc>,
        kept: &Kept,
        vault: &Vault,
    ) -> Result<Option<Self>, Problem> {
        let Some(Hex(hidden)) = &kept.hidden else {
            return kept
                .details
                .as_ref()
                .map_or(Ok(None), |kept| Self::of_old(event, kept, vault).map(Some));
        };
        let Some(Hex(key)) = &kept.key else { return Ok(None) };
        let key =
            vault.open(key, &Self::place_of_key(Self::month(at))).map_err(Problem::internal)?;
        let key = Cipher::new(key.expose_secret()).map_err(Problem::internal)?;
        let opened = key.open(hidden, event.0.as_bytes()).map_err(Problem::internal)?;
        serde_json::from_slice(opened.expose_secret())
            .map(Some)
            .map_err(|_| Problem::internal(anyhow::anyhow!("a hidden value has another form")))
    }

    fn of_old(event: EventId, kept: &Value, vault: &Vault) -> Result<Self, Problem> {
        let sealed = kept.as_object().filter(|kept| kept.len() == 1);
        let Some(Value::String(sealed)) = sealed.and_then(|kept| kept.get(Self::MEMBER)) else {
            return Ok(Self { children: Vec::new(), details: Some(kept.clone()) });
        };
        let bytes = STANDARD.decode(sealed).map_err(Problem::internal)?;
        Sealed::from(bytes).open(vault, &Place::of("audit", event.0))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn details_are_always_hidden_and_children_where_nobody_else_may_read_them() {
        let child = ChildId::new();
        let trail = Trail::of(child).with(json!({ "note": "canary" }));
        for trail in [trail.clone(), trail.clone().with_sealed(json!({ "note": "canary" }))] {
            assert_eq!(trail.open_child(), Some(child));
            let (kept, hidden) = trail.kept();
            let hidden = hidden.unwrap();
            assert_eq!((kept.children, kept.details), (vec![child], None));
            assert_eq!(
                (hidden.children, hidden.details),
                (vec![], Some(json!({ "note": "canary" })))
            );
        }
        let all = trail.sealed();
        assert_eq!(all.open_child(), None);
        let (kept, hidden) = all.kept();
        assert_eq!(
            (kept.children, kept.details, hidden.unwrap().children),
            (vec![], None, vec![child])
        );
        assert!(Trail::of(child).kept().1.is_none());
    }
}
