//! Reconciliation: a source learns of each row that it holds whether the index says the same, and nothing that it did not send.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    carer::CarerIn,
    child::{
        birth::{DateOfBirth, Gender},
        identifier::Identifier,
        name::Name,
        whereabouts::Whereabouts,
    },
    code::codes,
    feed::row::{FeedRow, RowInvolvement, SourceReference},
    organisation::OrganisationKind,
    problem::Fault,
};

pub mod routes;
pub(crate) mod store;

/// As many rows as are reconciled at once.
pub const MOST_ROWS: usize = 1_000;

codes! {
    /// What the index says of a row.
    Reconciled {
        /// The record says the same, as far as the row goes.
        Same = "same",
        /// The record does not say what `differs` points to.
        Differs = "differs",
        /// The feed's record of this reference is linked to no child, and none is confidently the same.
        NotKnown = "notKnown",
        /// The child's record is no longer in use.
        Superseded = "superseded",
        /// The row cannot be read; `errors` say why.
        Rejected = "rejected",
    }
}

/// What became of a list, row by row.
#[derive(Debug, Serialize, ToSchema)]
pub struct Reconciliation {
    /// The rows in their order.
    #[schema(max_items = 1000)]
    pub items: Vec<ReconciledRow>,
}

/// What the index says of one row.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReconciledRow {
    /// The line on which it stood, from 1.
    #[schema(minimum = 1, example = 1)]
    pub line: i64,
    /// The source's own key of the child; absent where the row cannot be read.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub reference: Option<SourceReference>,
    /// What the index says.
    pub outcome: Reconciled,
    /// JSON pointers (RFC 6901) into the row, to what the record does not say.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false, example = json!(["/whereabouts"]))]
    pub differs: Vec<String>,
    /// Why it cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub errors: Vec<Fault>,
}

/// What a record says, as far as a row of a feed may say it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Known {
    pub(crate) names: Vec<Name>,
    #[serde(flatten)]
    pub(crate) birth: DateOfBirth,
    pub(crate) gender: Gender,
    pub(crate) carers: Vec<CarerIn>,
    #[serde(default)]
    pub(crate) whereabouts: Option<Whereabouts>,
    #[serde(default)]
    pub(crate) identifiers: Vec<Identifier>,
    #[serde(default)]
    pub(crate) responsible_authority: Option<String>,
    /// What the feed's organisation does for the child as the feed's service.
    #[serde(default)]
    pub(crate) work: Vec<RowInvolvement>,
}

impl Known {
    /// The same of a shielded child. In the place of what the shield hides stands what the feed itself said last, or, where it
    /// never said anything, says now: so nobody learns what is hidden, or that anything is.
    #[must_use]
    pub(crate) fn veiled(self, said: &FeedRow) -> Self {
        let reached = |carer: CarerIn| {
            let own = said.carers.iter().find(|own| own.name == carer.name);
            let (phones, emails, address) = own.map_or_else(Default::default, |own| {
                (own.phones.clone(), own.emails.clone(), own.address.clone())
            });
            CarerIn { phones, emails, address, ..carer }
        };
        Self {
            carers: self.carers.into_iter().map(reached).collect(),
            whereabouts: said.whereabouts.clone(),
            identifiers: said.identifiers.clone(),
            responsible_authority: said.responsible_authority.clone(),
            work: said.involvement.iter().cloned().collect(),
            ..self
        }
    }

    /// What of a row the record does not say. Of identifiers those are compared that a body of this kind may read.
    #[must_use]
    pub(crate) fn differs(&self, row: &FeedRow, body: OrganisationKind) -> Vec<String> {
        let mut differs = Vec::new();
        let mut unless = |agrees: bool, pointer: &str| {
            if !agrees {
                differs.push(pointer.to_owned());
            }
        };
        for (n, name) in row.names.iter().enumerate() {
            unless(self.names.contains(name), &format!("/names/{n}"));
        }
        unless(self.birth.date == row.date_of_birth, "/dateOfBirth");
        unless(self.birth.precision == row.date_of_birth_precision, "/dateOfBirthPrecision");
        unless(row.gender == Gender::NotSpecified || self.gender == row.gender, "/gender");
        unless(row.whereabouts.is_none() || self.whereabouts == row.whereabouts, "/whereabouts");
        for (n, identifier) in row.identifiers.iter().enumerate() {
            let agrees = !body.may_read(identifier.kind()) || self.identifiers.contains(identifier);
            unless(agrees, &format!("/identifiers/{n}"));
        }
        for (n, carer) in row.carers.iter().enumerate() {
            let known = self.carers.iter().any(|known| says(known, carer));
            unless(known, &format!("/carers/{n}"));
        }
        let authority = &row.responsible_authority;
        unless(
            authority.is_none() || self.responsible_authority == *authority,
            "/responsibleAuthority",
        );
        let done = row.involvement.as_ref();
        unless(done.is_none_or(|work| self.work.contains(work)), "/involvement");
        differs
    }
}

/// Whether what is known of a carer holds all that is said.
fn says(known: &CarerIn, said: &CarerIn) -> bool {
    known.name == said.name
        && known.relationship == said.relationship
        && known.parental_responsibility == said.parental_responsibility
        && said.phones.iter().all(|phone| known.phones.contains(phone))
        && said.emails.iter().all(|email| known.emails.contains(email))
        && (said.address.is_none() || known.address == said.address)
}
