//! Merging two records of one child, and taking that back: two stewards agree to either, and nothing is lost by either.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use validator::Validate;

use crate::{
    access::Caller,
    code::codes,
    ids::{AccountId, IndexNumber, MergeId, OrganisationId, PossibleDuplicateId},
    problem::{Kind, Problem},
};

mod act;
pub mod routes;
mod store;

codes! {
    /// How a merge stands.
    MergeStatus {
        /// A second steward has yet to approve it.
        Proposed = "proposed",
        /// It was refused, or taken back by whoever proposed it.
        Refused = "refused",
        /// The two records are one.
        Merged = "merged",
        /// The two records are one, and a second steward has yet to approve that they become two again.
        ReversalProposed = "reversalProposed",
        /// The two records are two again.
        Reversed = "reversed",
    }
}

codes! {
    /// Why two records are of one child.
    MergeGround {
        /// Their sources say so.
        SourcesAgree = "sourcesAgree",
        /// The child was recorded twice, under another spelling, date or address.
        RecordedTwice = "recordedTwice",
        /// The child was recorded anew after a move to another area.
        RecordedAfterMove = "recordedAfterMove",
    }
}

codes! {
    /// Why two records that were merged become two again.
    ReversalGround {
        /// They are of brothers or sisters, or of twins.
        Relatives = "relatives",
        /// They are of two children who have the same name by chance.
        Namesakes = "namesakes",
        /// Their sources say that they are of two children.
        SourcesDiffer = "sourcesDiffer",
        /// The wrong record was to survive.
        WrongSurvivor = "wrongSurvivor",
    }
}

codes! {
    /// Of what kind the facts are that a merge moves.
    MergeFact {
        /// Names, with former ones.
        Name = "name",
        /// Whereabouts, with former ones.
        Whereabouts = "whereabouts",
        /// Identifiers, with former ones.
        Identifier = "identifier",
        /// Carers.
        Carer = "carer",
        /// Involvements, with those that have ended.
        Involvement = "involvement",
        /// Flags.
        Flag = "flag",
        /// Consents to stay after the 18th birthday.
        Consent = "consent",
        /// Legal holds.
        Hold = "hold",
        /// Accounts that are about the record.
        Subject = "subject",
    }
}

codes! {
    /// In what two records differ that are to be merged. What the survivor says then stands, and what the other says is kept as history.
    MergeConflict {
        /// The current name: the other's becomes a former one.
        Name = "name",
        /// The date of birth.
        DateOfBirth = "dateOfBirth",
        /// The gender.
        Gender = "gender",
        /// Where the child is.
        Whereabouts = "whereabouts",
        /// An identifier of the same kind.
        Identifier = "identifier",
        /// An organisation works with both in the same service: both involvements stay.
        Involvement = "involvement",
        /// Both have a lead professional: the flag of the other's is cleared.
        LeadProfessional = "leadProfessional",
        /// Another authority answers for either: a steward of each is needed.
        Authority = "authority",
        /// The day of a death.
        Death = "death",
    }
}

/// Two records that are to become one.
#[derive(Debug, Clone, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "survivor": "48271930566", "retired": "73018462597", "ground": "recordedTwice" }))]
pub struct MergeIn {
    /// The index number of the record that stays.
    pub survivor: IndexNumber,
    /// The index number of the record that is merged into it: from then on it leads to the survivor.
    #[schema(example = "73018462597")]
    pub retired: IndexNumber,
    /// The possible duplicate that this settles, where there is one.
    #[serde(default)]
    #[schema(nullable = false)]
    pub possible_duplicate_id: Option<PossibleDuplicateId>,
    /// Why they are of one child.
    pub ground: MergeGround,
}

impl MergeIn {
    /// Refuses to merge a record with itself.
    pub fn check(&self) -> Result<(), Problem> {
        if self.survivor == self.retired {
            return Err(Problem::invalid("/retired", "must be another record than the survivor"));
        }
        Ok(())
    }
}

/// That two records become two again.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[schema(example = json!({ "ground": "relatives" }))]
pub struct MergeReversalIn {
    /// Why.
    pub ground: ReversalGround,
}

/// A merge, and how it stands.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Merge {
    /// Its number.
    pub id: MergeId,
    /// The index number of the record that stays.
    pub survivor: IndexNumber,
    /// The index number of the record that is, or was to be, merged into it.
    #[schema(example = "73018462597")]
    pub retired: IndexNumber,
    /// The possible duplicate that it settles, where one was named.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub possible_duplicate_id: Option<PossibleDuplicateId>,
    /// Why they are of one child.
    pub ground: MergeGround,
    /// How it stands.
    pub status: MergeStatus,
    /// Who proposed it.
    pub proposed_by: AccountId,
    /// For which authority.
    pub proposed_for: OrganisationId,
    /// When.
    pub proposed_at: DateTime<Utc>,
    /// Who approved or refused it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub decided_by: Option<AccountId>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub decided_at: Option<DateTime<Utc>>,
    /// That the records become two again, where somebody has proposed that.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub reversal: Option<MergeReversal>,
    /// What it would move; only of one that is proposed, and only where it is opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub preview: Option<MergePreview>,
    /// Its version, which is its `ETag`.
    #[schema(example = 1)]
    pub version: i64,
}

