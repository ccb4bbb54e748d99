//! The organisations: England's local authorities as they are, and invented schools, practices and others.

use super::{
    lists::{CHARITIES, SCHOOLS, SURGERIES},
    places::{PLACES, Place, freephone, office},
    row::{Codes, Organisation},
};

const AUTHORITIES: &str = include_str!("../../data/local-authorities.csv");

/// An organisation with the words by which rows refer to it.
#[derive(Debug, Clone)]
pub(super) struct Body {
    pub(super) organisation: Organisation,
    /// Such as `urn:900101`.
    pub(super) reference: String,
}

/// The organisations of one place, by what they do.
#[derive(Debug)]
pub(super) struct Local {
    pub(super) authority: Body,
    pub(super) primaries: Vec<Body>,
    pub(super) secondaries: Vec<Body>,
    pub(super) nurseries: Vec<Body>,
    pub(super) specials: Vec<Body>,
    pub(super) colleges: Vec<Body>,
    pub(super) practices: Vec<Body>,
    pub(super) hospital: Body,
    pub(super) community: Body,
    pub(super) partnership: Body,
    pub(super) police: Body,
    pub(super) charities: Vec<Body>,
}

/// Every organisation of the demo.
#[derive(Debug)]
pub(super) struct Directory {
    authorities: Vec<Body>,
    pub(super) locals: [Local; 2],
    pub(super) nationals: Vec<Body>,
}

impl Directory {
    pub(super) fn new() -> Self {
        let authorities = authorities();
        let locals = [0, 1].map(|area| Local::new(area, &authorities));
        let nationals = ["Childhood Line (demo)", "Missing From Home UK (demo)"];
        let nationals = (1..).zip(nationals).map(|(n, name)| national(n, name)).collect();
        Self { authorities, locals, nationals }
    }

    /// All of them, authorities first.
    pub(super) fn all(&self) -> impl Iterator<Item = &Organisation> {
        let local = self.locals.iter().flat_map(Local::all);
        self.authorities.iter().chain(local).chain(&self.nationals).map(|body| &body.organisation)
    }
}

impl Local {
    fn new(area: usize, authorities: &[Body]) -> Self {
        let place = &PLACES[area];
        let base = if area == 0 { 100 } else { 200 };
        let names = &SCHOOLS[area];
        let schools = |first: u32, names: &[&str], kind: &str| -> Vec<Body> {
            (first..)
                .zip(names)
                .map(|(n, name)| school(place, base, n, &format!("{name} {kind}")))
                .collect()
        };
        let town = if area == 0 { "Estuary" } else { "Humber Bank" };
        let trust =
            |n: u32, kind: &str| trust(place, base, n, &format!("{town} {kind} NHS Trust (demo)"));
        let own = authorities
            .iter()
            .find(|body| body.reference == format!("authority:{}", place.authority));
        Self {
            authority: own
                .cloned()
                .unwrap_or_else(|| authority(place.authority, "", place.authority)),
            primaries: schools(1, names, "Primary School"),
            secondaries: schools(37, &names[..14], "Academy"),
            nurseries: schools(51, &names[14..19], "Nursery School"),
            specials: schools(56, &names[19..21], "Special School"),
            colleges: schools(58, &names[21..24], "Sixth Form College"),
            practices: (1..)
                .zip(SURGERIES)
                .map(|(n, name)| practice(place, base, n, name))
                .collect(),
            hospital: trust(1, "Hospitals"),
            community: trust(2, "Community Health"),
            partnership: trust(3, "Partnership"),
            police: police(place, base, town),
            charities: (1..)
                .zip(CHARITIES)
                .map(|(n, name)| charity(place, base, n, name))
                .collect(),
        }
    }

    fn all(&self) -> impl Iterator<Item = &Body> {
        let schools = [&self.primaries, &self.secondaries, &self.nurseries, &self.specials];
        let trusts = [&self.hospital, &self.community, &self.partnership, &self.police];
        let others = [&self.colleges, &self.practices].into_iter().flatten();
        schools.into_iter().flatten().chain(others).chain(trusts).chain(&self.charities)
    }
}

