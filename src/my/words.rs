//! Every text that a child reads. Short sentences and common words: fit for somebody of twelve, which the tests measure.

use chrono::{Datelike, NaiveDate};

use super::Saw;
use crate::{
    access::{Reason, Role},
    carer::{Carer, Relationship},
    child::{
        address::AddressLine,
        birth::{DatePrecision, Gender},
        identifier::IdentifierKind,
        name::{NameKind, NamePart},
        whereabouts::{Return, Whereabouts},
    },
    contact::{Contact, PersonLine, Phone},
    information_request::InformationRequestStatus,
    involvement::{Flag, ServiceType},
    subject::SubjectCapacity,
};

/// To whom the text speaks: the child, or a carer about the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Voice(pub SubjectCapacity);

impl Voice {
    fn pick(self, child: &'static str, carer: &'static str) -> &'static str {
        if self.0 == SubjectCapacity::Child { child } else { carer }
    }

    fn you(self) -> &'static str {
        self.pick("you", "your child")
    }

    fn your(self) -> &'static str {
        self.pick("your", "your child's")
    }

    fn begins(self) -> &'static str {
        self.pick("Your", "Your child's")
    }

    /// What the record is, and what can be done about it.
    #[must_use]
    pub fn about(self, archived: bool, kept_private: bool) -> Vec<String> {
        let mut told = vec![
            format!("This is {} record. It says who {} and who works with {}.", self.your(), self.pick("you are", "your child is"), self.you()),
            "It holds names and ways to get in touch. It does not hold notes or secrets.".to_owned(),
            "Is something wrong? You can ask us to put it right. We will check it with the people who told us.".to_owned(),
            "You can also see who has looked at it, and why.".to_owned(),
        ];
        if archived {
            told.push("The record is closed now. Hardly anyone can see it. We keep it for six years and then we delete it.".to_owned());
        }
        if kept_private {
            told.push(
                "Some things are kept private to keep people safe. They are not shown here."
                    .to_owned(),
            );
        }
        told
    }

    /// A name.
    #[must_use]
    pub fn name(self, kind: NameKind, name: &str) -> String {
        match kind {
            NameKind::Current => format!("{} name is {name}.", self.begins()),
            NameKind::Former => format!("{} name was {name} before.", self.begins()),
            NameKind::KnownAs => format!("People also call {} {name}.", self.you()),
        }
    }

    /// A birth.
    #[must_use]
    pub fn birth(self, born: NaiveDate, precision: DatePrecision, guess: bool) -> String {
        let was = self.pick("You were", "Your child was");
        let when = match precision {
            DatePrecision::Day => format!("on {}", day(born)),
            DatePrecision::Month => format!("in {}", born.format("%B %Y")),
            DatePrecision::Year => format!("in {}", born.year()),
        };
        let guess = if guess { " This is a guess." } else { "" };
        format!("{was} born {when}.{guess}")
    }

    /// A gender.
    #[must_use]
    pub fn gender(self, gender: Gender) -> String {
        let are = self.pick("you are", "your child is");
        match gender {
            Gender::Female => format!("The record says that {are} a girl."),
            Gender::Male => format!("The record says that {are} a boy."),
            Gender::NotSpecified => {
                format!("The record does not say if {are} a girl or a boy.")
            }
        }
    }

    /// Where the child is.
    #[must_use]
    pub fn whereabouts(self, whereabouts: &Whereabouts) -> String {
        let at = whereabouts.address().map(|address| {
            let lines = address.lines.iter().map(AddressLine::as_str);
            let parts: Vec<_> =
                lines.chain([address.town.as_str(), address.postcode.as_str()]).collect();
            parts.join(", ")
        });
        match (whereabouts, at) {
            (Whereabouts::Current { .. }, Some(at)) => {
                format!("{} at {at}.", self.pick("You live", "Your child lives"))
            }
            (Whereabouts::LastKnown { .. }, Some(at)) => format!(
                "{} at {at} before. We do not know where {} now.",
                self.pick("You lived", "Your child lived"),
                self.pick("you live", "your child lives"),
            ),
            (Whereabouts::LeftEngland { left_on, returning }, _) => format!(
                "{} left England on {}. {}",
                self.pick("You", "Your child"),
                day(*left_on),
                match returning {
                    Return::Intends => "We were told of a plan to come back.",
                    Return::DoesNotIntend => "We were told of no plan to come back.",
                    Return::NotKnown => "We do not know of a plan to come back.",
                },
            ),
            _ => format!("We do not know where {}.", self.pick("you live", "your child lives")),
        }
    }

    /// A number that another body gave.
    #[must_use]
    pub fn identifier(self, kind: IdentifierKind, value: &str) -> String {
        let whose = match kind {
            IdentifierKind::Upn => "Schools",
            IdentifierKind::Uln => "Colleges",
            IdentifierKind::NhsNumber => "Doctors and hospitals",
            IdentifierKind::ChildReference => "The council's helpers",
            IdentifierKind::NationalInsuranceNumber => "The tax office",
        };
        format!("{whose} know {} by the number {value}.", self.you())
    }

    /// A carer.
    #[must_use]
    pub fn carer(self, carer: &Carer) -> String {
        let given: Vec<_> = carer.name.given.iter().map(NamePart::as_str).collect();
        let name = format!("{} {}", given.join(" "), carer.name.family.as_str());
        let is = match carer.relationship {
            Relationship::Mother => "mother",
            Relationship::Father => "father",
            Relationship::StepParent => "step-parent",
            Relationship::Grandparent => "grandparent",
            Relationship::FosterCarer => "foster carer",
            Relationship::Guardian => "guardian",
            Relationship::OtherRelative | Relationship::Other => "carer",
        };
        let decides = if carer.parental_responsibility {
            format!(" By law, {name} can decide things for {}.", self.you())
        } else {
            String::new()
        };
        let phones: Vec<_> = carer.phones.iter().map(Phone::as_str).collect();
        let reach = match phones.as_slice() {
            [] => String::new(),
            phones => format!(" The phone number is {}.", phones.join(" or ")),
        };
        format!("{name} is {} {is}.{decides}{reach}", self.your())
    }

    /// What a service does.
    #[must_use]
    pub fn service(self, service: ServiceType) -> &'static str {
        match service {
            ServiceType::EarlyYears => {
                "This is a nursery or a childminder. They look after young children."
            }
            ServiceType::School => {
                self.pick("This is your school.", "This is your child's school.")
            }
            ServiceType::College => {
                self.pick("This is your college.", "This is your child's college.")
            }
            ServiceType::GeneralPractice => {
                self.pick("This is your doctor.", "This is your child's doctor.")
            }
            ServiceType::HealthVisiting => {
                "A health visitor helps families with babies and small children."
            }
            ServiceType::SchoolNursing => "A school nurse helps pupils to stay well.",
            ServiceType::SocialCare => "A social worker helps families when things are hard.",
            ServiceType::EarlyHelp => "This team helps families early, before things get hard.",
            ServiceType::EducationWelfare => "This team helps children to go to school.",
            ServiceType::YouthJustice => {
                "This team helps young people who have been in trouble with the law."
            }
            ServiceType::Police => "These are the police.",
            ServiceType::Paediatrics => "This is a hospital team for children.",
            ServiceType::SpeechAndLanguageTherapy => "This team helps children with talking.",
            ServiceType::CommunityHealth => "This is a health team that works near home.",
            ServiceType::FamilySupport => "This team helps families at home.",
            ServiceType::YouthService => "This team runs things to do for young people.",
            ServiceType::Housing => "This team helps people to find and keep a home.",
            ServiceType::SexualHealth => "This team helps with sex and safe relationships.",
            ServiceType::MentalHealth => "This team helps with feelings and worries.",
            ServiceType::SubstanceMisuse => "This team helps with drugs and drink.",
        }
    }

    /// Since when somebody has worked with the child.
    #[must_use]
    pub fn works(self, who: &str, since: NaiveDate, until: Option<NaiveDate>) -> String {
        let you = self.you();
        match until {
            None => format!("{who} has worked with {you} since {}.", day(since)),
            Some(until) => {
                format!("{who} worked with {you} from {} to {}.", day(since), day(until))
            }
        }
    }

    /// That a sensitive service is kept from carers.
    #[must_use]
    pub fn private(self) -> &'static str {
        "Only you see this here. We do not show it to the people who care for you."
    }

    /// What those who work with the child tell one another.
    #[must_use]
    pub fn flag(self, flag: Flag) -> String {
        let you = self.you();
        match flag {
            Flag::InformationToShare => {
                "They have told the others that they know something that may help.".to_owned()
            }
            Flag::TakingAction => {
                format!("They have told the others that they are helping {you} now.")
            }
            Flag::AssessmentUndertaken => {
                format!("They have told the others that they looked at what help {you} may need.")
            }
            Flag::LeadProfessional => {
                format!("They bring together all the people who help {you}.")
            }
        }
    }

    /// How a request stands.
    #[must_use]
    pub fn request(self, status: InformationRequestStatus, due: NaiveDate) -> String {
        use InformationRequestStatus as S;
        let soon = format!("We will answer by {}.", day(due));
        match status {
            S::Received => format!("We have what you asked. Please show us who you are. {soon}"),
            S::IdentityChecked => format!("We have what you asked. {soon}"),
            S::Forwarded => format!("We are asking the people who told us. {soon}"),
            S::Corrected => "You were right. We have put it right.".to_owned(),
            S::PartlyCorrected => {
                "We have put a part of it right. We keep what you told us with the record.".to_owned()
            }
            S::Refused => "We did not do what you asked. We keep what you told us with the record. You can complain to us, or to the Information Commissioner.".to_owned(),
            S::Answered => "We have answered you.".to_owned(),
            S::Withdrawn => "You took this back.".to_owned(),
        }
    }

    /// Who looked, what they saw and why.
    #[must_use]
    pub fn look(self, role: Role, saw: Saw, reason: Option<&str>) -> String {
        let known = Reason::ALL.iter().find(|(_, code, _)| reason == Some(*code));
        let why = known.map(|(known, ..)| format!(" Why: {}.", self.why(*known)));
        format!("{} {}.{}", Self::who(role), self.saw(saw), why.unwrap_or_default())
    }

    fn who(role: Role) -> &'static str {
        match role {
            Role::Practitioner => "Someone who works with children",
            Role::PractitionerWithOverride => "Someone who helps to keep children safe",
            Role::Steward => "Someone who keeps the records right",
            Role::ShieldApprover => "Someone who decides what is kept private",
            Role::AccountAdministrator => "Someone who looks after the staff list",
            Role::Operator => "Someone who runs the index",
            Role::Auditor => "Someone who checks how records are used",
            Role::ArchiveReviewer => "Someone who may open closed records",
            Role::Subject => "Someone who acts for you",
            Role::Feed | Role::CaseSystem => "A computer",
        }
    }

    fn saw(self, saw: Saw) -> String {
        let your = self.your();
        match saw {
            Saw::Record => format!("opened {your} whole record"),
            Saw::Part => format!("looked at a part of {your} record"),
            Saw::Before => format!("looked at what {your} record said before"),
            Saw::Found => format!("found {your} record in a search"),
            Saw::Listed => format!("saw {your} record in a list"),
            Saw::Private => format!("asked to see the private part of {your} record"),
            Saw::Own => format!("read {your} record"),
        }
    }

    fn why(self, reason: Reason) -> String {
        let you = self.you();
        match reason {
            Reason::DirectService => format!("to help or look after {you}"),
            Reason::SafeguardingEnquiry => {
                format!("to check that {you} {} safe", self.pick("were", "was"))
            }
            Reason::Assessment => format!("to find out what help {you} may need"),
            Reason::MissingEducation => format!("to check that {you} had a school to go to"),
            Reason::Transfer => format!("to help when {you} moved"),
            Reason::DataQuality => "to keep the record right".to_owned(),
            Reason::SubjectRequest => "someone had asked to see or change it".to_owned(),
            Reason::Audit => "to check how records are used".to_owned(),
        }
    }
}

