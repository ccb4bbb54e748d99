//! Two records side by side: how each field agrees, and what that says in bits.

use serde::{Deserialize, Serialize};

use crate::{
    estimate::{self, Prior},
    frequency::{Frequencies, is_a_given_name},
    model::Model,
    nickname,
    person::{Birth, Person, PersonName, Place},
    similarity::{Likeness, likeness, within_one_edit},
};

/// What is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Field {
    /// The family name.
    FamilyName,
    /// The first given name.
    GivenName,
    /// The given names after the first.
    FurtherNames,
    /// The date of birth.
    DateOfBirth,
    /// The gender.
    Gender,
    /// The postcode.
    Postcode,
    /// The number of the house, where the postcode agrees.
    House,
    /// The street, where the postcode does not agree.
    Street,
    /// The town, where the postcode does not agree.
    Town,
    /// Who cares for the child.
    Carer,
    /// The school or nursery.
    School,
    /// The general practice.
    Practice,
    /// An identifier.
    Identifier,
}

/// How a field agrees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Level {
    /// It is the same.
    Same,
    /// One half of a family name, or one of several parts, is the same.
    Part,
    /// One letter or digit is another, is missing, is too many, or has changed places with the next.
    OneEdit,
    /// The spelling is close.
    Close,
    /// The spelling is distantly alike.
    Distant,
    /// It is the same name as it is written elsewhere, such as Mohammed and Muhammad, or in its form for women and for men.
    Variant,
    /// One name is short for the other.
    Nickname,
    /// One is the initial of the other.
    Initial,
    /// The first given name is one of the other's further given names.
    OtherGivenName,
    /// The spelling is alike, but both are names that children are given: it may be a brother or sister.
    AnotherRealName,
    /// Given name and family name have changed places, and are the same.
    SwappedSame,
    /// Given name and family name have changed places, and are alike.
    SwappedLike,
    /// Day and month have changed places.
    Swapped,
    /// Day and month have changed places, and a digit is another.
    SwappedOneDigit,
    /// One digit of the date is another.
    OneDigit,
    /// Day and month are the same, and the year is another.
    MonthAndDay,
    /// Two of day, month and year are the same.
    TwoParts,
    /// Only the year is the same.
    SameYear,
    /// The date lies in the month or year that is known.
    WithinWhatIsKnown,
    /// Both are 1 January of one year, which is written where no date of birth is known.
    Placeholder,
    /// Two letters or digits of the postcode are others.
    TwoEdits,
    /// All but the last two letters of the postcode are the same.
    SameSector,
    /// The first half of the postcode is the same.
    SameDistrict,
    /// The letters at the beginning of the postcode are the same.
    SameArea,
    /// Street and number of the house are the same.
    SameWithHouse,
    /// The street is the same, as is the postcode.
    SameHere,
    /// The street is alike, and the postcode the same.
    AlikeHere,
    /// The street is another, though the postcode is the same.
    DifferentHere,
    /// The given name of a carer is the same.
    SameGivenName,
    /// The family name of a carer is the same.
    SameFamilyName,
    /// It is another.
    Different,
}

/// How one field agrees, and what that says.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// What was compared.
    pub field: Field,
    /// How it agrees.
    pub level: Level,
    /// What that says, in bits: above 0 for one child, below 0 for two.
    pub bits: f64,
}

/// Two records side by side.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    /// All evidence together with what stands before any, in bits: 10 is odds of a thousand to one.
    pub bits: f64,
    /// What speaks for one child and against two of one family, in bits: twins share all but given name and gender,
    /// brothers and sisters all but these and the date of birth. It bounds [`Comparison::bits`] from above.
    pub apart: f64,
    /// The fields that both records have.
    pub findings: Vec<Finding>,
}

impl Comparison {
    /// How a field agrees, where both records have it.
    #[must_use]
    pub fn level(&self, field: Field) -> Option<Level> {
        self.findings.iter().find(|finding| finding.field == field).map(|finding| finding.level)
    }
}

/// A model, and the frequencies that it goes by.
#[derive(Debug, Clone, PartialEq)]
pub struct Matcher {
    /// The model.
    pub model: Model,
    /// The frequencies.
    pub frequencies: Frequencies,
}

/// Names alike in these ways may be one name.
const NAMED: [Level; 4] = [Level::Same, Level::OneEdit, Level::Close, Level::Nickname];

impl Matcher {
    /// A model by which different children agree as the pairs of the index do; how records of one child agree is the model's.
    #[must_use]
    pub fn of(model: Model, frequencies: Frequencies) -> Self {
        let model = estimate::with_different(&model, &frequencies.random, Prior::default());
        Self { model, frequencies }
    }

