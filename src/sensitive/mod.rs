//! Sensitive services: who provides one is known to the provider alone, and to whoever brokers contact.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::{
    audit::Trail,
    child::provenance::Provenance,
    consent::{Basis, GivenBy, Receipt},
    contact::Contact,
    ids::{ChildId, IndexNumber, InvolvementId, OrganisationId},
    involvement::{Involvement, Reachable, ServiceType},
    problem::Problem,
    seal::{Place, Sealed, Vault},
};

pub(crate) mod store;

/// What of a sensitive involvement the database must not know.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Provider {
    /// Who works with the child.
    pub(crate) organisation_id: OrganisationId,
    /// What they do.
    pub(crate) service_type: ServiceType,
    /// Whom to ask for.
    pub(crate) contact: Contact,
    /// Who recorded it.
    pub(crate) recorded_by: Option<Uuid>,
    /// Who said it.
    pub(crate) source_organisation_id: OrganisationId,
}

/// A sensitive involvement as the database tells it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SealedInvolvement {
    id: InvolvementId,
    sealed: Sealed<Provider>,
    basis: Option<Basis>,
    consent: Option<Receipt>,
    started_on: NaiveDate,
    ended_on: Option<NaiveDate>,
    confirmed_on: NaiveDate,
    received_at: DateTime<Utc>,
    as_at: NaiveDate,
    version: i64,
}

/// Where what the database must not know of an involvement is sealed for.
fn place(id: InvolvementId) -> Place {
    Place::of("sensitive-involvement", id.0)
}

impl SealedInvolvement {
    /// Its number.
    pub(crate) fn id(&self) -> InvolvementId {
        self.id
    }

    /// Whether a carer has consented to it, who knows of it then.
    pub(crate) fn is_by_carer(&self) -> bool {
        self.consent.as_ref().is_some_and(|consent| consent.given_by == GivenBy::Carer)
    }

    /// Who provides it.
    pub(crate) fn provider(&self, vault: &Vault) -> Result<Provider, Problem> {
        self.sealed.open(vault, &place(self.id))
    }

    /// The involvement, as its own organisation is told of it.
    pub(crate) fn told(self, vault: &Vault, own: Reachable) -> Result<Involvement, Problem> {
        let provider = self.provider(vault)?;
        let source = Provenance {
            organisation_id: provider.source_organisation_id,
            received_at: self.received_at,
            as_at: self.as_at,
        };
        Ok(Involvement {
            id: self.id,
            organisation: own,
            service_type: provider.service_type,
            contact: provider.contact,
            started_on: self.started_on,
            ended_on: self.ended_on,
            confirmed_on: self.confirmed_on,
            unconfirmed_since: None,
            consent: self.consent,
            basis: self.basis,
            source,
            flags: Vec::new(),
            version: self.version,
        })
    }
}

/// A sensitive involvement with its own organisation, as the database tells both.
#[derive(Debug, Deserialize)]
pub(crate) struct OwnInvolvement {
    told: SealedInvolvement,
    organisation: Reachable,
}

impl OwnInvolvement {
    /// The involvement, as its own organisation is told of it.
    pub(crate) fn open(self, vault: &Vault) -> Result<Involvement, Problem> {
        self.told.told(vault, self.organisation)
    }
}

/// By what an organisation finds its own sensitive involvements with a child; no two children share one.
pub(crate) fn provider_key(
    vault: &Vault,
    organisation: OrganisationId,
    number: &IndexNumber,
) -> Vec<u8> {
    vault.blind(&[b"sensitive provider", organisation.0.as_bytes(), number.as_str().as_bytes()])
}

/// The key under which a provider finds an involvement, once it is one with the child of another number.
pub(crate) fn key_under(
    vault: &Vault,
    id: InvolvementId,
    sealed: &Sealed<Provider>,
    number: &IndexNumber,
) -> Result<Vec<u8>, Problem> {
    let provider = sealed.open(vault, &place(id))?;
    Ok(provider_key(vault, provider.organisation_id, number))
}

/// The key of the sensitive involvements with a child that those see who act for this organisation; of none without one.
pub(crate) fn own_key(vault: &Vault, own: Option<OrganisationId>, number: &IndexNumber) -> Vec<u8> {
    own.map_or_else(Vec::new, |own| provider_key(vault, own, number))
}

/// By what an organisation finds one sensitive involvement of its own.
fn owner_key(vault: &Vault, organisation: OrganisationId, id: InvolvementId) -> Vec<u8> {
    vault.blind(&[b"sensitive owner", organisation.0.as_bytes(), id.0.as_bytes()])
}

/// What stands once among the involvements that last.
fn once_key(vault: &Vault, number: &IndexNumber, provider: &Provider) -> Vec<u8> {
    let team = provider.contact.team.as_ref().map_or("", |team| team.as_str());
    vault.blind(&[
        b"sensitive once",
        provider.organisation_id.0.as_bytes(),
        number.as_str().as_bytes(),
        provider.service_type.code().as_bytes(),
        team.as_bytes(),
    ])
}

/// What is written down, for auditors alone, of an act that would say in plain who provides a sensitive service to whom.
pub(crate) fn discreet(child: ChildId, details: Value) -> Trail {
    Trail::of(child).with(details).sealed()
}
