//! Two records side by side, weighed.

use crate::{
    birth,
    compare::{Comparison, Field, Finding, Level},
    estimate::{self, Prior},
    frequency::{Frequencies, Kindred, is_published},
    home::Home,
    model::Model,
    name::Named,
    nickname,
    person::{Person, PersonName},
    similarity::{Likeness, likeness},
    variant,
};

/// A model, and the frequencies that it goes by.
#[derive(Debug, Clone, PartialEq)]
pub struct Matcher {
    /// The model.
    pub model: Model,
    /// The frequencies.
    pub frequencies: Frequencies,
}

/// What a further agreement in where a child lives, learns and is treated is worth: these go together.
const FURTHER: f64 = 0.25;

impl Matcher {
    /// A model by which different children agree as the pairs of the index do; how records of one child agree is the model's.
    #[must_use]
    #[expect(clippy::needless_pass_by_value, reason = "who has a matcher needs the model no more")]
    pub fn of(model: Model, frequencies: Frequencies) -> Self {
        let model = estimate::with_different(&model, &frequencies.random, Prior::default());
        Self { model, frequencies }
    }

    /// Weighs what speaks for one child and what for two.
    #[must_use]
    pub fn compare(&self, asked: &Person, known: &Person) -> Comparison {
        let mut findings = Vec::with_capacity(12);
        let named = self.names(asked, known);
        findings.extend(named.findings());
        findings.extend(asked.birth.zip(known.birth).map(|(a, b)| {
            let (level, frequency) = birth::level(a, b);
            self.finding(Field::DateOfBirth, level, frequency)
        }));
        findings.extend(asked.gender.zip(known.gender).map(|(a, b)| {
            let level = if a == b { Level::Same } else { Level::Different };
            self.finding(Field::Gender, level, 0.5)
        }));
        self.whereabouts(asked, known, &mut findings);
        findings.extend(self.carers(asked, known));
        findings.extend(self.identifiers(asked, known));
        let plain = self.model.prior() + findings.iter().map(|finding| finding.bits).sum::<f64>();
        let (twin, sibling) = self.apart(&findings, &named);
        let against =
            |kin: Kindred| against_both(twin - kin.twins.log2(), sibling - kin.siblings.log2());
        let usual = Kindred { twins: self.model.kin.twins, siblings: self.model.kin.siblings };
        let here = against(self.frequencies.kindred.unwrap_or(usual));
        Comparison { bits: against_both(plain, here), apart: against(usual), findings }
    }

    pub(crate) fn finding(&self, field: Field, level: Level, frequency: f64) -> Finding {
        Finding { field, level, bits: self.model.bits(field, level, frequency) }
    }

    /// What tells one child from a twin and from a brother or sister. All else they share, so that it says nothing.
    fn apart(&self, findings: &[Finding], named: &Named) -> (f64, f64) {
        let kin = &self.model.kin;
        let (mut twin, mut sibling) = (0.0, 0.0);
        for finding in findings {
            let same = self.model.same(finding.field, finding.level);
            let than = |share: Option<f64>| share.map_or(0.0, |share| (same / share).log2());
            let level = finding.level;
            match finding.field {
                Field::GivenName => {
                    let in_use = named.in_use && level != Level::AnotherRealName;
                    let share =
                        if in_use { Some(kin.in_use) } else { kin.given.get(&level).copied() };
                    twin += than(share);
                    sibling += than(share);
                }
                Field::FurtherNames => {
                    twin += than(kin.further.get(&level).copied());
                    sibling += than(kin.further.get(&level).copied());
                }
                Field::DateOfBirth => sibling += than(kin.birth.get(&level).copied()),
                Field::Gender => {
                    let share = kin.one_gender;
                    twin += than(Some(if level == Level::Same { share } else { 1.0 - share }));
                    sibling += finding.bits;
                }
                Field::Identifier => {
                    twin += finding.bits;
                    sibling += finding.bits;
                }
                _ => {}
            }
        }
        (twin, sibling)
    }

    /// Home, school and practice: they go together, so the strongest of those that agree counts whole, the others little.
    fn whereabouts(&self, asked: &Person, known: &Person, findings: &mut Vec<Finding>) {
        let mut home = self.home(asked, known);
        let mut school = self.of_lists(Field::School, &asked.schools, &known.schools);
        let mut practice = self.of_lists(Field::Practice, &asked.practices, &known.practices);
        let bits = |finding: &Option<Finding>| finding.map_or(0.0, |finding| finding.bits);
        let strongest = home.bits().max(bits(&school)).max(bits(&practice));
        let lessen = |finding: &mut Option<Finding>, counted: bool| {
            if let Some(finding) = finding
                && finding.bits > 0.0
                && counted
            {
                finding.bits *= FURTHER;
            }
        };
        let at_home = home.bits() >= strongest;
        let at_school = !at_home && bits(&school) >= strongest;
        if !at_home && home.bits() > 0.0 {
            home.scale(FURTHER);
        }
        lessen(&mut school, !at_school);
        lessen(&mut practice, at_home || at_school);
        let Home { postcode, house, street, town } = home;
        findings.extend([postcode, house, street, town, school, practice].into_iter().flatten());
    }