/// Who says a thing, and since when.
#[must_use]
pub fn told(who: &str, on: NaiveDate) -> String {
    format!("{who} told us this on {}.", day(on))
}

/// How somebody is reached.
#[must_use]
pub fn reach(contact: &Contact) -> String {
    let names = [&contact.practitioner, &contact.team];
    let names: Vec<_> = names.into_iter().flatten().map(PersonLine::as_str).collect();
    let hours = contact
        .out_of_hours
        .as_ref()
        .map(|phone| format!(" At night you can call {}.", phone.as_str()));
    format!(
        "Ask for {}. You can call {} in the day.{}",
        names.join(", "),
        contact.office_hours.as_str(),
        hours.unwrap_or_default(),
    )
}

/// A day as people say it.
#[must_use]
pub fn day(day: NaiveDate) -> String {
    day.format("%-d %B %Y").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Words that people at work use, and children do not.
    const JARGON: [&str; 22] = [
        "practitioner",
        "safeguarding",
        "assessment",
        "provenance",
        "involvement",
        "identifier",
        "subject",
        "data",
        "disclosure",
        "pursuant",
        "statutory",
        "competent",
        "capacity",
        "whereabouts",
        "authority",
        "professional",
        "referral",
        "multi-agency",
        "intervention",
        "provision",
        "entity",
        "override",
    ];
    /// The school year whose pupils read the texts (United States grade 7: twelve years old).
    const GRADE: f64 = 7.0;
    const LONGEST_SENTENCE: usize = 20;

    fn voices() -> [Voice; 2] {
        [Voice(SubjectCapacity::Child), Voice(SubjectCapacity::Carer)]
    }

    /// Every text that there is, with what is put into them.
    fn texts() -> Vec<String> {
        let born: NaiveDate = "2012-03-04".parse().unwrap();
        let places = [
            json!({ "kind": "current", "address": { "lines": ["12 Harbour Way"], "town": "Bath", "postcode": "PO1 3AX" } }),
            json!({ "kind": "lastKnown", "address": { "lines": ["12 Harbour Way"], "town": "Bath", "postcode": "PO1 3AX" } }),
            json!({ "kind": "noneKnown" }),
            json!({ "kind": "leftEngland", "leftOn": "2026-05-01", "return": "intends" }),
            json!({ "kind": "leftEngland", "leftOn": "2026-05-01", "return": "doesNotIntend" }),
            json!({ "kind": "leftEngland", "leftOn": "2026-05-01", "return": "notKnown" }),
        ];
        let contact = json!({ "practitioner": "Jo Hill", "team": "Blue Team", "officeHours": "01632 960003", "outOfHours": "01632 960004" });
        let mut all =
            vec![told("Park School", born), reach(&serde_json::from_value(contact).unwrap())];
        for voice in voices() {
            all.extend(voice.about(true, true));
            all.extend(NameKind::ALL.iter().map(|kind| voice.name(*kind, "Amy Hill")));
            all.extend(
                DatePrecision::ALL.iter().map(|precision| voice.birth(born, *precision, true)),
            );
            all.extend(Gender::ALL.iter().map(|gender| voice.gender(*gender)));
            all.extend(
                places.iter().map(|place| {
                    voice.whereabouts(&serde_json::from_value(place.clone()).unwrap())
                }),
            );
            all.extend(IdentifierKind::ALL.iter().map(|kind| voice.identifier(*kind, "1234")));
            for relationship in Relationship::ALL {
                let carer = json!({ "id": "5f0c7f6e-2f9b-4a41-9c39-0f5d6d9f2c11", "name": { "given": ["Ann"], "family": "Hill" },
                    "relationship": relationship, "parentalResponsibility": true, "phones": ["01632 960001"], "emails": [], "version": 1 });
                all.push(voice.carer(&serde_json::from_value(carer).unwrap()));
            }
            all.extend(ServiceType::ALL.iter().map(|service| voice.service(*service).to_owned()));
            all.push(voice.works("Park School", born, None));
            all.push(voice.works("Park School", born, Some(born)));
            all.push(voice.private().to_owned());
            all.extend(
                InformationRequestStatus::ALL.iter().map(|status| voice.request(*status, born)),
            );
            all.extend(Flag::ALL.iter().map(|flag| voice.flag(*flag)));
            for role in Role::ALL {
                all.push(voice.look(*role, Saw::Record, None));
            }
            all.extend(Saw::ALL.iter().map(|saw| voice.look(Role::Practitioner, *saw, None)));
            all.extend(
                Reason::ALL
                    .iter()
                    .map(|(_, code, _)| voice.look(Role::Steward, Saw::Part, Some(code))),
            );
        }
        all
    }

    fn sentences(text: &str) -> Vec<Vec<String>> {
        let sentences = text.split_inclusive(['.', '?', '!']).map(|sentence| {
            let words = sentence.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '-');
            words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect::<Vec<_>>()
        });
        sentences.filter(|words| !words.is_empty()).collect()
    }

    /// As many vowels or rows of vowels as it has, but for a silent e; one at least.
    fn syllables(word: &str) -> u32 {
        let letters: Vec<char> = word.chars().collect();
        let vowel = |c: char| "aeiouy".contains(c);
        let mut count = 0;
        let mut before = false;
        for c in &letters {
            count += u32::from(vowel(*c) && !before);
            before = vowel(*c);
        }
        let silent = word.ends_with('e') && !word.ends_with("le")
            || word.ends_with("ed") && !word.ends_with("ted") && !word.ends_with("ded");
        count.saturating_sub(u32::from(silent && count > 1)).max(1)
    }

    /// The grade of Flesch and Kincaid (1975).
    fn grade(text: &str) -> f64 {
        let sentences = sentences(text);
        let words: Vec<&String> = sentences.iter().flatten().collect();
        let count = |n: usize| f64::from(u32::try_from(n).unwrap());
        let spoken: u32 = words.iter().map(|word| syllables(word)).sum();
        0.39 * count(words.len()) / count(sentences.len())
            + 11.8 * f64::from(spoken) / count(words.len())
            - 15.59
    }

    #[test]
    fn a_hard_text_is_measured_as_hard() {
        let hard = "Practitioners undertaking statutory assessments consider information concerning safeguarding responsibilities.";
        assert!(grade(hard) > 15.0 && grade("The cat sat on the mat. It was warm.") < 1.0);
        for (word, count) in [
            ("name", 1),
            ("family", 3),
            ("people", 2),
            ("helped", 1),
            ("wanted", 2),
            ("table", 2),
            ("the", 1),
        ] {
            assert_eq!(syllables(word), count, "{word}");
        }
    }

    #[test]
    fn a_pupil_of_twelve_reads_every_text() {
        let all = texts();
        for text in &all {
            assert!(grade(text) <= GRADE + 2.0, "{text}: grade {:.1}", grade(text));
        }
        let whole = all.join(" ");
        assert!(grade(&whole) <= GRADE - 2.0, "grade {:.1}", grade(&whole));
    }

    #[test]
    fn no_sentence_is_long_and_none_has_the_words_of_offices() {
        for text in texts() {
            for sentence in sentences(&text) {
                assert!(sentence.len() <= LONGEST_SENTENCE, "{sentence:?}");
                let office = sentence.iter().find(|word| JARGON.contains(&word.as_str()));
                assert_eq!(office, None, "{text}");
            }
        }
    }

    #[test]
    fn nothing_speaks_to_a_carer_as_to_the_child_about_their_own_name() {
        let [child, carer] = voices();
        assert_eq!(child.name(NameKind::Current, "Amy Hill"), "Your name is Amy Hill.");
        assert_eq!(carer.name(NameKind::Current, "Amy Hill"), "Your child's name is Amy Hill.");
        let look = child.look(Role::Practitioner, Saw::Record, Some("direct-service"));
        assert_eq!(
            look,
            "Someone who works with children opened your whole record. Why: to help or look after you."
        );
    }
}
