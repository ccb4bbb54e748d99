//! What a comparison says, in plain English. Never a figure of likelihood: what the evidence amounts to is for a person to judge.

use crate::{
    compare::{Comparison, Field, Level, Matcher},
    decide::Reason,
    frequency::Frequencies,
    person::Person,
};

/// What is said of one field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// What was compared.
    pub field: Field,
    /// How it agrees.
    pub level: Level,
    /// That, in words.
    pub words: String,
}

impl Matcher {
    /// What is said of every field that both records have, and how rare a name is that agrees.
    #[must_use]
    pub fn explain(&self, asked: &Person, known: &Person, comparison: &Comparison) -> Vec<Said> {
        let findings = comparison.findings.iter();
        findings
            .map(|finding| {
                let mut words = sentence(finding.field, finding.level);
                if finding.level == Level::Same
                    && let Some(share) = self.share(finding.field, asked, known)
                    && let Some(rarity) = rarity(finding.field, share, &self.frequencies)
                {
                    words = format!("{words} {rarity}");
                }
                Said { field: finding.field, level: finding.level, words }
            })
            .collect()
    }

    /// The share of children who have the name that both records have.
    fn share(&self, field: Field, asked: &Person, known: &Person) -> Option<f64> {
        let mut asked = asked.names.iter().map(|name| &name.name);
        let known = || known.names.iter().map(|name| &name.name);
        match field {
            Field::FamilyName => asked
                .map(crate::PersonName::whole_family)
                .find(|family| known().any(|name| name.whole_family() == *family))
                .map(|family| self.frequencies.of_family(family)),
            Field::GivenName => asked
                .find(|name| known().any(|other| other.first() == name.first()))
                .map(|name| self.frequencies.of_given(name.first())),
            _ => None,
        }
    }
}

/// From as many counted children on, a number of them is told.
const ENOUGH: u64 = 10_000;
/// Up to so many who have a name, their number is told, in steps of [`STEP`] and never less than that.
const FEW: f64 = 500.0;
const STEP: f64 = 20.0;

fn rarity(field: Field, share: f64, frequencies: &Frequencies) -> Option<String> {
    let name = if field == Field::FamilyName { "family name" } else { "given name" };
    if share >= 1e-3 {
        return Some(format!("Many children have this {name}."));
    }
    if frequencies.children < ENOUGH {
        return (share <= 2e-5).then(|| format!("It is a rare {name}."));
    }
    #[expect(clippy::cast_precision_loss, reason = "counts of children are far below 2^52")]
    let have = share * frequencies.index.max(frequencies.children) as f64;
    (have <= FEW).then(|| {
        let about = ((have / STEP).round() * STEP).max(STEP);
        format!("Only about {about:.0} children here have this {name}.")
    })
}

/// What one field says.
#[must_use]
pub fn sentence(field: Field, level: Level) -> String {
    match (field, level) {
        (Field::FamilyName | Field::GivenName, Level::SwappedSame) => {
            return "Given name and family name have changed places.".to_owned();
        }
        (Field::FamilyName | Field::GivenName, Level::SwappedLike) => {
            return "Given name and family name have changed places, in another spelling."
                .to_owned();
        }
        (Field::House, Level::Same) => return "The number of the house is the same.".to_owned(),
        (Field::DateOfBirth, Level::Placeholder) => {
            return "Both dates of birth are 1 January, which is written where none is known."
                .to_owned();
        }
        (Field::FurtherNames, Level::Same) => {
            return "The further given names are the same.".to_owned();
        }
        (Field::FurtherNames, Level::Different) => {
            return "The further given names are others.".to_owned();
        }
        (Field::Street, Level::SameWithHouse) => {
            return "Street and number of the house are the same.".to_owned();
        }
        (Field::House, Level::Different) => {
            return "The postcode is the same, and the number of the house is another.".to_owned();
        }
        (Field::Identifier, Level::Different) => {
            return "An identifier of the same kind is another.".to_owned();
        }
        (Field::School, Level::Different) => {
            return "The school that is known is another.".to_owned();
        }
        (Field::Practice, Level::Different) => {
            return "The general practice that is known is another.".to_owned();
        }
        _ => {}
    }
    format!("{} {}.", subject(field), predicate(level))
}

fn subject(field: Field) -> &'static str {
    match field {
        Field::FamilyName => "The family name",
        Field::GivenName => "The given name",
        Field::FurtherNames => "The further given names",
        Field::DateOfBirth => "The date of birth",
        Field::Gender => "The gender",
        Field::Postcode => "The postcode",
        Field::House => "The house",
        Field::Street => "The street",
        Field::Town => "The town",
        Field::Carer => "The name of a parent or carer",
        Field::School => "The school",
        Field::Practice => "The general practice",
        Field::Identifier => "The identifier",
    }
}

