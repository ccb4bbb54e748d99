//! What a child, or a carer who acts for one, is told of the own record: in plain words, with the codes beside them.

use chrono::{DateTime, NaiveDate, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;
use validator::Validate;

use crate::{
    access::Role,
    child::{ContestedFact, Status, provenance::Provenance},
    contact::Contact,
    ids::{ChildId, IndexNumber},
    involvement::{Flag, Reachable, ServiceType},
    organisation::OrganisationKind,
    subject::SubjectCapacity,
};

pub mod routes;
pub(crate) mod store;
pub mod words;

/// For whom an account acts, and as what.
#[derive(Debug, Clone)]
pub(crate) struct Acting {
    pub(crate) child: ChildId,
    pub(crate) number: IndexNumber,
    pub(crate) capacity: SubjectCapacity,
    /// Whether a shield keeps from a carer where the child is and who works with the child.
    pub(crate) hidden: bool,
    /// Whether the child is under 12.
    pub(crate) young: bool,
}

impl Acting {
    /// Whether it is the child who is told.
    pub(crate) fn is_child(&self) -> bool {
        self.capacity == SubjectCapacity::Child
    }

    /// Whether a sensitive service is told, which a carer has consented to or not: to the child always; to a carer that to which a
    /// carer has consented, until the child is 12.
    pub(crate) fn is_told(&self, by_carer: bool) -> bool {
        self.is_child() || self.young && by_carer
    }
}

/// A child for whom an account acts.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MyChild {
    /// The child's number here.
    pub index_number: IndexNumber,
    /// Whether it is the own record, or that of a child for whom a carer acts.
    pub capacity: SubjectCapacity,
}

/// The children for whom an account acts today.
#[derive(Debug, Serialize, ToSchema)]
pub struct MyChildren {
    /// The children.
    pub items: Vec<MyChild>,
}

/// Whose record is wanted.
#[derive(Debug, Clone, Deserialize, IntoParams, Validate)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MyRecordQuery {
    /// The index number of the child; needed only by a carer who acts for several.
    #[param(nullable = false, example = "48271930566")]
    pub child: Option<IndexNumber>,
}

/// The own record in plain words.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MyRecord {
    /// The child's number here.
    pub index_number: IndexNumber,
    /// Whether it is the own record, or that of a child for whom a carer acts.
    pub capacity: SubjectCapacity,
    /// Whether the record is in use, or kept and seen by hardly anyone.
    pub status: Status,
    /// What the record is, and what can be done about it.
    #[schema(example = json!(["This is your record. It says who you are and who works with you."]))]
    pub words: Vec<String>,
    /// What it says.
    pub facts: Vec<MyFact>,
    /// Who works with the child, and who did; the latest first.
    pub services: Vec<MyService>,
    /// The council that answers for the record; absent where that is kept private.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub council: Option<Reachable>,
}

/// Something that the record says.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MyFact {
    /// What it is about, as it is named in asking to have it put right.
    pub fact: ContestedFact,
    /// Which carer it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub id: Option<Uuid>,
    /// What it says.
    #[schema(example = "Your name is Amy Rose Testley.")]
    pub words: String,
    /// Who says so, and since when; absent where that is kept private.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(
        nullable = false,
        required = false,
        example = "Example Park Primary School told us this on 1 September 2025."
    )]
    pub who: Option<String>,
    /// The codes of what it says.
    #[schema(value_type = Object, example = json!({ "kind": "current", "given": ["Amy", "Rose"], "family": "Testley" }))]
    pub value: serde_json::Value,
    /// Who says so; absent where that is kept private.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub source: Option<Provenance>,
    /// Whether somebody has said that it is wrong, and its source is being asked.
    pub disputed: bool,
}

/// Somebody who works with the child.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MyService {
    /// Its number, as it is named in asking to have it put right.
    pub id: Uuid,
    /// What they do.
    pub service_type: ServiceType,
    /// Who they are.
    pub organisation: Reachable,
    /// What they do, since when, and how to reach them.
    #[schema(example = json!(["This is your school. It teaches you.", "Example Park Primary School has worked with you since 1 September 2025."]))]
    pub words: Vec<String>,
    /// Whom to ask for.
    pub contact: Contact,
    /// The day it began.
    pub started_on: NaiveDate,
    /// The day it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub ended_on: Option<NaiveDate>,
    /// What they tell the others.
    pub flags: Vec<Flag>,
    /// Whether the child alone is told of it, and a carer is not.
    pub private: bool,
    /// Who says so.
    pub source: Provenance,
    /// Whether somebody has said that it is wrong, and its source is being asked.
    pub disputed: bool,
}

/// Which looks are wanted.
#[derive(Debug, Clone, Deserialize, IntoParams, Validate)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MyLooksQuery {
    /// The index number of the child; needed only by a carer who acts for several.
    #[param(nullable = false, example = "48271930566")]
    pub child: Option<IndexNumber>,
    /// How many at most: 1 to 100, 20 unless said.
    #[validate(range(min = 1, max = 100))]
    #[param(nullable = false, minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u8>,
    /// The `next` of the page before.
    #[validate(length(min = 1, max = 400))]
    #[param(nullable = false, min_length = 1, max_length = 400, pattern = "^[A-Za-z0-9_-]+$")]
    pub after: Option<String>,
}

