//! What the population promises.

use std::collections::{HashMap, HashSet};

use linkage::{fold::fold, similarity::sound};
use population::{Chance, Class, Labelled, Population, asked, labelled};

#[test]
fn a_block_is_the_same_whenever_it_is_made() {
    let population = Population::new(25_000, 7);
    let again = Population::new(25_000, 7);
    assert_eq!(population.block(1), again.block(1));
    assert_ne!(population.block(0)[0].born, population.block(1)[0].born);
    let sizes: Vec<_> =
        (0..population.blocks()).map(|block| population.block(block).len()).collect();
    assert_eq!(sizes, [10_000, 10_000, 5_000]);
    assert_eq!(population.block(2)[4_999].number, 24_999);
}

#[test]
fn no_two_children_of_a_household_have_given_names_that_sound_alike() {
    let mut given = HashSet::new();
    for child in Population::new(10_000, 7).block(0) {
        assert!(given.insert((child.household, sound(&fold(&child.given)))), "{child:?}");
    }
}

#[test]
fn twins_are_born_on_one_day_and_live_together() {
    let children = Population::new(10_000, 7).block(0);
    let twins: Vec<_> = children.iter().filter(|child| child.is_twin()).collect();
    assert!((150..400).contains(&twins.len()), "{}", twins.len());
    for twin in twins {
        let same = children.iter().filter(|other| {
            (other.household, other.born, &other.home) == (twin.household, twin.born, &twin.home)
        });
        assert!(same.count() >= 2);
    }
}

#[test]
fn every_slip_is_made_and_only_the_exact_record_is_whole() {
    let population = Population::new(10_000, 7);
    let children = population.block(0);
    let classes = [Class::ALL.as_slice(), &Class::moved_and_known()].concat();
    let names: HashSet<_> = classes.iter().map(|class| class.name).collect();
    assert_eq!(names.len(), 39);
    for class in classes {
        let mut chance = Chance::of(3, 0);
        let differ = children.iter().filter_map(|child| {
            let record = asked(class, child, &population, &mut chance)?;
            let held = child.held();
            let given = |record: &population::Record| record.names[0].given.first().cloned();
            let same = given(&record) == given(&held)
                && record.names[0].family == held.names[0].family
                && record.date_of_birth == held.date_of_birth
                && record.addresses[0] == held.addresses[0];
            Some(!same)
        });
        let differ: Vec<_> = differ.take(200).collect();
        let wrong = differ.iter().filter(|differs| **differs).count();
        assert!(!differ.is_empty(), "{}", class.name);
        // A digit or letter of a postcode may by chance be put in its own place.
        let least = if class.name == "exact" { 0 } else { differ.len() * 4 / 5 };
        assert!(wrong >= least && (class.name != "exact" || wrong == 0), "{} {wrong}", class.name);
    }
}

#[test]
fn who_is_asked_for_in_vain_is_not_held_and_the_twin_is() {
    let mut file = Vec::new();
    labelled(&Population::new(20_000, 7), 20, false, 1, &mut file).unwrap();
    let lines: Vec<Labelled> = file
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect();
    let held: HashSet<_> = lines.iter().filter(|line| line.held).map(|line| &line.child).collect();
    let mut counts: HashMap<(&str, bool), usize> = HashMap::new();
    for line in lines.iter().filter(|line| line.asked) {
        let class = line.class.as_deref().unwrap();
        *counts.entry((class, held.contains(&line.child))).or_default() += 1;
        if class == "twin" {
            let home = &line.record.addresses[0];
            let twin = lines.iter().filter(|other| other.held).any(|other| {
                other.record.date_of_birth == line.record.date_of_birth
                    && &other.record.addresses[0] == home
            });
            assert!(twin, "{line:?}");
        }
    }
    assert_eq!((counts[&("exact", true)], counts[&("exact", false)]), (20, 10));
    assert_eq!((counts[&("twin", false)], counts.get(&("twin", true))), (20, None));
}
