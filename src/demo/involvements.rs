//! Who works with a child, as befits its age.

use chrono::{Datelike, NaiveDate};

use super::{
    chance::{Chance, months_after, plus},
    directory::{Body, Directory, Local},
    names,
    row::{Contact, Involvement},
};

/// Additional services: how many in a thousand children they work with, from which age until which.
const ADDITIONAL: [(&str, u32, i32, i32); 11] = [
    ("socialCare", 40, 0, 17),
    ("earlyHelp", 45, 0, 17),
    ("educationWelfare", 45, 5, 16),
    ("youthJustice", 15, 10, 17),
    ("police", 30, 2, 17),
    ("paediatrics", 85, 0, 16),
    ("speechAndLanguageTherapy", 70, 2, 10),
    ("communityHealth", 40, 0, 17),
    ("familySupport", 45, 0, 15),
    ("youthService", 70, 11, 17),
    ("housing", 35, 0, 17),
];
pub(super) const UNIVERSAL: [&str; 6] =
    ["earlyYears", "school", "college", "generalPractice", "healthVisiting", "schoolNursing"];

/// Which of the local schools and practices a family goes to.
#[derive(Debug, Clone, Copy)]
pub(super) struct Choices {
    practice: usize,
    nursery: usize,
    primary: usize,
    secondary: usize,
    college: usize,
}

/// What a child has of services.
#[derive(Debug, Default)]
pub(super) struct Services {
    pub(super) involvements: Vec<Involvement>,
    pub(super) without: Vec<&'static str>,
}

/// Everything that decides a child's services.
#[derive(Debug)]
pub(super) struct Setting<'a> {
    pub(super) directory: &'a Directory,
    pub(super) local: &'a Local,
    pub(super) choices: Choices,
    pub(super) born: NaiveDate,
    pub(super) today: NaiveDate,
    /// The day on which all services ended.
    pub(super) left: Option<NaiveDate>,
    pub(super) in_care: bool,
}

impl Choices {
    pub(super) fn draw(chance: &mut Chance, local: &Local) -> Self {
        Self {
            practice: chance.index(local.practices.len()),
            nursery: chance.index(local.nurseries.len()),
            primary: chance.index(local.primaries.len()),
            secondary: chance.index(local.secondaries.len()),
            college: chance.index(local.colleges.len()),
        }
    }
}

/// The first day of the reception class.
pub(crate) fn reception(born: NaiveDate) -> NaiveDate {
    let year = born.year() + if born.month() >= 9 { 5 } else { 4 };
    NaiveDate::from_ymd_opt(year, 9, 1).unwrap_or(born)
}

