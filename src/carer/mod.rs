//! Parents, and others with parental responsibility or care of a child.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use validator::Validate;

use crate::{
    child::{address::Address, name::PersonName, provenance::Provenance},
    code::codes,
    contact::{Email, Phone},
    ids::CarerId,
    seal::Place,
};

pub mod routes;
pub(crate) mod store;

codes! {
    /// What a carer is to the child.
    Relationship {
        /// Mother.
        Mother = "mother",
        /// Father.
        Father = "father",
        /// Step-parent.
        StepParent = "stepParent",
        /// Grandparent.
        Grandparent = "grandparent",
        /// Foster carer.
        FosterCarer = "fosterCarer",
        /// Legal or special guardian.
        Guardian = "guardian",
        /// Another relative.
        OtherRelative = "otherRelative",
        /// Somebody else.
        Other = "other",
    }
}

/// A carer of a child.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Carer {
    /// Its number.
    pub id: CarerId,
    /// The carer's name.
    pub name: PersonName,
    /// What the carer is to the child.
    pub relationship: Relationship,
    /// Whether the carer has parental responsibility (Children Act 1989, section 3).
    pub parental_responsibility: bool,
    /// Where the carer is reached; none is told where a shield hides it.
    pub phones: Vec<Phone>,
    /// Where the carer is written to; none is told where a shield hides it.
    pub emails: Vec<Email>,
    /// Where the carer lives, where that is not with the child; absent where a shield hides it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub address: Option<Address>,
    /// Where this comes from; absent where a shield hides it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub source: Option<Provenance>,
    /// Its version, which is its `ETag`.
    #[schema(example = 1)]
    pub version: i64,
}

/// How a carer is reached, as it is sealed under a shield.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct CarerContact {
    /// Telephone numbers.
    #[serde(default)]
    pub phones: Vec<Phone>,
    /// E-mail addresses.
    #[serde(default)]
    pub emails: Vec<Email>,
    /// Where the carer lives, where that is not with the child.
    #[serde(default)]
    pub address: Option<Address>,
}

impl From<&CarerIn> for CarerContact {
    fn from(carer: &CarerIn) -> Self {
        let CarerIn { phones, emails, address, .. } = carer.clone();
        Self { phones, emails, address }
    }
}

impl CarerContact {
    /// Where that of a carer stands when it is sealed.
    #[must_use]
    pub fn place(carer: CarerId) -> Place {
        Place::of("carer", carer.0)
    }

    /// The telephone numbers as they are kept.
    #[must_use]
    pub fn phone_numbers(&self) -> Vec<String> {
        self.phones.iter().map(|phone| phone.as_str().to_owned()).collect()
    }

    /// The e-mail addresses as they are kept.
    #[must_use]
    pub fn email_addresses(&self) -> Vec<String> {
        self.emails.iter().map(|email| email.as_str().to_owned()).collect()
    }
}

/// The carers of a child.
#[derive(Debug, Serialize, ToSchema)]
pub struct Carers {
    /// The carers.
    pub items: Vec<Carer>,
}

/// What is said of a new carer.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({
    "name": { "given": ["Ann"], "family": "Testley" },
    "relationship": "mother",
    "parentalResponsibility": true,
    "phones": ["01632 960001"]
}))]
pub struct CarerIn {
    /// The carer's name.
    pub name: PersonName,
    /// What the carer is to the child.
    pub relationship: Relationship,
    /// Whether the carer has parental responsibility (Children Act 1989, section 3).
    pub parental_responsibility: bool,
    /// Where the carer is reached: at most 5.
    #[serde(default)]
    #[validate(length(max = 5))]
    #[schema(max_items = 5)]
    pub phones: Vec<Phone>,
    /// Where the carer is written to: at most 5.
    #[serde(default)]
    #[validate(length(max = 5))]
    #[schema(max_items = 5)]
    pub emails: Vec<Email>,
    /// Where the carer lives, where that is not with the child.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub address: Option<Address>,
}

/// What changes about a carer; a member that is absent stays as it is.
#[derive(Debug, Clone, Default, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "phones": ["01632 960001", "01632 960002"] }))]
pub struct CarerChange {
    /// The carer's name.
    #[serde(default)]
    #[schema(nullable = false)]
    pub name: Option<PersonName>,
    /// What the carer is to the child.
    #[serde(default)]
    #[schema(nullable = false)]
    pub relationship: Option<Relationship>,
    /// Whether the carer has parental responsibility.
    #[serde(default)]
    #[schema(nullable = false)]
    pub parental_responsibility: Option<bool>,
    /// Where the carer is reached: at most 5; replaces all.
    #[serde(default)]
    #[validate(length(max = 5))]
    #[schema(nullable = false, max_items = 5)]
    pub phones: Option<Vec<Phone>>,
    /// Where the carer is written to: at most 5; replaces all.
    #[serde(default)]
    #[validate(length(max = 5))]
    #[schema(nullable = false, max_items = 5)]
    pub emails: Option<Vec<Email>>,
    /// Where the carer lives, where that is not with the child.
    #[serde(default)]
    #[schema(nullable = false)]
    pub address: Option<Address>,
}

impl Carer {
    /// How the carer is reached.
    #[must_use]
    pub fn contact(&self) -> CarerContact {
        let Self { phones, emails, address, .. } = self.clone();
        CarerContact { phones, emails, address }
    }

    /// The same carer, reached so.
    #[must_use]
    pub fn reached(self, contact: CarerContact) -> Self {
        let CarerContact { phones, emails, address } = contact;
        Self { phones, emails, address, ..self }
    }

    /// Changes it.
    pub fn change(&mut self, change: CarerChange) {
        let CarerChange { name, relationship, parental_responsibility, phones, emails, address } =
            change;
        self.name = name.unwrap_or_else(|| self.name.clone());
        self.relationship = relationship.unwrap_or(self.relationship);
        self.parental_responsibility =
            parental_responsibility.unwrap_or(self.parental_responsibility);
        self.phones = phones.unwrap_or_else(|| std::mem::take(&mut self.phones));
        self.emails = emails.unwrap_or_else(|| std::mem::take(&mut self.emails));
        self.address = address.or_else(|| self.address.take());
    }
}
