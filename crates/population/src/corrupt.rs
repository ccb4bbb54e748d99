//! What goes wrong when a child is asked for.

use chrono::{Datelike, NaiveDate};

use crate::{
    Chance, Child, Population,
    child::{carer, school},
    names::title,
    record::{Named, Record},
};

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Class {
    /// What it is called.
    pub name: &'static str,
    /// What went wrong with the names.
    names: Names,
    /// What went wrong with the date of birth.
    birth: Birth,
    /// What went wrong with the address.
    home: At,
    /// What is known besides, of a child who moved.
    known: Known,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Names {
    Right,
    FamilyTypo,
    GivenTypo,
    BothTypo,
    ThreeTypos,
    Nickname,
    Swapped,
    OtherFamily,
    NoGiven,
    Half,
    Initial,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Birth {
    Right,
    Swapped,
    Digit,
    None,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum At {
    Home,
    Moved,
    Typo,
    District,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Known {
    Nothing,
    School,
    Carer,
    Former,
}

impl Class {
    const fn new(name: &'static str, names: Names, birth: Birth, home: At, known: Known) -> Self {
        Self { name, names, birth, home, known }
    }

    /// The classes of the reference: one thing wrong, and several at once.
    pub const ALL: [Self; 21] = {
        use Known::Nothing;
        [
            Self::new("exact", Names::Right, Birth::Right, At::Home, Nothing),
            Self::new("typo_family", Names::FamilyTypo, Birth::Right, At::Home, Nothing),
            Self::new("typo_given", Names::GivenTypo, Birth::Right, At::Home, Nothing),
            Self::new("typo_both", Names::BothTypo, Birth::Right, At::Home, Nothing),
            Self::new("nickname", Names::Nickname, Birth::Right, At::Home, Nothing),
            Self::new("swapped", Names::Swapped, Birth::Right, At::Home, Nothing),
            Self::new("dob_swap", Names::Right, Birth::Swapped, At::Home, Nothing),
            Self::new("dob_digit", Names::Right, Birth::Digit, At::Home, Nothing),
            Self::new("moved", Names::Right, Birth::Right, At::Moved, Nothing),
            Self::new("pc_typo", Names::Right, Birth::Right, At::Typo, Nothing),
            Self::new("typo_family_moved", Names::FamilyTypo, Birth::Right, At::Moved, Nothing),
            Self::new("typo_given_dob_digit", Names::GivenTypo, Birth::Digit, At::Home, Nothing),
            Self::new("family_changed_moved", Names::OtherFamily, Birth::Right, At::Moved, Nothing),
            Self::new("given_missing", Names::NoGiven, Birth::Right, At::Home, Nothing),
            Self::new("half_barrel", Names::Half, Birth::Right, At::Home, Nothing),
            Self::new("moved_dob_digit", Names::Right, Birth::Digit, At::Moved, Nothing),
            Self::new("nickname_moved", Names::Nickname, Birth::Right, At::Moved, Nothing),
            Self::new("nodob_name_pc", Names::Right, Birth::None, At::Home, Nothing),
            Self::new("nodob_name_outcode", Names::Right, Birth::None, At::District, Nothing),
            Self::new("initial_only", Names::Initial, Birth::Right, At::Home, Nothing),
            Self::new("hard_typo2_moved", Names::ThreeTypos, Birth::Right, At::Moved, Nothing),
        ]
    };

    /// The classes of a child who moved, each with the school, a carer or the previous address known.
    #[must_use]
    pub fn moved_and_known() -> Vec<Self> {
        let moved = Self::ALL.into_iter().filter(|class| class.home == At::Moved);
        let name = |class: Self, known: Known| -> &'static str {
            MOVED
                .iter()
                .find(|(plain, _)| *plain == class.name)
                .map_or("", |(_, names)| names[known as usize - 1])
        };
        let known = [Known::School, Known::Carer, Known::Former];
        moved
            .flat_map(|class| known.map(|known| Self { name: name(class, known), known, ..class }))
            .collect()
    }
}

const MOVED: [(&str, [&str; 3]); 6] = [
    ("moved", ["moved_school_known", "moved_carer_known", "moved_former_known"]),
    (
        "typo_family_moved",
        ["typo_family_moved_school", "typo_family_moved_carer", "typo_family_moved_former"],
    ),
    (
        "family_changed_moved",
        [
            "family_changed_moved_school",
            "family_changed_moved_carer",
            "family_changed_moved_former",
        ],
    ),
    (
        "moved_dob_digit",
        ["moved_dob_digit_school", "moved_dob_digit_carer", "moved_dob_digit_former"],
    ),
    ("nickname_moved", ["nickname_moved_school", "nickname_moved_carer", "nickname_moved_former"]),
    (
        "hard_typo2_moved",
        ["hard_typo2_moved_school", "hard_typo2_moved_carer", "hard_typo2_moved_former"],
    ),
];

/// What is asked, if this can go wrong with the child.
#[must_use]
pub fn asked(
    class: Class,
    child: &Child,
    population: &Population,
    chance: &mut Chance,
) -> Option<Record> {
    let middle = child.middle.clone().filter(|_| chance.in_share(0.5));
    let (given, family) = named(class.names, child, population, chance)?;
    let keeps_middle = !matches!(class.names, Names::NoGiven | Names::Initial);
    let given = given.into_iter().chain(middle.filter(|_| keeps_middle)).collect();
    let date_of_birth = match class.birth {
        Birth::Right => Some(child.born.to_string()),
        Birth::Swapped => Some(swapped(child.born)?),
        Birth::Digit => Some(digit(chance, child.born).to_string()),
        Birth::None => None,
    };
    let mut here = child.home.address(false);
    match class.home {
        At::Home => {}
        At::Moved => here = population.another_home(chance).address(false),
        At::Typo => here.postcode = postcode_typo(chance, &here.postcode),
        At::District => {
            let district = here.postcode.split(' ').next().unwrap_or_default().to_owned();
            here.postcode = district;
            here.lines.clear();
        }
    }
    let mut record = Record {
        names: vec![Named { given, family, kind: "current".to_owned() }],
        date_of_birth,
        gender: Some(if child.male { "male" } else { "female" }.to_owned()),
        addresses: vec![here],
        ..Record::default()
    };
    match class.known {
        Known::Nothing => {}
        Known::School => record.schools.push(school(child.school?)),
        Known::Carer => {
            let (given, family) = chance.pick(&child.carers);
            record.carers.push(carer(given, family));
        }
        Known::Former => record.addresses.push(child.home.address(true)),
    }
    Some(record)
}

fn named(
    wrong: Names,
    child: &Child,
    population: &Population,
    chance: &mut Chance,
) -> Option<(Option<String>, String)> {
    let (given, family) = (child.given.clone(), child.family.clone());
    Some(match wrong {
        Names::Right => (Some(given), family),
        Names::FamilyTypo => (Some(given), typo(chance, &family)),
        Names::GivenTypo => (Some(typo(chance, &given)), family),
        Names::BothTypo => (Some(typo(chance, &given)), typo(chance, &family)),
        Names::ThreeTypos => {
            let once = typo(chance, &family);
            (Some(typo(chance, &given)), typo(chance, &once))
        }
        Names::Nickname => (Some(population.names.nickname(chance, &given)?), family),
        Names::Swapped => (Some(family), given),
        Names::OtherFamily => (Some(given), population.names.family(chance, false).to_owned()),
        Names::NoGiven => (chance.in_share(0.5).then(|| "Baby".to_owned()), family),
        Names::Half => {
            let (first, second) = family.split_once('-')?;
            (Some(given), if chance.in_share(0.5) { first } else { second }.to_owned())
        }
        Names::Initial => (Some(given.chars().take(1).collect()), family),
    })
}

/// The keys beside each letter's.
const BESIDE: [&str; 26] = [
    "qsz", "vghn", "xdfv", "sefc", "wrd", "drgv", "fthb", "gyjn", "uok", "hukm", "jil", "ko",
    "njk", "bhjm", "ipl", "ol", "wa", "etf", "awdx", "ryg", "yij", "cfgb", "qes", "zsdc", "tuh",
    "asx",
];

/// The word with one letter wrong, missing, too many, or changed over with the next; mostly not the first.
fn typo(chance: &mut Chance, word: &str) -> String {
    let letters: Vec<char> = word.chars().collect();
    if letters.len() < 2 {
        return format!("{word}e");
    }
    for _ in 0..20 {
        let kind = chance.below(4);
        let first = usize::from(letters.len() > 3 && chance.in_share(0.85));
        let at = first + chance.below(letters.len() - first);
        let beside = |chance: &mut Chance| {
            let letter = letters[at].to_ascii_lowercase();
            let keys =
                (letter as usize).checked_sub(97).and_then(|n| BESIDE.get(n)).unwrap_or(&"e");
            char::from(*chance.pick(keys.as_bytes()))
        };
        let mut wrong = letters.clone();
        match kind {
            0 => wrong[at] = beside(chance),
            1 => {
                wrong.remove(at);
            }
            2 => wrong.insert(at, beside(chance)),
            _ if at + 1 < wrong.len() => wrong.swap(at, at + 1),
            _ => {}
        }
        let wrong: String = wrong.into_iter().collect();
        if wrong.to_lowercase() != word.to_lowercase() {
            return wrong.split('-').map(title).collect::<Vec<_>>().join("-");
        }
    }
    format!("{word}e")
}

fn swapped(day: NaiveDate) -> Option<String> {
    let other = NaiveDate::from_ymd_opt(day.year(), day.day(), day.month())?;
    (other != day).then(|| other.to_string())
}

fn digit(chance: &mut Chance, day: NaiveDate) -> NaiveDate {
    for _ in 0..50 {
        let (mut year, mut month, mut of_month) =
            (day.year(), day.month().cast_signed(), day.day().cast_signed());
        match chance.share() {
            ..0.4 => of_month += chance.pick(&[-1, 1, 10, -10, 2, -2]),
            ..0.7 => month += chance.pick(&[-1, 1]),
            _ => year += chance.pick(&[-1, 1, -10, 10]),
        }
        let (month, of_month) = (month.max(0).cast_unsigned(), of_month.max(0).cast_unsigned());
        if let Some(wrong) = NaiveDate::from_ymd_opt(year, month, of_month) {
            return wrong;
        }
    }
    day
}

fn postcode_typo(chance: &mut Chance, postcode: &str) -> String {
    let mut letters: Vec<char> = postcode.chars().collect();
    let at = letters.len() - 1 - chance.below(3);
    let others: &[u8] =
        if letters[at].is_ascii_digit() { b"0123456789" } else { b"ABDEFGHJLNPQRSTUWXYZ" };
    letters[at] = char::from(*chance.pick(others));
    letters.into_iter().collect()
}
