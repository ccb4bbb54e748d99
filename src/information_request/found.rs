//! What may become of a request, and what may not.

use chrono::{DateTime, NaiveDate, Utc};

use super::{
    ExtensionGround, IdentityCheckIn, InformationOutcome, InformationOutcomeIn, InformationRequest,
    InformationRequestKind, InformationRequestStatus, RefusalGround, clock,
};
use crate::{
    child::ContestedFact,
    ids::{ChildId, OrganisationId},
    problem::{Kind, Problem},
    subject::SubjectCapacity,
};

/// A request with what the rules about it need.
#[derive(Debug)]
pub(crate) struct Found {
    pub(crate) request: InformationRequest,
    pub(crate) child: ChildId,
    pub(crate) authority: OrganisationId,
    /// Whether it was asked on paper.
    pub(crate) on_paper: bool,
    /// The version of the record when it was asked, and now.
    pub(crate) versions: (i64, i64),
}

impl Found {
    fn stands(&self, fits: impl Fn(InformationRequestStatus) -> bool) -> Result<(), Problem> {
        if fits(self.request.status) { Ok(()) } else { Err(Kind::InformationRequestStatus.into()) }
    }

    /// Says that it is proven who asks; the time may count anew.
    pub(crate) fn prove(
        &mut self,
        check: IdentityCheckIn,
        today: NaiveDate,
    ) -> Result<(), Problem> {
        self.stands(|status| status == InformationRequestStatus::Received)?;
        let carer = self.request.capacity == SubjectCapacity::Carer;
        match (carer, check.responsibility) {
            (true, None) => {
                return Err(Problem::invalid("/responsibility", "is required of a carer"));
            }
            (false, Some(_)) => {
                return Err(Problem::invalid("/responsibility", "is for carers alone"));
            }
            _ => {}
        }
        let received = self.request.received_on;
        let asked = check.asked_on.unwrap_or(received);
        if asked < received || asked > check.proven_on {
            let detail = "must not be before it was received or after it was proven";
            return Err(Problem::invalid("/askedOn", detail));
        }
        if check.proven_on > today {
            return Err(Problem::invalid("/provenOn", "must not be after today"));
        }
        self.request.identity_asked_on = check.asked_on;
        self.request.identity_proven_on = Some(check.proven_on);
        self.request.status = InformationRequestStatus::IdentityChecked;
        self.request.due_on = clock::due_on(self.starts_on(), false);
        Ok(())
    }

    fn starts_on(&self) -> NaiveDate {
        let InformationRequest { received_on, identity_asked_on, identity_proven_on, .. } =
            self.request;
        clock::starts_on(received_on, identity_asked_on, identity_proven_on)
    }

    /// Says that the source of what is disputed is asked.
    pub(crate) fn forward(&mut self) -> Result<ContestedFact, Problem> {
        self.stands(|status| status == InformationRequestStatus::IdentityChecked)?;
        let fact = self.request.fact.ok_or(Kind::InformationRequestStatus)?;
        self.request.status = InformationRequestStatus::Forwarded;
        Ok(fact)
    }

    /// Lets it take two months longer, once, and before the first month ends.
    pub(crate) fn extend(
        &mut self,
        ground: ExtensionGround,
        today: NaiveDate,
    ) -> Result<(), Problem> {
        use InformationRequestStatus::{Forwarded, IdentityChecked};
        self.stands(|status| matches!(status, IdentityChecked | Forwarded))?;
        if self.request.extension.is_some() || today > self.request.due_on {
            return Err(Kind::InformationRequestStatus.into());
        }
        self.request.extension = Some(ground);
        self.request.due_on = clock::due_on(self.starts_on(), true);
        Ok(())
    }

    /// Ends it. What the person says is kept where they were not given all that they asked.
    pub(crate) fn close(
        &mut self,
        said: InformationOutcomeIn,
        now: DateTime<Utc>,
    ) -> Result<(), Problem> {
        use InformationOutcome::{Answered, Corrected, PartlyCorrected, Refused, Withdrawn};
        self.stands(InformationRequestStatus::is_open)?;
        if (said.outcome == Refused) != said.refusal.is_some() {
            return Err(Problem::invalid(
                "/refusal",
                "is required to refuse, and is for that alone",
            ));
        }
        let unproven = self.request.status == InformationRequestStatus::Received;
        if unproven && said.outcome != Withdrawn && said.refusal != Some(RefusalGround::NotProven) {
            return Err(Kind::InformationRequestStatus.into());
        }
        let correct = self.request.kind == InformationRequestKind::Correct;
        let fits = match said.outcome {
            Corrected | PartlyCorrected => correct,
            Answered => !correct,
            Refused => true,
            Withdrawn => self.on_paper,
        };
        if !fits {
            return Err(Problem::invalid("/outcome", "does not fit what is asked"));
        }
        self.check_version(&said)?;
        self.request.status = match said.outcome {
            Corrected => InformationRequestStatus::Corrected,
            PartlyCorrected => InformationRequestStatus::PartlyCorrected,
            Refused => InformationRequestStatus::Refused,
            Answered => InformationRequestStatus::Answered,
            Withdrawn => InformationRequestStatus::Withdrawn,
        };
        self.request.refusal = said.refusal;
        self.request.record_version = said.record_version;
        self.end(matches!(said.outcome, Refused | PartlyCorrected), now);
        Ok(())
    }

    fn check_version(&self, said: &InformationOutcomeIn) -> Result<(), Problem> {
        use InformationOutcome::{Corrected, PartlyCorrected};
        let corrects = matches!(said.outcome, Corrected | PartlyCorrected);
        let own = !matches!(
            self.request.fact,
            None | Some(ContestedFact::Carer | ContestedFact::Involvement)
        );
        let (asked, current) = self.versions;
        match said.record_version {
            Some(_) if !corrects => {
                Err(Problem::invalid("/recordVersion", "is for a correction alone"))
            }
            Some(version) if version <= asked || version > current => {
                Err(Problem::invalid("/recordVersion", "must be a version made since it was asked"))
            }
            None if corrects && own => {
                Err(Problem::invalid("/recordVersion", "is required of this correction"))
            }
            _ => Ok(()),
        }
    }

    /// Takes it back.
    pub(crate) fn withdraw(&mut self, now: DateTime<Utc>) -> Result<(), Problem> {
        self.stands(InformationRequestStatus::is_open)?;
        self.request.status = InformationRequestStatus::Withdrawn;
        self.end(false, now);
        Ok(())
    }

    fn end(&mut self, keeps_statement: bool, now: DateTime<Utc>) {
        self.request.closed_at = Some(now);
        self.request.statement = self.request.statement.take().filter(|_| keeps_statement);
    }
}