    /// The carer that agrees best; a second one adds to it.
    fn carers(&self, asked: &Person, known: &Person) -> Option<Finding> {
        let is_the_childs = |family: &str| {
            let mut names = asked.names.iter().chain(&known.names);
            names.any(|name| name.name.whole_family() == family)
        };
        let mut found = Vec::with_capacity(asked.carers.len() * known.carers.len());
        for (n, a) in asked.carers.iter().enumerate() {
            for (m, b) in known.carers.iter().enumerate() {
                let finding = self.carer(a, b, is_the_childs(b.whole_family()));
                found.extend(finding.map(|finding| (n, m, finding)));
            }
        }
        found.sort_by(|(_, _, a), (_, _, b)| b.bits.total_cmp(&a.bits));
        let (n, m, mut best) = found.first().copied()?;
        let second = found.iter().find(|(x, y, _)| *x != n && *y != m);
        best.bits += second.map_or(0.0, |(_, _, second)| second.bits.max(0.0));
        Some(best)
    }

    fn carer(
        &self,
        asked: &PersonName,
        known: &PersonName,
        is_the_childs: bool,
    ) -> Option<Finding> {
        if asked.first().is_empty() && asked.family.is_empty()
            || known.first().is_empty() && known.family.is_empty()
        {
            return None;
        }
        let (a, b) = (asked.first(), known.first());
        let given = match (a.is_empty() || b.is_empty(), likeness(a, b)) {
            (true, _) => Likeness::Different,
            (_, Likeness::Distant | Likeness::Different)
                if variant::is_one_given_name(a, b) || nickname::stand_for_one_another(a, b) =>
            {
                Likeness::Close
            }
            (_, likeness) => likeness,
        };
        let family = !asked.family.is_empty() && asked.whole_family() == known.whole_family();
        let level = match (given, family) {
            (Likeness::Same, true) => Level::Same,
            (Likeness::Same, false) => Level::SameGivenName,
            (Likeness::OneEdit | Likeness::Close, true) => Level::OneEdit,
            (_, true) => Level::SameFamilyName,
            _ => Level::Different,
        };
        // The family name of a child's carer is mostly the child's own, which is counted already.
        let of_family = if is_the_childs {
            1.0
        } else {
            self.frequencies.of_family(known.whole_family()).max(1e-2)
        };
        let frequency = match level {
            Level::Same => share_of_adults(&self.frequencies, b) * of_family,
            Level::SameGivenName => share_of_adults(&self.frequencies, b),
            _ => 0.0,
        };
        let mut finding = self.finding(Field::Carer, level, frequency);
        if level == Level::SameFamilyName && is_the_childs {
            finding.bits = finding.bits.min(0.0);
        }
        Some(finding)
    }

    fn of_lists(&self, field: Field, asked: &[u64], known: &[u64]) -> Option<Finding> {
        if asked.is_empty() || known.is_empty() {
            return None;
        }
        let common = asked.iter().any(|one| known.contains(one));
        Some(self.finding(field, if common { Level::Same } else { Level::Different }, 0.0))
    }

    fn identifiers(&self, asked: &Person, known: &Person) -> Option<Finding> {
        let kind = |identifier: &'_ str| {
            identifier.len() - identifier.find(':').map_or(0, |at| identifier.len() - at)
        };
        let is_of_one_kind = |a: &str, b: &str| a.get(..kind(a)) == b.get(..kind(b));
        let pairs =
            || asked.identifiers.iter().flat_map(|a| known.identifiers.iter().map(move |b| (a, b)));
        let level = if pairs().any(|(a, b)| a == b) {
            Level::Same
        } else if pairs().any(|(a, b)| is_of_one_kind(a, b)) {
            Level::Different
        } else {
            return None;
        };
        Some(self.finding(Field::Identifier, level, 0.0))
    }
}

/// The share of parents who have a given name. What their children are called says only whether a name is a common one or not.
fn share_of_adults(frequencies: &Frequencies, given: &str) -> f64 {
    const LISTED: f64 = 6e-3;
    const UNLISTED: f64 = 5e-4;
    if is_published(given) { frequencies.of_given(given).max(LISTED) } else { UNLISTED }
}

/// What speaks against two explanations together, in bits.
fn against_both(a: f64, b: f64) -> f64 {
    let (less, more) = (a.min(b), a.max(b));
    less - (less - more).exp2().ln_1p() / std::f64::consts::LN_2
}