fn predicate(level: Level) -> &'static str {
    match level {
        Level::Same | Level::SameHere => "is the same",
        Level::Variant => "is the same name, written another way",
        Level::SwappedOneDigit => "has day and month swapped, and one digit wrong",
        Level::MonthAndDay => "agrees in day and month, and the year is another",
        Level::TwoEdits => "differs by two letters or digits",
        Level::AlikeHere => "is written alike",
        Level::Part => "is the same in one of its parts",
        Level::OneEdit => "differs by one letter or digit, or by two that have changed places",
        Level::Close => "is spelt nearly the same",
        Level::Distant => "is spelt somewhat alike",
        Level::Nickname => "is a short form of the other, or of the same name",
        Level::Initial => "is the initial of the other",
        Level::OtherGivenName => "is among the other's further given names",
        Level::AnotherRealName => {
            "is spelt alike, but both are names of their own: it may be a brother or sister"
        }
        Level::Swapped => "has day and month swapped",
        Level::OneDigit => "has one digit wrong",
        Level::TwoParts => "agrees in two of day, month and year",
        Level::SameYear => "agrees in the year alone",
        Level::WithinWhatIsKnown => "lies in the month or year that is known",
        Level::SameSector => "is the same but for its last two letters",
        Level::SameDistrict => "begins with the same half",
        Level::SameArea => "is of the same area",
        Level::SameGivenName => "has the same given name",
        Level::SameFamilyName => "has the same family name",
        Level::Different | Level::DifferentHere => "is another",
        _ => "agrees in part",
    }
}

/// Why it is not certain that it is this child.
#[must_use]
pub fn doubt(reason: Reason) -> &'static str {
    match reason {
        Reason::IdentifierDiffers => "An identifier of the same kind is another.",
        Reason::GivenName => "The given names are not close.",
        Reason::DateOfBirth => "The dates of birth are not close.",
        Reason::FamilyName => "The family names are not close, and the home is not the same.",
        Reason::Gender => "The gender is the other: it may be a twin.",
        Reason::House => "It is another house under the same postcode.",
        Reason::FewAreSame => "Fewer than two things are exactly the same.",
        Reason::NameAndBirth => "Neither given name nor date of birth is exactly the same.",
        Reason::TooLittle => "What agrees is too little to be sure.",
        Reason::TooClose => "Another child comes close.",
        Reason::ManyMatch => "What was asked fits two children.",
        Reason::Namesake => {
            "No more than names and date of birth agree, which another child may have too."
        }
        Reason::Relative => "A twin, a brother or a sister would agree as much.",
        Reason::OneSource => "The same source has the child under another reference.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Birth, Model, Name, NameKind, PersonName};

    fn person(given: &str, family: &str, birth: Birth) -> Person {
        let name = PersonName::of(&[given], family);
        Person {
            names: vec![Name { kind: NameKind::Current, name }],
            birth: Some(birth),
            ..Person::default()
        }
    }

    fn words(frequencies: Frequencies, asked: &Person, known: &Person) -> Vec<String> {
        let matcher = Matcher { model: Model::cold(), frequencies };
        let comparison = matcher.compare(asked, known);
        matcher.explain(asked, known, &comparison).into_iter().map(|said| said.words).collect()
    }

    #[test]
    fn a_rare_name_is_told_as_a_round_number_and_a_birth_with_day_and_month_swapped_so() {
        let family = [("testley".to_owned(), 43), ("smith".to_owned(), 9000)].into();
        let counted = Frequencies { children: 1_000_000, family, ..Frequencies::default() };
        let asked = person("Amy", "Testley", Birth::on(2015, 3, 4));
        let said = words(counted.clone(), &asked, &person("Amy", "Testley", Birth::on(2015, 4, 3)));
        assert_eq!(
            said[0],
            "The family name is the same. Only about 40 children here have this family name."
        );
        assert!(
            said.contains(&"The date of birth has day and month swapped.".to_owned()),
            "{said:?}"
        );
        let smith = person("Amy", "Smith", Birth::on(2015, 3, 4));
        assert!(
            words(counted, &smith, &smith)[0].ends_with("Many children have this family name.")
        );
    }

    #[test]
    fn one_child_of_a_name_is_never_told_apart_from_a_few() {
        let told = [1, 7, 12, 25].map(|count| {
            let family = [("testley".to_owned(), count)].into();
            let counted = Frequencies { children: 1_000_000, family, ..Frequencies::default() };
            let amy = person("Amy", "Testley", Birth::on(2015, 3, 4));
            words(counted, &amy, &amy).remove(0)
        });
        assert!(told.iter().all(|words| *words == told[0]), "{told:?}");
    }
}