    /// Weighs what speaks for one child and what for two.
    #[must_use]
    pub fn compare(&self, asked: &Person, known: &Person) -> Comparison {
        let mut findings = Vec::with_capacity(10);
        findings.extend(self.names(asked, known));
        findings.extend(
            asked
                .birth
                .zip(known.birth)
                .map(|(a, b)| self.finding(Field::DateOfBirth, birth_level(a, b), 0.0)),
        );
        findings.extend(asked.gender.zip(known.gender).map(|(a, b)| {
            let level = if a == b { Level::Same } else { Level::Different };
            self.finding(Field::Gender, level, 0.5)
        }));
        findings.extend(self.places(asked, known));
        findings.extend(self.carers(asked, known));
        findings.extend(self.of_lists(Field::School, &asked.schools, &known.schools));
        findings.extend(self.of_lists(Field::Practice, &asked.practices, &known.practices));
        findings.extend(self.identifiers(asked, known));
        let bits = self.model.prior() + findings.iter().map(|finding| finding.bits).sum::<f64>();
        Comparison { bits, apart: bits, findings }
    }

    fn finding(&self, field: Field, level: Level, frequency: f64) -> Finding {
        Finding { field, level, bits: self.model.bits(field, level, frequency) }
    }

    /// The best of all pairs of names.
    fn names(&self, asked: &Person, known: &Person) -> Vec<Finding> {
        let pairs =
            asked.names.iter().flat_map(|a| known.names.iter().map(move |b| (&a.name, &b.name)));
        let compared = pairs.map(|(a, b)| self.name(a, b));
        compared.max_by(|a, b| sum(a).total_cmp(&sum(b))).unwrap_or_default()
    }

    fn name(&self, asked: &PersonName, known: &PersonName) -> Vec<Finding> {
        let family = self.family(asked, known);
        let given = self.given(asked, known);
        let straight: Vec<_> = family.into_iter().chain(given).collect();
        let turned = self.turned(asked, known);
        if !turned.is_empty() && sum(&turned) > sum(&straight) { turned } else { straight }
    }

    fn family(&self, asked: &PersonName, known: &PersonName) -> Option<Finding> {
        let (a, b) = (asked.whole_family(), known.whole_family());
        if a.is_empty() || b.is_empty() {
            return None;
        }
        let rarest = |names: &mut dyn Iterator<Item = &String>| {
            names.map(|name| self.frequencies.of_family(name)).min_by(f64::total_cmp)
        };
        if a == b {
            return Some(self.finding(
                Field::FamilyName,
                Level::Same,
                self.frequencies.of_family(&a),
            ));
        }
        if let Some(share) =
            rarest(&mut asked.family.iter().filter(|part| known.family.contains(part)))
        {
            let most = self.model.bits(Field::FamilyName, Level::Part, 0.0) + 3.0;
            let bits = (0.5 / share).log2().min(most);
            return Some(Finding { field: Field::FamilyName, level: Level::Part, bits });
        }
        Some(self.finding(Field::FamilyName, level_of(likeness(&a, &b)), 0.0))
    }

    fn given(&self, asked: &PersonName, known: &PersonName) -> Option<Finding> {
        let (a, b) = (asked.first(), known.first());
        if a.is_empty() || b.is_empty() {
            return None;
        }
        let level = if a == b {
            Level::Same
        } else if a.len() == 1 || b.len() == 1 {
            if a[..1] == b[..1] { Level::Initial } else { Level::Different }
        } else if nickname::stand_for_one_another(a, b) {
            Level::Nickname
        } else {
            match level_of(likeness(a, b)) {
                Level::Different
                    if asked.given.iter().any(|part| part == b)
                        || known.given.iter().any(|part| part == a) =>
                {
                    Level::OtherGivenName
                }
                Level::Different => Level::Different,
                _ if is_a_given_name(a) && is_a_given_name(b) => Level::AnotherRealName,
                level => level,
            }
        };
        Some(self.finding(Field::GivenName, level, self.frequencies.of_given(a)))
    }

    /// Given name and family name changed over.
    fn turned(&self, asked: &PersonName, known: &PersonName) -> Vec<Finding> {
        let level = |a: &str, b: &str| {
            let level = level_of(likeness(a, b));
            (!a.is_empty() && !b.is_empty() && NAMED.contains(&level)).then_some(match level {
                Level::Same => Level::SwappedSame,
                _ => Level::SwappedLike,
            })
        };
        let family = level(asked.first(), &known.whole_family());
        let given = level(&asked.whole_family(), known.first());
        family.zip(given).map_or_else(Vec::new, |(family, given)| {
            vec![
                self.finding(Field::FamilyName, family, self.frequencies.of_family(asked.first())),
                self.finding(Field::GivenName, given, self.frequencies.of_given(known.first())),
            ]
        })
    }

    /// The best of all pairs of addresses.
    fn places(&self, asked: &Person, known: &Person) -> Vec<Finding> {
        let pairs = asked.places.iter().flat_map(|a| known.places.iter().map(move |b| (a, b)));
        let compared = pairs.map(|(a, b)| self.place(a, b));
        compared.max_by(|a, b| sum(a).total_cmp(&sum(b))).unwrap_or_default()
    }