/// That two records become two again.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MergeReversal {
    /// Why.
    pub ground: ReversalGround,
    /// Who proposed it last.
    pub proposed_by: AccountId,
    /// For which authority.
    pub proposed_for: OrganisationId,
    /// When.
    pub proposed_at: DateTime<Utc>,
    /// Who approved it, once somebody has.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub decided_by: Option<AccountId>,
    /// When.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub decided_at: Option<DateTime<Utc>>,
}

/// What a merge would do. Where either record is shielded, no more than a shield leaves visible; of sensitive services never anything.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MergePreview {
    /// Whether the survivor will be shielded, because either record is.
    pub shielded: bool,
    /// How many facts of each kind would move.
    pub moves: Vec<MergeMove>,
    /// In what the two records differ.
    pub conflicts: Vec<MergeConflict>,
}

/// Facts of one kind that a merge would move.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct MergeMove {
    /// The kind.
    pub fact: MergeFact,
    /// How many.
    #[schema(minimum = 1, example = 2)]
    pub count: i64,
}

/// A page of merges.
#[derive(Debug, Serialize, ToSchema)]
pub struct Merges {
    /// The merges, the oldest first.
    pub items: Vec<Merge>,
    /// Where the next page begins; absent on the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, required = false)]
    pub next: Option<String>,
}

/// Which merges are wanted.
#[derive(Debug, Clone, Deserialize, IntoParams, Validate)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct MergeQuery {
    /// That stand so.
    #[param(nullable = false)]
    pub status: Option<MergeStatus>,
    /// How many at most: 1 to 100, 20 unless said.
    #[validate(range(min = 1, max = 100))]
    #[param(nullable = false, minimum = 1, maximum = 100, example = 20)]
    pub limit: Option<u8>,
    /// The `next` of the page before.
    #[validate(length(min = 1, max = 400))]
    #[param(nullable = false, min_length = 1, max_length = 400, pattern = "^[A-Za-z0-9_-]+$")]
    pub after: Option<String>,
}

impl Merge {
    /// Whoever proposed what waits for a second steward, and for which authority; refuses where nothing waits.
    fn waits(&self) -> Result<(AccountId, OrganisationId), Problem> {
        match (self.status, &self.reversal) {
            (MergeStatus::Proposed, _) => Ok((self.proposed_by, self.proposed_for)),
            (MergeStatus::ReversalProposed, Some(reversal)) => {
                Ok((reversal.proposed_by, reversal.proposed_for))
            }
            _ => Err(Kind::MergeStatus.into()),
        }
    }

    /// Whether a steward may approve what waits: another person than whoever proposed it, so that a steward of every authority that
    /// answers for one of the records has agreed.
    pub fn may_be_approved_by(
        &self,
        caller: &Caller,
        authorities: &[OrganisationId],
    ) -> Result<(), Problem> {
        let (by, of) = self.waits()?;
        if caller.account().is_none_or(|account| account == by) {
            let detail = "Another steward than the one who proposed it approves it.";
            return Err(Problem::new(Kind::Forbidden, detail));
        }
        if authorities.iter().any(|authority| ![of, caller.organisation].contains(authority)) {
            let detail = "Where two authorities answer for the records, a steward of one proposes and a steward of the other approves.";
            return Err(Problem::new(Kind::Forbidden, detail));
        }
        Ok(())
    }

    /// How it stands once what waits is refused.
    pub fn refused(&self) -> Result<MergeStatus, Problem> {
        self.waits()?;
        Ok(match self.status {
            MergeStatus::Proposed => MergeStatus::Refused,
            _ => MergeStatus::Merged,
        })
    }

    /// Whether somebody may propose that the records become two again.
    pub fn may_be_reversed(&self) -> Result<(), Problem> {
        match self.status {
            MergeStatus::Merged => Ok(()),
            _ => Err(Kind::MergeStatus.into()),
        }
    }
}

/// What is shielded, and what of it was before two records were merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shields {
    /// Whether the survivor was.
    pub(crate) survivor: bool,
    /// Whether the retired record was.
    pub(crate) retired: bool,
}

impl Shields {
    /// What is shielded once the records are two again: each as it was; both, where a shield was raised since, since nobody knows whose
    /// it is; and the survivor no more, where its shield was lifted since.
    pub(crate) fn apart(self, now: bool, raised_since: bool) -> Self {
        let new = now && (raised_since || !self.survivor && !self.retired);
        Self { survivor: now && self.survivor || new, retired: self.retired || new }
    }
}

#[cfg(test)]
mod tests {
    use super::Shields;

    #[test]
    fn each_record_gets_its_own_shield_back_and_one_raised_meanwhile_covers_both() {
        let apart = |survivor, retired, now, raised| {
            let Shields { survivor, retired } = Shields { survivor, retired }.apart(now, raised);
            (survivor, retired)
        };
        assert_eq!(apart(false, false, false, false), (false, false));
        assert_eq!(apart(true, false, true, false), (true, false));
        assert_eq!(apart(false, true, true, false), (false, true));
        assert_eq!(apart(true, true, true, false), (true, true));
        assert_eq!(apart(false, false, true, true), (true, true));
        assert_eq!(apart(false, false, true, false), (true, true), "whoever raised it");
        assert_eq!(apart(false, true, true, true), (true, true));
        assert_eq!(apart(true, true, false, false), (false, true), "a shield that was lifted");
    }
}
