//! What holds of any two records.

use std::collections::HashSet;

use linkage::{
    Birth, Frequencies, Gender, Matcher, Model, Name, NameKind, Person, PersonName, Place, decide,
    similarity::likeness,
};
use proptest::{collection::vec, option, prelude::*, sample::select};

const GIVEN: [&str; 16] = [
    "Olivia",
    "Muhammad",
    "Mohammed",
    "Amelia",
    "Jack",
    "Aoife",
    "Tom",
    "Thomas",
    "Mary Anne",
    "Baby",
    "Xiao Ming",
    "Arjun",
    "Oluwaseun",
    "Zoë",
    "Łukasz",
    "Ng",
];
const FAMILY: [&str; 14] = [
    "Smith",
    "Khan",
    "Smith-Jones",
    "O'Brien",
    "Kowalska",
    "Nguyễn",
    "Singh Gill",
    "Li",
    "Al-Hassan",
    "van der Berg",
    "McDonald",
    "Novák",
    "",
    "Warsame",
];
const TOWNS: [&str; 4] = ["Leeds", "Hull", "", "Bradford"];
const POSTCODES: [&str; 7] = ["LS1 4AB", "LS1 4AD", "HU3 2DF", "LS1", "2914", "", "W1A 0AX"];
const LINES: [&str; 6] =
    ["12 High Street", "12a High St", "Flat 3, 7 Mill Lane", "Rose Cottage", "", "1 The Green"];

fn name() -> impl Strategy<Value = Name> {
    let kind = select(vec![NameKind::Current, NameKind::KnownAs, NameKind::Former]);
    (kind, vec(select(&GIVEN[..]), 0..3), select(&FAMILY[..]))
        .prop_map(|(kind, given, family)| Name { kind, name: PersonName::of(&given, family) })
}

fn birth() -> impl Strategy<Value = Birth> {
    (2006_i16..2024, option::weighted(0.9, 1_u8..13), option::weighted(0.9, 1_u8..29))
        .prop_map(|(year, month, day)| Birth { year, month, day: day.filter(|_| month.is_some()) })
}

fn place() -> impl Strategy<Value = Place> {
    (vec(select(&LINES[..]), 0..3), select(&TOWNS[..]), select(&POSTCODES[..]), any::<bool>())
        .prop_map(|(lines, town, postcode, former)| Place::of(&lines, town, postcode, former))
}

fn person() -> impl Strategy<Value = Person> {
    let gender = option::of(select(vec![Gender::Female, Gender::Male]));
    let carer = (vec(select(&GIVEN[..]), 0..2), select(&FAMILY[..]))
        .prop_map(|(given, family)| PersonName::of(&given, family));
    let identifier = select(vec!["upn:A1".to_owned(), "upn:B2".to_owned(), "nhs:3".to_owned()]);
    (
        vec(name(), 0..3),
        option::weighted(0.9, birth()),
        gender,
        vec(place(), 0..3),
        vec(carer, 0..3),
        vec(0_u64..4, 0..3),
        vec(0_u64..4, 0..2),
        vec(identifier, 0..2),
    )
        .prop_map(|(names, birth, gender, places, carers, schools, practices, identifiers)| {
            Person { names, birth, gender, places, carers, schools, practices, identifiers }
        })
}

fn matcher() -> Matcher {
    Matcher::of(Model::cold(), Frequencies::default())
}

fn share_a_key(asked: &Person, known: &Person) -> bool {
    let stored: HashSet<_> = known.keys().into_iter().collect();
    asked.keys_to_find().iter().any(|key| stored.contains(key))
}

