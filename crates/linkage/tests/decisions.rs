//! When two records are one child, by the rules that stand above any sum.

use linkage::{
    Birth, Comparison, Frequencies, Gender, Matcher, Model, Name, NameKind, Outcome, Person,
    PersonName, Place, Reason, decide, decide_for,
};

fn matcher() -> Matcher {
    Matcher::of(Model::cold(), Frequencies::default())
}

fn named(given: &[&str], family: &str) -> Person {
    Person {
        names: vec![Name { kind: NameKind::Current, name: PersonName::of(given, family) }],
        birth: Some(Birth::on(2014, 9, 23)),
        gender: Some(Gender::Female),
        places: vec![Place::of(&["12 High Street"], "Leeds", "LS1 4AB", false)],
        ..Person::default()
    }
}

fn amy() -> Person {
    named(&["Amy", "Rose"], "Testley")
}

fn moved(person: &Person) -> Person {
    let there = Place::of(&["7 Mill Lane"], "Hull", "HU3 2DF", false);
    Person { places: vec![there], ..person.clone() }
}

fn compared(asked: &Person, known: &[Person]) -> Vec<(usize, Comparison)> {
    known.iter().enumerate().map(|(n, one)| (n, matcher().compare(asked, one))).collect()
}

fn decision(asked: &Person, known: &[Person]) -> (Outcome, Vec<Reason>) {
    let decision = decide(&Model::cold(), compared(asked, known));
    (decision.outcome, decision.reasons)
}

fn outcome(asked: &Person, known: &Person) -> Outcome {
    decision(asked, std::slice::from_ref(known)).0
}

#[test]
fn the_same_record_is_the_same_child() {
    assert_eq!(decision(&amy(), &[amy()]), (Outcome::Match, vec![]));
}

#[test]
fn nobody_is_the_child_where_nobody_is_like_it() {
    assert_eq!(decision(&amy(), &[]), (Outcome::None, vec![]));
    assert_eq!(outcome(&amy(), &moved(&named(&["Oliver"], "Smith"))), Outcome::None);
}

#[test]
fn names_and_a_birthday_alone_never_match() {
    let (outcome, reasons) = decision(&amy(), &[moved(&amy())]);
    assert_eq!(outcome, Outcome::Review);
    assert!(reasons.contains(&Reason::Namesake), "{reasons:?}");
}

#[test]
fn one_more_independent_thing_does() {
    let school = Person { schools: vec![5], ..amy() };
    assert_eq!(outcome(&moved(&school), &school), Outcome::Match, "a school");
    let practice = Person { practices: vec![5], ..amy() };
    assert_eq!(outcome(&moved(&practice), &practice), Outcome::Match, "a practice");
    let carer = Person { carers: vec![PersonName::of(&["Oluwaseyi"], "Testley")], ..amy() };
    assert_eq!(outcome(&moved(&carer), &carer), Outcome::Match, "a carer");
    let mut both = moved(&amy());
    both.places.extend(amy().places);
    assert_eq!(outcome(&both, &amy()), Outcome::Match, "an address before");
}

#[test]
fn a_brother_or_sister_is_another_child_whatever_they_share() {
    let sister = Person { birth: Some(Birth::on(2016, 2, 3)), ..named(&["Lily"], "Testley") };
    assert_eq!(outcome(&sister, &amy()), Outcome::None);
    let at_school = |person: Person| Person { schools: vec![5], practices: vec![7], ..person };
    assert_eq!(outcome(&at_school(sister), &at_school(amy())), Outcome::None);
}

#[test]
fn twins_are_two_children() {
    let boy = Person { gender: Some(Gender::Male), ..named(&["Oliver"], "Testley") };
    assert_eq!(outcome(&boy, &amy()), Outcome::None, "a boy and a girl");
    assert_eq!(outcome(&named(&["Lily"], "Testley"), &amy()), Outcome::None, "two girls");
    for (one, other) in [
        ("Amelia", "Emelia"),
        ("Aidan", "Aiden"),
        ("Jack", "John"),
        ("Muhammad", "Mohammed"),
        ("Manpreet", "Sanpreet"),
        ("Hassan", "Hussain"),
        ("Lan", "Loan"),
    ] {
        let (one, other) = (named(&[one], "Testley"), named(&[other], "Testley"));
        assert_ne!(outcome(&one, &other), Outcome::Match, "{one:?} {other:?}");
    }
}

