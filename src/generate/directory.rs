//! The organisations: local authorities as they are, and as many invented schools and practices as so many children have.

use std::collections::HashMap;

use population::Population;
use uuid::Uuid;

use super::{Numbered, Plan, copy::Rows};

const AUTHORITIES: &str = include_str!("../../data/local-authorities.csv");
const WORDS: [&str; 24] = [
    "Alder", "Beacon", "Birch", "Brook", "Cedar", "Chestnut", "Clover", "Elder", "Fern",
    "Hawthorn", "Hazel", "Heron", "Kestrel", "Lark", "Linden", "Maple", "Meadow", "Orchard",
    "Poplar", "Rowan", "Sorrel", "Thistle", "Willow", "Yarrow",
];
/// Numbers that are nobody's (Ofcom keeps them for drama).
pub(super) const OFFICE: &str = "01632 960010";
pub(super) const DUTY: &str = "01632 960020";

/// A local authority of the list.
#[derive(Debug)]
struct Authority {
    id: Uuid,
    code: String,
    gss: String,
    name: String,
    /// Whether the index does not hold it yet.
    new: bool,
}

/// Which organisations there are.
#[derive(Debug)]
pub(super) struct Directory {
    plan: Plan,
    authorities: Vec<Authority>,
    schools: usize,
    practices: usize,
}

impl Directory {
    /// The organisations of a population, of whose authorities the index holds these already, by their codes.
    pub(super) fn new(plan: Plan, population: &Population, held: &HashMap<String, Uuid>) -> Self {
        let mut reader = csv::Reader::from_reader(AUTHORITIES.as_bytes());
        let rows = reader.records().filter_map(Result::ok);
        let authorities = (0..).zip(rows).filter_map(|(n, row)| {
            let code = row.get(0)?.to_owned();
            let known = held.get(&code).copied();
            let id = known.unwrap_or_else(|| plan.id(Numbered::Authority, n));
            let (gss, name) = (row.get(1)?.to_owned(), row.get(2)?.to_owned());
            Some(Authority { id, code, gss, name, new: known.is_none() })
        });
        let (schools, practices) = (population.schools(), population.practices());
        Self { plan, authorities: authorities.collect(), schools, practices }
    }

    pub(super) fn areas(&self) -> usize {
        self.authorities.len()
    }

    /// The authority of an area.
    pub(super) fn authority(&self, area: usize) -> Uuid {
        self.authorities[area].id
    }

    /// The three digits of the authority of an area.
    pub(super) fn code(&self, area: usize) -> &str {
        &self.authorities[area].code
    }

    pub(super) fn school(&self, number: u64) -> Uuid {
        self.plan.id(Numbered::School, number)
    }

    pub(super) fn practice(&self, number: u64) -> Uuid {
        self.plan.id(Numbered::Practice, number)
    }

    pub(super) fn trust(&self, area: usize) -> Uuid {
        self.plan.id(Numbered::Trust, area as u64)
    }

    pub(super) fn police(&self, area: usize) -> Uuid {
        self.plan.id(Numbered::Police, area as u64)
    }

    /// Those that are to be added, authorities first, and how many.
    pub(super) fn rows(&self) -> (Vec<u8>, u64) {
        let mut office = Office { plan: self.plan, rows: Rows::default(), written: 0 };
        for one in self.authorities.iter().filter(|one| one.new) {
            let gss = Some(one.gss.as_str()).filter(|gss| gss.starts_with('E'));
            let codes = Codes { authority: Some(&one.code), gss, ..Codes::default() };
            office.write(one.id, "localAuthority", &one.name, codes, one.id);
        }
        let mut first = (0, 0);
        for n in 0..self.schools {
            let area = n * self.areas() / self.schools;
            if first.0 != area {
                first = (area, n);
            }
            let name = format!("{} School {} (fictitious)", WORDS[n % WORDS.len()], n + 1);
            let urn = (900_001 + n).to_string();
            let laestab = format!("{}{}", self.code(area), 9001 + n - first.1);
            let codes = Codes { urn: Some(&urn), laestab: Some(&laestab), ..Codes::default() };
            office.write(self.school(n as u64), "school", &name, codes, self.authority(area));
        }
        for n in 0..self.practices {
            let area = n * self.areas() / self.practices;
            let name = format!("{} Surgery {} (fictitious)", WORDS[n % WORDS.len()], n + 1);
            let ods = format!("YG{n:05}");
            let codes = Codes { ods: Some(&ods), ..Codes::default() };
            office.write(self.practice(n as u64), "gpPractice", &name, codes, self.authority(area));
        }
        for (area, one) in self.authorities.iter().enumerate() {
            let (trust, police) =
                (format!("YT{}", one.code), format!("FICTITIOUS-POLICE-{}", one.code));
            let codes = Codes { ods: Some(&trust), ..Codes::default() };
            let name = format!("Community Health {} (fictitious)", one.code);
            office.write(self.trust(area), "healthTrust", &name, codes, one.id);
            let codes = Codes { reference: Some(&police), ..Codes::default() };
            let name = format!("Police {} (fictitious)", one.code);
            office.write(self.police(area), "policeForce", &name, codes, one.id);
        }
        (office.rows.into_bytes(), office.written)
    }
}

#[derive(Clone, Copy, Default)]
struct Codes<'c> {
    authority: Option<&'c str>,
    gss: Option<&'c str>,
    urn: Option<&'c str>,
    laestab: Option<&'c str>,
    ods: Option<&'c str>,
    reference: Option<&'c str>,
}

struct Office {
    plan: Plan,
    rows: Rows,
    written: u64,
}

impl Office {
    fn write(&mut self, id: Uuid, kind: &str, name: &str, codes: Codes<'_>, authority: Uuid) {
        let Codes { authority: code, gss, urn, laestab, ods, reference } = codes;
        self.rows.plain(id).plain(kind).text(name);
        for code in [code, gss, urn, laestab, ods, reference] {
            self.rows.some(code);
        }
        self.rows
            .plain(authority)
            .plain(OFFICE)
            .plain(DUTY)
            .plain(self.plan.now.to_rfc3339())
            .end();
        self.written += 1;
    }
}