/// The authorities of the list, in its order.
fn authorities() -> Vec<Body> {
    let mut reader = csv::Reader::from_reader(AUTHORITIES.as_bytes());
    let rows = reader.records().filter_map(Result::ok);
    rows.filter_map(|row| Some(authority(row.get(0)?, row.get(1)?, row.get(2)?))).collect()
}

fn authority(code: &str, gss: &str, name: &str) -> Body {
    let serial = code.parse().unwrap_or(0);
    let gss = gss.starts_with('E').then(|| gss.to_owned());
    let codes = Codes { authority: Some(code.to_owned()), gss, ..Codes::default() };
    let slug = PLACES.iter().find(|place| place.authority == code).map(|place| place.slug);
    let email = slug.map(|slug| format!("childrens.services@{slug}.example"));
    body("localAuthority", name.to_owned(), codes, Some(code), serial, email)
}

fn school(place: &Place, base: u32, n: u32, name: &str) -> Body {
    let codes = Codes {
        urn: Some(format!("900{:03}", base + n)),
        laestab: Some(format!("{}{}", place.authority, 9000 + n)),
        ..Codes::default()
    };
    let email = Some(format!("office@school-{}.example", base + n));
    body("school", format!("{name} (demo)"), codes, Some(place.authority), base + n, email)
}

fn practice(place: &Place, base: u32, n: u32, name: &str) -> Body {
    let codes = Codes { ods: Some(format!("Y90{:03}", base + n)), ..Codes::default() };
    let name = format!(
        "{name} {} (demo)",
        if n.is_multiple_of(2) { "Surgery" } else { "Medical Practice" }
    );
    body("gpPractice", name, codes, Some(place.authority), base + 400 + n, None)
}

fn trust(place: &Place, base: u32, n: u32, name: &str) -> Body {
    let codes = Codes { ods: Some(format!("Y95{:03}", base + n)), ..Codes::default() };
    let email = Some(format!("safeguarding.children@trust-{}.example", base + n));
    body("healthTrust", name.to_owned(), codes, Some(place.authority), base + 500 + n, email)
}

fn police(place: &Place, base: u32, town: &str) -> Body {
    let codes = reference(format!("DEMO-POLICE-{}", place.authority));
    let email = Some(format!("vulnerability.hub@{}-police.example", place.slug));
    body(
        "policeForce",
        format!("{town} Police (demo)"),
        codes,
        Some(place.authority),
        base + 600,
        email,
    )
}

fn charity(place: &Place, base: u32, n: u32, name: &str) -> Body {
    let codes = reference(format!("DEMO-CHARITY-{}-{n:02}", place.authority));
    let town = if base == 100 { "Medway" } else { "Hull" };
    body(
        "charity",
        format!("{town} {name} (demo)"),
        codes,
        Some(place.authority),
        base + 700 + n,
        None,
    )
}

fn national(n: u32, name: &str) -> Body {
    let codes = reference(format!("DEMO-NATIONAL-{n}"));
    body(
        "nationalPartner",
        name.to_owned(),
        codes,
        None,
        900 + n,
        Some(format!("duty@national-{n}.example")),
    )
}

fn reference(reference: String) -> Codes {
    Codes { reference: Some(reference), ..Codes::default() }
}

fn body(
    kind: &'static str,
    name: String,
    codes: Codes,
    authority: Option<&str>,
    serial: u32,
    email: Option<String>,
) -> Body {
    let known = [("urn", &codes.urn), ("ods", &codes.ods), ("authority", &codes.authority)];
    let reference = known
        .into_iter()
        .chain([("reference", &codes.reference)])
        .find_map(|(scheme, code)| code.as_ref().map(|code| format!("{scheme}:{code}")))
        .unwrap_or_default();
    let organisation = Organisation {
        kind,
        name,
        codes,
        authority: authority.map(str::to_owned),
        office_hours: office(serial),
        duty: freephone(serial),
        email,
    };
    Body { organisation, reference }
}