#[test]
fn twins_of_one_first_name_are_told_apart_by_the_next() {
    let (ali, hassan) =
        (named(&["Muhammad", "Ali"], "Khan"), named(&["Muhammad", "Hassan"], "Khan"));
    let (outcome, reasons) = decision(&ali, &[hassan]);
    assert_eq!(outcome, Outcome::Review);
    assert!(reasons.contains(&Reason::GivenName), "{reasons:?}");
}

#[test]
fn a_slip_that_is_nobodys_name_is_a_slip() {
    assert_eq!(
        outcome(&named(&["Elizbaeth"], "Testley"), &named(&["Elizabeth"], "Testley")),
        Outcome::Match
    );
    assert_eq!(outcome(&named(&["Amy", "Rose"], "Tesltey"), &amy()), Outcome::Match);
    assert_eq!(outcome(&named(&["Testley"], "Amy"), &named(&["Amy"], "Testley")), Outcome::Match);
    let turned = Person { birth: Some(Birth::on(2014, 3, 9)), ..amy() };
    let known = Person { birth: Some(Birth::on(2014, 9, 3)), ..amy() };
    assert_eq!(outcome(&turned, &known), Outcome::Match, "day for month");
}

#[test]
fn a_child_without_a_given_name_is_looked_at() {
    for given in [&["Baby"][..], &["Twin Two"], &["Infant of Sarah"], &[]] {
        assert_eq!(outcome(&named(given, "Testley"), &amy()), Outcome::Review, "{given:?}");
    }
}

#[test]
fn the_first_of_january_is_no_birthday_to_match_on() {
    let undated = |person: Person| Person { birth: Some(Birth::on(2014, 1, 1)), ..person };
    assert_eq!(outcome(&undated(amy()), &undated(amy())), Outcome::Match, "all else is the same");
    let typed = undated(named(&["Elizbaeth"], "Testley"));
    let (outcome, reasons) = decision(&typed, &[undated(named(&["Elizabeth"], "Testley"))]);
    assert_eq!(outcome, Outcome::Review);
    assert!(reasons.contains(&Reason::DateOfBirth), "{reasons:?}");
}

#[test]
fn two_who_come_close_are_for_a_person_to_tell_apart() {
    let (outcome, reasons) = decision(&amy(), &[amy(), amy()]);
    assert_eq!((outcome, reasons), (Outcome::Review, vec![Reason::TooClose]));
}

#[test]
fn identifiers_that_name_two_children_are_for_a_person() {
    let with = |person: Person, identifier: &str| Person {
        identifiers: vec![identifier.to_owned()],
        ..person
    };
    let mut asked = with(amy(), "upn:A1");
    asked.identifiers.push("nhs:9".to_owned());
    let other = with(moved(&named(&["Oliver"], "Smith")), "nhs:9");
    let (outcome, reasons) = decision(&asked, &[with(amy(), "upn:A1"), other]);
    assert_eq!(outcome, Outcome::Review);
    assert!(reasons.contains(&Reason::ManyMatch), "{reasons:?}");
}

#[test]
fn an_identifier_with_another_name_and_birthday_is_looked_at_and_one_that_differs_forbids() {
    let with = |person: Person, identifier: &str| Person {
        identifiers: vec![identifier.to_owned()],
        ..person
    };
    let other = Person { birth: Some(Birth::on(2009, 4, 7)), ..named(&["Oliver"], "Smith") };
    assert_eq!(outcome(&with(moved(&other), "upn:A1"), &with(amy(), "upn:A1")), Outcome::Review);
    let (outcome, reasons) = decision(&with(amy(), "upn:A1"), &[with(amy(), "upn:B2")]);
    assert_ne!(outcome, Outcome::Match);
    assert!(outcome == Outcome::None || reasons.contains(&Reason::IdentifierDiffers));
}

#[test]
fn one_source_with_two_references_means_two_children() {
    let compared = compared(&amy(), &[amy()]);
    let of_source = decide_for(&Model::cold(), compared.clone(), |_| true);
    assert_eq!(of_source.outcome, Outcome::None);
    assert_eq!(decide_for(&Model::cold(), compared, |_| false).outcome, Outcome::Match);
}