impl Setting<'_> {
    /// The services of one child.
    pub(super) fn services(&self, chance: &mut Chance) -> Services {
        let mut services = Services::default();
        self.education(chance, &mut services);
        self.health(chance, &mut services);
        self.additional(chance, &mut services);
        match self.left {
            Some(day) => end_all(&mut services.involvements, day),
            None => self.flag(chance, &mut services.involvements),
        }
        services
    }

    fn age(&self) -> i32 {
        i32::try_from(self.today.years_since(self.born).unwrap_or_default()).unwrap_or_default()
    }

    fn education(&self, chance: &mut Chance, services: &mut Services) {
        let starts = reception(self.born);
        if starts > self.today {
            return self.early_years(chance, services);
        }
        if chance.permille(8) {
            services.without.push("school");
            return;
        }
        let [moves_up, leaves] = [7, 12].map(|years| months_after(starts, years * 12));
        let Choices { primary, secondary, college, .. } = self.choices;
        let list = &mut services.involvements;
        if chance.permille(20) {
            let special = &self.local.specials[primary % self.local.specials.len()];
            list.push(self.involvement(chance, special, "school", starts, None));
            return;
        }
        let ended = (moves_up <= self.today).then(|| plus(moves_up, -40));
        if ended.is_none() || chance.permille(300) {
            list.push(self.involvement(
                chance,
                &self.local.primaries[primary],
                "school",
                starts,
                ended,
            ));
        }
        if ended.is_none() {
            return;
        }
        let goes = leaves <= self.today && chance.permille(500);
        let ended = goes.then(|| plus(leaves, -40));
        list.push(self.involvement(
            chance,
            &self.local.secondaries[secondary],
            "school",
            moves_up,
            ended,
        ));
        if goes {
            list.push(self.involvement(
                chance,
                &self.local.colleges[college],
                "college",
                leaves,
                None,
            ));
        }
    }

    fn early_years(&self, chance: &mut Chance, services: &mut Services) {
        let from = plus(self.born, i64::from(chance.between(280, 1100)));
        if from > self.today || chance.permille(150) {
            return;
        }
        let body = if chance.permille(600) {
            &self.local.nurseries[self.choices.nursery]
        } else {
            &self.local.charities[self.choices.nursery % 2]
        };
        services.involvements.push(self.involvement(chance, body, "earlyYears", from, None));
    }

    fn health(&self, chance: &mut Chance, services: &mut Services) {
        let list = &mut services.involvements;
        if chance.permille(5) {
            services.without.push("generalPractice");
        } else {
            let registered = plus(self.born, i64::from(chance.between(3, 40))).min(self.today);
            let practice = &self.local.practices[self.choices.practice];
            list.push(self.involvement(chance, practice, "generalPractice", registered, None));
        }
        let school = reception(self.born);
        if school > self.today {
            let visited = plus(self.born, i64::from(chance.between(1, 14))).min(self.today);
            list.push(self.involvement(
                chance,
                &self.local.community,
                "healthVisiting",
                visited,
                None,
            ));
        } else if !services.without.contains(&"school") && chance.permille(880) {
            list.push(self.involvement(
                chance,
                &self.local.community,
                "schoolNursing",
                school,
                None,
            ));
        }
    }

    fn additional(&self, chance: &mut Chance, services: &mut Services) {
        for (service, permille, from, until) in ADDITIONAL {
            let wanted = chance.permille(permille);
            let fostered = self.in_care && service == "socialCare";
            if !(fostered || wanted && (from..=until).contains(&self.age())) {
                continue;
            }
            let earliest = months_after(self.born, u32::try_from(from).unwrap_or_default() * 12);
            let started = chance.day(earliest.max(plus(self.today, -900)), self.today);
            let ended =
                (!fostered && chance.permille(250)).then(|| chance.day(started, self.today));
            let body = self.body(chance, service);
            services.involvements.push(self.involvement(chance, body, service, started, ended));
        }
    }

    /// The organisation that gives an additional service.
    fn body(&self, chance: &mut Chance, service: &str) -> &Body {
        let local = self.local;
        match service {
            "police" => &local.police,
            "paediatrics" => &local.hospital,
            "communityHealth" if chance.permille(300) => &local.partnership,
            "speechAndLanguageTherapy" | "communityHealth" => &local.community,
            "familySupport" if chance.permille(80) => {
                &self.directory.nationals[chance.index(self.directory.nationals.len())]
            }
            "familySupport" => &local.charities[[2, 3, 5, 7][chance.index(4)]],
            "youthService" if chance.permille(600) => &local.charities[[4, 6, 8][chance.index(3)]],
            _ => &local.authority,
        }
    }

    /// An involvement of this organisation, with somebody to speak to.
    pub(super) fn involvement(
        &self,
        chance: &mut Chance,
        body: &Body,
        service_type: &'static str,
        started_on: NaiveDate,
        ended_on: Option<NaiveDate>,
    ) -> Involvement {
        let universal = UNIVERSAL.contains(&service_type);
        let office = &body.organisation;
        let practitioner =
            chance.permille(if universal { 250 } else { 650 }).then(|| names::adult(chance));
        let named = practitioner.is_some() && chance.permille(300);
        let always = ["socialCare", "police", "paediatrics"].contains(&service_type);
        let contact = Contact {
            practitioner,
            team: (!named).then(|| team(service_type).to_owned()),
            office_hours: office.office_hours.clone(),
            out_of_hours: always.then(|| office.duty.clone()),
            email: if chance.permille(600) { office.email.clone() } else { None },
        };
        let confirmed_on = (ended_on.is_none() && chance.permille(450))
            .then(|| chance.day(started_on.max(plus(self.today, -365)), self.today));
        Involvement {
            organisation: body.reference.clone(),
            service_type,
            contact,
            started_on,
            ended_on,
            confirmed_on,
            flags: Vec::new(),
        }
    }
}

/// Ends what goes on, and drops what would have begun later.
fn end_all(involvements: &mut Vec<Involvement>, day: NaiveDate) {
    involvements.retain(|involvement| involvement.started_on <= day);
    for involvement in involvements {
        involvement.confirmed_on = None;
        involvement.ended_on = Some(involvement.ended_on.map_or(day, |ended| ended.min(day)));
    }
}

/// What the people who do this are called together.
pub(crate) fn team(service: &str) -> &'static str {
    match service {
        "earlyYears" => "Nursery office",
        "school" => "School office",
        "college" => "Student services",
        "generalPractice" => "Reception",
        "healthVisiting" => "Health visiting team",
        "schoolNursing" => "School nursing team",
        "socialCare" => "Children's social work team",
        "earlyHelp" => "Early help hub",
        "educationWelfare" => "Attendance team",
        "youthJustice" => "Youth justice team",
        "police" => "Vulnerability hub",
        "paediatrics" => "Children's outpatients",
        "speechAndLanguageTherapy" => "Speech and language team",
        "communityHealth" => "Children's community nursing",
        "familySupport" => "Family support team",
        "youthService" => "Youth team",
        _ => "Housing options team",
    }
}