proptest! {
    #[test]
    fn which_of_two_records_is_asked_for_makes_no_difference(a in person(), b in person()) {
        let (there, back) = (matcher().compare(&a, &b), matcher().compare(&b, &a));
        prop_assert!((there.bits - back.bits).abs() < 1e-6, "{there:?} {back:?}");
    }

    #[test]
    fn a_sum_of_evidence_is_a_number_and_explains_itself(a in person(), b in person()) {
        let compared = matcher().compare(&a, &b);
        prop_assert!(compared.bits.is_finite() && compared.apart.is_finite(), "{compared:?}");
        let sum: f64 = compared.findings.iter().map(|finding| finding.bits).sum();
        prop_assert!(compared.bits <= sum + Model::cold().prior() + 1e-9);
        prop_assert!(compared.bits <= compared.apart + 1e-9);
        let mut fields: Vec<_> = compared.findings.iter().map(|finding| finding.field).collect();
        fields.sort();
        fields.dedup();
        prop_assert_eq!(fields.len(), compared.findings.len());
    }

    #[test]
    fn a_record_is_found_by_itself(one in person()) {
        let stored = one.keys();
        let asked: HashSet<_> = one.keys_to_find().into_iter().collect();
        let nowhere = one.birth.is_none() && one.places.iter().all(|place| place.outward().is_empty());
        // By names alone one asks only where nothing else is said; whoever says more is found by it.
        let found = stored.iter().filter(|key| asked.contains(key)).count();
        if nowhere {
            prop_assert_eq!(found, stored.len());
        } else {
            prop_assert!(stored.is_empty() || found > 0);
        }
    }

    #[test]
    fn whoever_is_the_same_is_the_best(one in person(), others in vec(person(), 1..8)) {
        let matcher = matcher();
        let itself = matcher.compare(&one, &one).bits;
        for other in &others {
            let other = matcher.compare(&one, other).bits;
            prop_assert!(other <= itself + 6.0, "{itself} {other}");
        }
    }

    #[test]
    fn packing_loses_nothing(one in person()) {
        let packed = one.pack().expect("a record that can be packed");
        prop_assert_eq!(Person::unpack(&packed).expect("what was packed"), one);
    }

    #[test]
    fn a_slip_in_one_name_still_finds(
        given in "[a-z]{3,9}", family in "[a-z]{3,9}", at in 0_usize..9, letter in "[a-z]",
        what in 0_u8..4, in_given in any::<bool>(), birth in birth(),
        with_place in any::<bool>(),
    ) {
        let slip = |name: &str| {
            let mut letters: Vec<char> = name.chars().collect();
            let at = at % letters.len();
            match what {
                0 => letters[at] = letter.chars().next().unwrap_or('x'),
                1 => { letters.remove(at); }
                2 => letters.insert(at, letter.chars().next().unwrap_or('x')),
                _ => { let next = (at + 1) % letters.len(); letters.swap(at, next); }
            }
            letters.into_iter().collect::<String>()
        };
        let child = |given: &str, family: &str| Person {
            names: vec![Name { kind: NameKind::Current, name: PersonName::of(&[given], family) }],
            birth: Some(birth),
            places: with_place.then(|| Place::of(&["12 High Street"], "Leeds", "LS1 4AB", false)).into_iter().collect(),
            ..Person::default()
        };
        let known = child(&given, &family);
        let asked = if in_given { child(&slip(&given), &family) } else { child(&given, &slip(&family)) };
        // Without a whole date and without a place a name alone is asked for as it sounds.
        prop_assume!(with_place || birth.month_and_day().is_some());
        prop_assume!(known.names[0].name.given.len() + known.names[0].name.family.len() == 2);
        prop_assume!(asked.names[0].name.given.len() + asked.names[0].name.family.len() == 2);
        prop_assert!(share_a_key(&asked, &known), "{asked:?} {known:?}");
    }

    #[test]
    fn names_changed_over_and_days_for_months_still_find(n in 0_usize..9, birth in birth()) {
        let (given, family) = (GIVEN[n], FAMILY[n]);
        prop_assume!(!PersonName::of(&[given], family).given.is_empty());
        let child = |given: &str, family: &str, birth| Person {
            names: vec![Name { kind: NameKind::Current, name: PersonName::of(&[given], family) }],
            birth: Some(birth),
            ..Person::default()
        };
        let known = child(given, family, birth);
        let turned = birth.swapped().unwrap_or(birth);
        prop_assert!(share_a_key(&child(given, family, turned), &known));
        if birth.month_and_day().is_some() {
            prop_assert!(share_a_key(&child(family, given, birth), &known));
        }
    }

    #[test]
    fn any_writing_goes_through_without_a_panic(
        texts in vec(vec(any::<char>(), 0..40).prop_map(String::from_iter), 8),
        year in any::<i16>(), month in option::of(any::<u8>()), day in option::of(any::<u8>()),
    ) {
        let matcher = matcher();
        let person = |n: usize| Person {
            names: vec![Name {
                kind: NameKind::Current,
                name: PersonName::of(&[&texts[n % 8], &texts[(n + 1) % 8]], &texts[(n + 2) % 8]),
            }],
            birth: Some(Birth { year, month, day }),
            places: vec![Place::of(&[&texts[(n + 3) % 8], &texts[(n + 4) % 8]], &texts[(n + 5) % 8], &texts[(n + 6) % 8], false)],
            carers: vec![PersonName::of(&[&texts[(n + 7) % 8]], &texts[n % 8])],
            identifiers: vec![texts[n % 8].clone()],
            ..Person::default()
        };
        let (one, other) = (person(0), person(3));
        let _ = (one.keys(), one.keys_to_find(), one.pack());
        let compared = matcher.compare(&one, &other);
        prop_assert!(compared.bits.is_finite());
        let _ = matcher.explain(&one, &other, &compared);
        let _ = decide(&matcher.model, vec![(0, compared), (1, matcher.compare(&one, &one))]);
    }

    #[test]
    fn likeness_has_no_direction(a in "[a-e]{0,9}", b in "[a-e]{0,9}") {
        prop_assert_eq!(likeness(&a, &b), likeness(&b, &a));
    }
}