#[test]
fn a_model_that_was_written_down_weighs_the_same() {
    let written = serde_json::to_string(&Model::cold()).unwrap();
    let read = Matcher::of(serde_json::from_str(&written).unwrap(), Frequencies::default());
    for other in [amy(), moved(&amy()), named(&["Lily"], "Smith")] {
        let (one, again) = (matcher().compare(&amy(), &other), read.compare(&amy(), &other));
        assert!((one.bits - again.bits).abs() < 1e-9 && (one.apart - again.apart).abs() < 1e-9);
    }
}

#[test]
fn one_carer_of_the_childs_family_name_bears_out_another_date_only_where_all_names_are_the_same() {
    let cared = |person: Person, given: &[&str]| {
        let carers = given.iter().map(|given| PersonName::of(&[given], "Testley")).collect();
        Person { carers, ..person }
    };
    let decided = |names: &[&str], given: &[&str]| {
        let asked = named(names, "Testley");
        let known = Person { birth: Some(Birth::on(2014, 9, 24)), ..moved(&asked) };
        decision(&cared(asked, given), &[cared(known, given)])
    };
    let (outcome, reasons) = decided(&["Amy"], &["Sarah"]);
    assert_eq!(outcome, Outcome::Review);
    assert!(reasons.contains(&Reason::Namesake), "{reasons:?}");
    assert!(!decided(&["Amy"], &["Sarah", "Oluwaseyi"]).1.contains(&Reason::Namesake));
    assert_eq!(decided(&["Amy", "Rose"], &["Sarah"]), (Outcome::Match, vec![]));
}

#[test]
fn slips_in_both_names_are_one_childs_at_one_school_and_birthday_where_nobody_has_such_a_name() {
    let at_school = |person: Person| Person { schools: vec![900_001], ..person };
    let decided = |given: &str, family: &str, known: &str| {
        let known = at_school(moved(&named(&["Isabelle"], known)));
        decision(&at_school(named(&[given], family)), &[known])
    };
    assert_eq!(decided("Isabxelle", "Longfelxow", "Longfellow"), (Outcome::Match, vec![]));
    assert_eq!(decided("Isabxelle", "Lxngfelxow", "Longfellow"), (Outcome::Match, vec![]));
    let (outcome, reasons) = decided("Isabelle", "Williams", "Wilson");
    assert_eq!(outcome, Outcome::Review);
    assert!(reasons.contains(&Reason::FamilyName), "{reasons:?}");
}

#[test]
fn a_name_that_is_short_for_two_common_ones_may_be_a_twins() {
    let asked = named(&["Em", "Rose"], "Testley");
    let (outcome, reasons) = decision(&asked, &[named(&["Emma"], "Testley")]);
    assert_eq!(outcome, Outcome::Review);
    assert!(reasons.contains(&Reason::Relative), "{reasons:?}");
}

#[test]
fn a_postcode_that_is_nearly_the_same_says_nothing_where_street_and_town_are_others() {
    let near = |lines: &str, town: &str| Person {
        places: vec![Place::of(&[lines], town, "LS1 4AD", false)],
        ..amy()
    };
    let bits = |other: &Person| matcher().compare(&amy(), other).bits;
    let (slip, elsewhere) = (near("12 High Street", "Leeds"), near("7 Mill Lane", "Hull"));
    let far = moved(&amy());
    assert!(bits(&slip) > bits(&elsewhere), "{} {}", bits(&slip), bits(&elsewhere));
    assert!(bits(&elsewhere) < bits(&far) + 4.0, "{} {}", bits(&elsewhere), bits(&far));
}

#[test]
fn another_house_in_the_street_forbids_only_where_name_or_birthday_is_not_the_same() {
    let next_door = Place::of(&["14 High Street"], "Leeds", "LS1 4AB", false);
    let there = |person: Person| Person { places: vec![next_door.clone()], ..person };
    assert_eq!(decision(&amy(), &[there(amy())]), (Outcome::Match, vec![]));
    let earlier = Person { birth: Some(Birth::on(2014, 9, 24)), ..amy() };
    let (outcome, reasons) = decision(&amy(), &[there(earlier)]);
    assert_eq!(outcome, Outcome::Review);
    assert!(reasons.contains(&Reason::House), "{reasons:?}");
}
