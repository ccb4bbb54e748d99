//! The whole record of a child, as the caller may see it.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{Ref, RefOr, Schema},
};

use crate::{
    access::Role,
    carer::Carer,
    child::{
        Disputed, Status,
        birth::{DatePrecision, Gender},
        identifier::Identifier,
        name::{NameKind, NamePart},
        provenance::Provenance,
        whereabouts::Whereabouts,
    },
    ids::{IndexNumber, OrganisationId},
    involvement::{Involvement, ServiceType, in_order},
    organisation::OrganisationKind,
    problem::Problem,
    told::Told,
};

pub mod routes;
pub(crate) mod store;

/// A child, and who is working with that child.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Record {
    /// The child's number here.
    pub index_number: IndexNumber,
    /// The names that hold: one current, and former and known-as names.
    #[schema(value_type = Vec<KnownName>)]
    pub names: Told<Vec<KnownName>>,
    /// The date of birth.
    #[schema(example = "2015-03-14")]
    pub date_of_birth: NaiveDate,
    /// How much of it is known.
    pub date_of_birth_precision: DatePrecision,
    /// Whether it is an estimate.
    pub date_of_birth_estimated: bool,
    /// The gender.
    pub gender: Gender,
    /// Whether a shield hides what you may not see: the record then has no whereabouts, no responsible authority, no sources,
    /// and nothing in the lists of identifiers, involvements and services, and tells no more of carers than who they are. The
    /// shield approver of the responsible authority sees all.
    pub shielded: bool,
    /// Where the child is; absent where a shield hides it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = KnownWhereabouts, required = false)]
    pub whereabouts: Option<Told<KnownWhereabouts>>,
    /// Numbers that other bodies gave the child; only those of the kind of body that you work for.
    pub identifiers: Vec<Identifier>,
    /// Parents, and others with parental responsibility or care.
    #[schema(value_type = Vec<Carer>)]
    pub carers: Told<Vec<Carer>>,
    /// Who is working with the child, and who did within the last year; the latest first.
    #[schema(value_type = Vec<Involvement>)]
    pub involvements: Told<Vec<Involvement>>,
    /// Universal services that the child is known to have none of.
    pub without_service: Vec<ServiceType>,
    /// The local authority that answers for the record; absent where a shield hides it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Authority, required = false)]
    pub responsible_authority: Option<Told<Authority>>,
    /// What the child, or a carer, says is wrong, while its source is asked; under a shield, only of what it leaves visible.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    pub disputed: Vec<Disputed>,
    /// What to do about services that are told to nobody: the same on every record.
    #[serde(default = "brokering")]
    #[schema(
        example = "Contact with further services, where there are any, can be brokered by the responsible authority's steward."
    )]
    pub brokering: String,
    /// Whether the record is in use.
    pub status: Status,
    /// Where the facts that stand once come from; absent where a shield hides it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Provenance, required = false)]
    pub source: Option<Told<Provenance>>,
    /// The version of the child's own facts, which is the record's `ETag`; where a shield hides some, of those that it leaves.
    #[schema(example = 1)]
    pub version: i64,
}

fn brokering() -> String {
    "Contact with further services, where there are any, can be brokered by the responsible authority's steward.".to_owned()
}

/// A name by which the child is or was known.
#[derive(Debug, ToSchema)]
pub struct KnownName {
    /// What kind of name it is.
    pub kind: NameKind,
    /// The given names.
    pub given: Vec<NamePart>,
    /// The family name.
    pub family: NamePart,
    /// Where this comes from; absent where a shield hides it.
    #[schema(nullable = false)]
    pub source: Option<Provenance>,
}

/// Where the child is.
#[derive(Debug)]
pub struct KnownWhereabouts {
    /// What is known.
    pub whereabouts: Whereabouts,
    /// Where this comes from.
    pub source: Provenance,
}

impl PartialSchema for KnownWhereabouts {
    fn schema() -> RefOr<Schema> {
        let mut schema = Whereabouts::schema();
        if let RefOr::T(Schema::OneOf(kinds)) = &mut schema {
            for kind in &mut kinds.items {
                if let RefOr::T(Schema::Object(kind)) = kind {
                    let source = Ref::from_schema_name(Provenance::name());
                    kind.properties.insert("source".to_owned(), source.into());
                    kind.required.push("source".to_owned());
                }
            }
        }
        schema
    }
}

impl ToSchema for KnownWhereabouts {
    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((Provenance::name().into(), Provenance::schema()));
        Provenance::schemas(schemas);
        Whereabouts::schemas(schemas);
    }
}

/// A local authority that answers for a record.
#[derive(Debug, ToSchema)]
#[schema(rename_all = "camelCase")]
pub struct Authority {
    /// Its number here.
    pub organisation_id: OrganisationId,
    /// The Department for Education's 3-digit code.
    #[schema(example = "887")]
    pub code: String,
    /// Its name.
    #[schema(example = "Medway")]
    pub name: String,
}

impl Record {
    /// Puts involvements that only the caller's organisation sees among the others.
    pub(crate) fn join(&mut self, own: Vec<Involvement>) -> Result<(), Problem> {
        let mut all = self.involvements.read().map_err(Problem::internal)?;
        all.extend(own);
        in_order(&mut all);
        self.involvements = Told::of(&all).map_err(Problem::internal)?;
        Ok(())
    }

    /// Leaves what a caller of this role, from this kind of body, may see.
    pub(crate) fn restrict(&mut self, role: Role, body: OrganisationKind) {
        self.identifiers
            .retain(|identifier| role == Role::Steward || body.may_read(identifier.kind()));
    }
}
