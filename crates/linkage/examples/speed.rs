//! `cargo run --release -p linkage --example speed`: how long it takes to unpack and to compare a record, and how many keys it has.

use std::hint::black_box;

use linkage::{
    Birth, Frequencies, Gender, Matcher, Model, Name, NameKind, Person, PersonName, Place, decide,
};

const GIVEN: [&str; 12] = [
    "Olivia",
    "Muhammad",
    "Amelia",
    "Jack",
    "Aoife",
    "Thomas",
    "Elizabeth",
    "Xiaoming",
    "Arjun",
    "Oluwaseun",
    "Katarzyna",
    "Noah",
];
const FAMILY: [&str; 12] = [
    "Smith",
    "Khan",
    "Smith-Jones",
    "O'Brien",
    "Kowalska",
    "Nguyen",
    "Adeyemi",
    "Singh",
    "Patel",
    "Williams",
    "van der Berg",
    "MacDonald",
];

/// Nanoseconds of this process on a processor: others who use the machine do not count.
fn spent() -> u128 {
    let stat = std::fs::read_to_string("/proc/self/schedstat").unwrap_or_default();
    stat.split(' ').next().and_then(|ns| ns.parse().ok()).unwrap_or_default()
}

fn person(n: usize) -> Person {
    let given = [GIVEN[n % 12], GIVEN[(n / 12) % 12]];
    let day = u8::try_from(n % 28 + 1).unwrap_or(1);
    let month = u8::try_from(n / 28 % 12 + 1).unwrap_or(1);
    let lines = [format!("{} High Street", n % 180 + 1)];
    Person {
        names: vec![Name {
            kind: NameKind::Current,
            name: PersonName::of(&given, FAMILY[n / 5 % 12]),
        }],
        birth: Some(Birth::on(2008 + i16::try_from(n % 17).unwrap_or(0), month, day)),
        gender: Some(if n.is_multiple_of(2) { Gender::Female } else { Gender::Male }),
        places: vec![Place::of(&lines, "Leeds", &format!("LS{} {}AB", n % 29 + 1, n % 10), false)],
        carers: vec![PersonName::of(&[GIVEN[n / 7 % 12]], FAMILY[n / 5 % 12])],
        schools: vec![n as u64 % 24_000],
        ..Person::default()
    }
}

fn main() {
    const CANDIDATES: usize = 4_000;
    let matcher = Matcher::of(Model::cold(), Frequencies::default());
    let packed: Vec<Vec<u8>> = (0..CANDIDATES).filter_map(|n| person(n).pack().ok()).collect();
    let asked = person(7);
    println!("{} keys stored, {} asked", asked.keys().len(), asked.keys_to_find().len());
    println!("{} bytes packed", packed[7].len());
    let known: Vec<Person> = packed.iter().filter_map(|one| Person::unpack(one).ok()).collect();
    for round in 0..3 {
        let each = |begun: u128| (spent() - begun) / CANDIDATES as u128;
        let begun = spent();
        for one in &packed {
            let _ = black_box(Person::unpack(black_box(one)));
        }
        let unpacking = each(begun);
        let begun = spent();
        let compared: Vec<_> = known
            .iter()
            .enumerate()
            .map(|(n, one)| (n, matcher.compare(black_box(&asked), black_box(one))))
            .collect();
        let comparing = each(begun);
        let begun = spent();
        black_box(decide(&matcher.model, compared));
        let deciding = each(begun);
        let begun = spent();
        for one in &known {
            black_box(one.keys());
        }
        let storing = each(begun);
        let begun = spent();
        for one in known.iter().take(400) {
            black_box(one.keys_to_find());
        }
        let finding = (spent() - begun) / 400;
        println!(
            "round {round}: unpack {unpacking} ns, compare {comparing} ns, decide {deciding} ns a record; keys {storing} ns, keys to find {finding} ns"
        );
    }
}
