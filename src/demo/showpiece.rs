//! Those to show the index with, whose family names no other child of the demo bears: two families, and three children to
//! show what it hides and what ends.

use chrono::{Datelike, NaiveDate};
use serde_json::{Value, json};

use super::{
    chance::{months_after, months_before, plus, years_before},
    involvements::{Choices, Setting, reception},
    people::Children,
    places::{PLACES, address},
    row::{
        Address, Carer, Child, Flag, FormerWhereabouts, Involvement, KindOfName, Name, Whereabouts,
    },
};

const AMY: [&str; 2] = ["Amy", "Rose"];
const FAMILY: &str = "Larkfield";
const TWINS: &str = "Sandholme";

/// The child who is shielded.
pub(super) const SHIELDED: &str = "Fernhollow";
/// The child with whom a sensitive service works.
pub(super) const SENSITIVE: &str = "Elmsworth";
/// The young person whose record is archived.
pub(super) const ARCHIVED: &str = "Ravensdale";
/// How many of them there are.
pub(super) const NUMBER: u32 = 7;

/// The search that finds Amy and nobody else.
pub(super) fn search(today: NaiveDate) -> Value {
    json!({ "name": { "given": AMY, "family": FAMILY }, "dateOfBirth": birthday(today, 11, 3, 14) })
}

/// The two families, then Rowan, Robin and Morgan.
pub(super) fn children(children: &mut Children) -> Vec<Child> {
    let mut all = families(children);
    all.extend(protected(children));
    all
}

/// Rowan, who will be shielded; Robin, with a sensitive service; Morgan, who came of age two months ago.
fn protected(children: &mut Children) -> [Child; 3] {
    let today = children.today;
    let of_age = years_before(months_before(today, 2), 18);
    [
        ("Rowan", SHIELDED, birthday(today, 9, 4, 8), "07700 900471"),
        ("Robin", SENSITIVE, birthday(today, 15, 1, 27), "07700 900472"),
        ("Morgan", ARCHIVED, of_age, "07700 900473"),
    ]
    .map(|(given, family, born, phone)| {
        let home = address(&mut children.chance, &PLACES[0]);
        let mut made = child(children, 0, &[given], family, "notSpecified", born, &home);
        made.carers = vec![carer(&["Alex"], family, "guardian", phone, &home)];
        made
    })
}

/// Amy, known to five services, with her brother; and the twins elsewhere.
fn families(children: &mut Children) -> Vec<Child> {
    let today = children.today;
    let [medway, hull] = [0, 1].map(|area| address(&mut children.chance, &PLACES[area]));
    let mut amy = child(children, 0, &AMY, FAMILY, "female", birthday(today, 11, 3, 14), &medway);
    amy.names.push(name("former", &AMY, "Turner"));
    let mut ben = child(
        children,
        0,
        &["Benjamin", "Jack"],
        FAMILY,
        "male",
        birthday(today, 7, 10, 2),
        &medway,
    );
    ben.names.push(name("knownAs", &["Ben"], FAMILY));
    let old = address(&mut children.chance, &PLACES[0]);
    let moved = FormerWhereabouts {
        whereabouts: Whereabouts::Current { address: old },
        until: plus(today, -480),
    };
    for sibling in [&mut amy, &mut ben] {
        sibling.former_whereabouts.push(moved.clone());
        sibling.carers = parents(&medway);
    }
    let born = birthday(today, 6, 5, 21);
    let ella = child(children, 1, &["Ella"], TWINS, "female", born, &hull);
    let noah = child(children, 1, &["Noah"], TWINS, "male", born, &hull);
    let mut all = vec![amy, ben, ella, noah];
    for twin in &mut all[2..] {
        twin.carers = vec![carer(&["Hannah"], TWINS, "mother", "07700 900461", &hull)];
    }
    all
}

/// A child with a school, a practice and a nurse; the first one with social care and the police too.
fn child(
    children: &mut Children,
    area: usize,
    given: &[&str],
    family: &str,
    gender: &'static str,
    born: NaiveDate,
    home: &Address,
) -> Child {
    let is_amy = given == AMY;
    let involvements = involvements(children, area, born, is_amy);
    Child {
        names: vec![name("current", given, family)],
        date_of_birth: born,
        date_of_birth_precision: None,
        date_of_birth_estimated: None,
        gender,
        whereabouts: Whereabouts::Current { address: home.clone() },
        former_whereabouts: Vec::new(),
        identifiers: children.identifiers(area, born, true, is_amy),
        carers: Vec::new(),
        responsible_authority: PLACES[area].authority,
        without_service: Vec::new(),
        involvements,
    }
}

fn involvements(
    children: &mut Children,
    area: usize,
    born: NaiveDate,
    is_amy: bool,
) -> Vec<Involvement> {
    let Children { chance, directory, today, .. } = children;
    let (today, local) = (*today, &directory.locals[area]);
    let choices = Choices::draw(chance, local);
    let setting = Setting { directory, local, choices, born, today, left: None, in_care: false };
    let starts = reception(born);
    let moves_up = months_after(starts, 84);
    let (school, since) = if moves_up <= today {
        (&local.secondaries[0], moves_up)
    } else {
        (&local.primaries[0], starts)
    };
    let mut made = vec![
        setting.involvement(chance, school, "school", since, None),
        setting.involvement(chance, &local.practices[0], "generalPractice", plus(born, 9), None),
        setting.involvement(chance, &local.community, "schoolNursing", starts, None),
    ];
    if is_amy {
        let mut social =
            setting.involvement(chance, &local.authority, "socialCare", plus(today, -140), None);
        social.flags =
            ["takingAction", "leadProfessional"].map(|kind| flag(kind, plus(today, -90))).into();
        social.contact.practitioner = Some("Priya Example".to_owned());
        let mut police =
            setting.involvement(chance, &local.police, "police", plus(today, -60), None);
        police.flags = vec![flag("informationToShare", plus(today, -45))];
        made.extend([social, police]);
    }
    made
}

fn parents(home: &Address) -> Vec<Carer> {
    let mut mother = carer(&["Claire"], FAMILY, "mother", "07700 900123", home);
    mother.emails = vec!["claire.larkfield@example.org".to_owned()];
    let mut partner = carer(&["Stuart"], FAMILY, "stepParent", "07700 900124", home);
    partner.parental_responsibility = false;
    vec![mother, partner]
}

fn carer(
    given: &[&str],
    family: &str,
    relationship: &'static str,
    phone: &str,
    home: &Address,
) -> Carer {
    Carer {
        name: name("current", given, family).name,
        relationship,
        parental_responsibility: true,
        phones: vec![phone.to_owned()],
        emails: Vec::new(),
        address: Some(home.clone()),
    }
}

fn name(kind: &'static str, given: &[&str], family: &str) -> KindOfName {
    let given = given.iter().map(|part| (*part).to_owned()).collect();
    KindOfName { kind, name: Name { given, family: family.to_owned() } }
}

fn flag(kind: &'static str, set_on: NaiveDate) -> Flag {
    Flag { kind, set_on, expires_on: months_after(set_on, 6) }
}

/// That day of the year so many years ago.
fn birthday(today: NaiveDate, years: i32, month: u32, day: u32) -> NaiveDate {
    NaiveDate::from_ymd_opt(today.year() - years, month, day).unwrap_or(today)
}