/// Somebody who has looked at the record. Who it was by name is told to nobody here.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MyLook {
    /// When.
    pub at: DateTime<Utc>,
    /// For which organisation.
    pub organisation: Looker,
    /// What the person, or the system, is to the index.
    pub role: Role,
    /// Why, as they said.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false, example = "direct-service")]
    pub reason: Option<String>,
    /// What they saw.
    pub saw: Saw,
    /// Who looked, what they saw and why.
    #[schema(
        example = "Someone who works with children opened your whole record. They said why: to help you or look after you."
    )]
    pub words: String,
}

/// An organisation for which somebody has looked.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Looker {
    /// Its name.
    #[schema(example = "Example Park Primary School")]
    pub name: String,
    /// What kind of body it is.
    pub kind: OrganisationKind,
}

/// A page of looks.
#[derive(Debug, Serialize, ToSchema)]
pub struct MyLooks {
    /// The looks that are told today, the latest first.
    pub items: Vec<MyLook>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub next: Option<String>,
}

crate::code::codes! {
    /// What somebody saw of a record.
    Saw {
        /// The whole record.
        Record = "record",
        /// A part of it.
        Part = "part",
        /// What it said before.
        Before = "before",
        /// The record, among those that a search found.
        Found = "found",
        /// The record, in a list of several.
        Listed = "listed",
        /// That where the child is was to be kept private no more for 15 minutes.
        Private = "private",
        /// The own record, by somebody who acts for the child.
        Own = "own",
    }
}

/// The operations that tell of children whom they concern, and what is seen by each. What changes a record tells whoever changes it
/// what it says, and is a change and not a look; who looks into how the index is used looks at its users.
pub(crate) const LOOKS: &[(&str, Saw)] = &[
    ("open_child", Saw::Record),
    ("open_archived", Saw::Record),
    ("read_history", Saw::Before),
    ("override_shield", Saw::Private),
    ("list_carers", Saw::Part),
    ("list_involvements", Saw::Part),
    ("open_involvement", Saw::Part),
    ("list_flags", Saw::Part),
    ("list_subjects", Saw::Part),
    ("list_consents", Saw::Part),
    ("list_holds", Saw::Part),
    ("list_sources", Saw::Part),
    ("list_withholdings", Saw::Part),
    ("read_shield", Saw::Part),
    ("open_shield_request", Saw::Part),
    ("open_contact_request", Saw::Part),
    ("open_information_request", Saw::Part),
    ("open_transfer", Saw::Part),
    ("open_hold", Saw::Part),
    ("open_merge", Saw::Part),
    ("open_possible_duplicate", Saw::Part),
    ("open_review_task", Saw::Part),
    ("open_identity_end", Saw::Part),
    ("search_children", Saw::Found),
    ("search_archive", Saw::Found),
    ("match_child", Saw::Found),
    ("reconcile", Saw::Listed),
    ("list_shield_requests", Saw::Listed),
    ("list_contact_requests", Saw::Listed),
    ("list_information_requests", Saw::Listed),
    ("list_transfers", Saw::Listed),
    ("list_merges", Saw::Listed),
    ("list_possible_duplicates", Saw::Listed),
    ("list_review_tasks", Saw::Listed),
    ("list_batch_rows", Saw::Listed),
    ("list_changes", Saw::Listed),
    ("report_without_school", Saw::Listed),
    ("report_without_practice", Saw::Listed),
    ("report_unconfirmed_involvements", Saw::Listed),
    ("report_possible_duplicates", Saw::Listed),
    ("report_feed_quality", Saw::Listed),
    ("read_forecast", Saw::Listed),
    ("read_my_record", Saw::Own),
    ("read_my_looks", Saw::Own),
];

/// What is seen by an operation.
pub(crate) fn saw(operation: &str) -> Saw {
    LOOKS.iter().find(|(of, _)| *of == operation).map_or(Saw::Part, |(_, saw)| *saw)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;

    /// What tells of children and is no look at one: it is about the caller's own, or about who uses the index.
    const NO_LOOKS: [&str; 3] = ["list_my_children", "list_investigations", "open_investigation"];

    #[test]
    fn every_operation_that_reads_about_children_is_a_look_or_is_none_on_purpose() {
        let document: Value = serde_json::from_str(&crate::app::document()).unwrap();
        let mut reads = BTreeSet::new();
        for (path, item) in document["paths"].as_object().unwrap() {
            for (method, operation) in item.as_object().unwrap() {
                let parameters = operation["parameters"].as_array().into_iter().flatten();
                let about = parameters.map(|one| &one["name"]).any(|name| name == "Access-Reason");
                let seeks = ["/search", "/match", "/openings", "/reconciliations"];
                let reads_only = method == "get" || seeks.iter().any(|end| path.ends_with(end));
                if about && reads_only {
                    reads.insert(operation["operationId"].as_str().unwrap().to_owned());
                }
            }
        }
        let known: BTreeSet<_> =
            LOOKS.iter().map(|(operation, _)| (*operation).to_owned()).collect();
        let unknown: Vec<_> = reads
            .iter()
            .filter(|one| !known.contains(*one) && !NO_LOOKS.contains(&one.as_str()))
            .collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        let gone: Vec<_> =
            known.iter().filter(|one| !reads.contains(*one) && *one != "override_shield").collect();
        assert!(gone.is_empty(), "{gone:?}");
        assert_eq!((saw("open_child"), saw("search_children")), (Saw::Record, Saw::Found));
    }
}