    fn place(&self, asked: &Place, known: &Place) -> Vec<Finding> {
        let mut findings = Vec::new();
        let postcode = (!asked.postcode.is_empty() && !known.postcode.is_empty())
            .then(|| postcode_level(&asked.postcode, &known.postcode));
        findings.extend(postcode.map(|level| {
            self.finding(Field::Postcode, level, self.frequencies.of_postcode(&known.postcode))
        }));
        let same_house = !asked.house.is_empty() && asked.house == known.house;
        if postcode == Some(Level::Same) {
            if !asked.house.is_empty() && !known.house.is_empty() {
                let level = if same_house { Level::Same } else { Level::Different };
                findings.push(self.finding(Field::House, level, 0.0));
            }
            if !asked.street.is_empty() && !known.street.is_empty() {
                let level = match likeness(&asked.street, &known.street) {
                    Likeness::Same => Level::SameHere,
                    Likeness::OneEdit | Likeness::Close => Level::AlikeHere,
                    _ => Level::DifferentHere,
                };
                findings.push(self.finding(Field::Street, level, 0.0));
            }
        } else if !asked.street.is_empty() && !known.street.is_empty() {
            let level = match (level_of(likeness(&asked.street, &known.street)), same_house) {
                (Level::Same, true) => Level::SameWithHouse,
                (Level::Same, false) => Level::Same,
                (Level::OneEdit | Level::Close, true) => Level::OneEdit,
                _ => Level::Different,
            };
            findings.push(self.finding(Field::Street, level, 0.0));
        }
        findings
    }

    fn carers(&self, asked: &Person, known: &Person) -> Option<Finding> {
        let pairs = asked.carers.iter().flat_map(|a| known.carers.iter().map(move |b| (a, b)));
        let compared = pairs.map(|(a, b)| {
            let given = !a.first().is_empty() && a.first() == b.first();
            let family = !a.family.is_empty() && a.family == b.family;
            let level = match (given, family) {
                (true, true) => Level::Same,
                (true, false) => Level::SameGivenName,
                (false, true) => Level::SameFamilyName,
                (false, false) => Level::Different,
            };
            self.finding(Field::Carer, level, 0.0)
        });
        compared.max_by(|a, b| a.bits.total_cmp(&b.bits))
    }

    fn of_lists(&self, field: Field, asked: &[u64], known: &[u64]) -> Option<Finding> {
        if asked.is_empty() || known.is_empty() {
            return None;
        }
        let common = asked.iter().any(|one| known.contains(one));
        Some(self.finding(field, if common { Level::Same } else { Level::Different }, 0.0))
    }

    fn identifiers(&self, asked: &Person, known: &Person) -> Option<Finding> {
        let kind = |identifier: &str| identifier.split(':').next().unwrap_or_default().to_owned();
        let level = if asked.identifiers.iter().any(|one| known.identifiers.contains(one)) {
            Level::Same
        } else if asked
            .identifiers
            .iter()
            .any(|a| known.identifiers.iter().any(|b| kind(a) == kind(b)))
        {
            Level::Different
        } else {
            return None;
        };
        Some(self.finding(Field::Identifier, level, 0.0))
    }
}

fn sum(findings: &[Finding]) -> f64 {
    findings.iter().map(|finding| finding.bits).sum()
}

fn level_of(likeness: Likeness) -> Level {
    match likeness {
        Likeness::Same => Level::Same,
        Likeness::OneEdit => Level::OneEdit,
        Likeness::Close => Level::Close,
        Likeness::Distant => Level::Distant,
        Likeness::Different => Level::Different,
    }
}

fn birth_level(a: Birth, b: Birth) -> Level {
    let (Some((am, ad)), Some((bm, bd))) = (a.month_and_day(), b.month_and_day()) else {
        let agree = |a: Option<u8>, b: Option<u8>| a.is_none() || b.is_none() || a == b;
        let within = a.year == b.year && agree(a.month, b.month) && agree(a.day, b.day);
        return if within { Level::WithinWhatIsKnown } else { Level::Different };
    };
    if a == b {
        return Level::Same;
    }
    if a.swapped() == Some(b) {
        return Level::Swapped;
    }
    let digits = |year: i16, month: u8, day: u8| format!("{year:04}{month:02}{day:02}");
    if within_one_edit(digits(a.year, am, ad).as_bytes(), digits(b.year, bm, bd).as_bytes()) {
        return Level::OneDigit;
    }
    match u8::from(a.year == b.year) + u8::from(am == bm) + u8::from(ad == bd) {
        2.. => Level::TwoParts,
        _ if a.year == b.year => Level::SameYear,
        _ => Level::Different,
    }
}

fn postcode_level(a: &str, b: &str) -> Level {
    if a == b {
        return Level::Same;
    }
    let area =
        |postcode: &str| postcode.chars().take_while(char::is_ascii_alphabetic).collect::<String>();
    let whole = a.contains(' ') && b.contains(' ');
    let (x, y) = (a.replace(' ', ""), b.replace(' ', ""));
    if whole && within_one_edit(x.as_bytes(), y.as_bytes()) {
        Level::OneEdit
    } else if whole
        && a.split(' ').next() == b.split(' ').next()
        && x.chars().rev().nth(2) == y.chars().rev().nth(2)
    {
        Level::SameSector
    } else if a.split(' ').next() == b.split(' ').next() {
        Level::SameDistrict
    } else if !area(a).is_empty() && area(a) == area(b) {
        Level::SameArea
    } else {
        Level::Different
    }
}
