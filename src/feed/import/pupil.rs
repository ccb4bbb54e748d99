//! A pupil of a Common Transfer File, as a row.

use std::collections::BTreeMap;

use chrono::NaiveDate;

use super::{ctf::At, draft::Draft};
use crate::{carer::Relationship, feed::row::FeedRow, problem::Fault};

/// As many contacts of a pupil, numbers of a contact and faults as are held.
const MOST: usize = 30;

/// The lines of an address that has lines.
const LINES: [&str; 5] =
    ["AddressLine1", "AddressLine2", "AddressLine3", "AddressLine4", "AddressLine5"];

/// What is taken of a pupil.
#[derive(Default)]
pub(super) struct Pupil {
    said: Texts,
    contacts: Vec<Contact>,
    wrong: Vec<(String, &'static str)>,
}

/// Texts by the elements that they stand in.
#[derive(Default)]
struct Texts(BTreeMap<&'static str, String>);

#[derive(Default)]
struct Contact {
    said: Texts,
    phones: Vec<String>,
}

impl Texts {
    fn of(&self, element: &str) -> &str {
        self.0.get(element).map_or("", String::as_str)
    }
}

impl Pupil {
    /// A contact begins.
    pub(super) fn contact(&mut self) {
        if self.contacts.len() == MOST {
            self.refuse("/Contacts".to_owned(), "must have at most 30");
            self.contacts.truncate(MOST - 1);
        }
        self.contacts.push(Contact::default());
    }

    /// Takes the text of an element; none where it was too long.
    pub(super) fn take(&mut self, at: At, text: Option<&str>) {
        let n = self.contacts.len().saturating_sub(1);
        let (texts, path, element) = match (at, self.contacts.last_mut()) {
            (At::OfPupil(element), _) => (&mut self.said, format!("/{element}"), element),
            (At::OfContact(element), Some(contact)) => {
                (&mut contact.said, contact_field(n, element), element)
            }
            (At::PhoneNumber, Some(contact)) => {
                match text {
                    Some(text) if contact.phones.len() < MOST => {
                        contact.phones.push(text.to_owned());
                    }
                    _ => self.refuse(contact_field(n, "Phones"), "is too long"),
                }
                return;
            }
            _ => return,
        };
        let Some(text) = text else {
            return self.refuse(path, "is too long");
        };
        if texts.0.insert(element, text.to_owned()).is_some() {
            self.refuse(path, "is given twice");
        }
    }

    fn refuse(&mut self, field: String, detail: &'static str) {
        if self.wrong.len() < MOST {
            self.wrong.push((field, detail));
        }
    }

    /// The row, by the rules of a record.
    pub(super) fn row(self, today: NaiveDate) -> Result<FeedRow, Vec<Fault>> {
        let mut draft = Draft::default();
        for (at, detail) in &self.wrong {
            draft.refuse(at, detail);
        }
        self.names(&mut draft);
        let said = |element| self.said.of(element);
        let upn = said("UPN").to_ascii_uppercase();
        draft.put_text("/reference", "/UPN", &upn);
        draft.put_text("/dateOfBirth", "/DOB", said("DOB"));
        self.gender(&mut draft);
        let numbers = [("upn", "UPN"), ("uln", "UniqueLearnerNumber")];
        let numbers = numbers.into_iter().filter(|(_, element)| !said(element).is_empty());
        for (n, (kind, element)) in numbers.enumerate() {
            draft.put(&format!("/identifiers/{n}/kind"), &format!("/{element}"), kind);
            draft.put(&format!("/identifiers/{n}/value"), &format!("/{element}"), said(element));
        }
        if has_address(&self.said) {
            draft.put("/whereabouts/kind", "/Address", "current");
            address(&mut draft, "/whereabouts/address", "", &self.said);
        }
        let carers = self.contacts.iter().enumerate().filter(|(_, contact)| contact.is_carer());
        draft.came_from("/carers", "/Contacts");
        for (place, (n, contact)) in carers.enumerate() {
            contact.carer(&mut draft, place, n);
        }
        draft.row(today)
    }

    fn names(&self, draft: &mut Draft) {
        let said = |element| self.said.of(element);
        let (surname, forename) = (said("Surname"), said("Forename"));
        draft.put("/names/0/kind", "/Forename", "current");
        let given = format!("{forename} {}", said("MiddleNames"));
        draft.put_given(
            "/names/0/given",
            "/Forename",
            if forename.is_empty() { "" } else { &given },
        );
        draft.put_text("/names/0/family", "/Surname", surname);
        let mut n = 1;
        for (kind, given, family) in [
            ("knownAs", "PreferredForename", "PreferredSurname"),
            ("former", "FormerForename", "FormerSurname"),
        ] {
            let differs = |element, current| {
                let text = said(element);
                !text.is_empty() && text != current
            };
            if !differs(given, forename) && !differs(family, surname) {
                continue;
            }
            let or = |element, current| if said(element).is_empty() { current } else { element };
            let (given, family) = (or(given, "Forename"), or(family, "Surname"));
            draft.put(&format!("/names/{n}/kind"), &format!("/{given}"), kind);
            draft.put_given(&format!("/names/{n}/given"), &format!("/{given}"), said(given));
            draft.put_text(&format!("/names/{n}/family"), &format!("/{family}"), said(family));
            n += 1;
        }
    }

    /// `Sex` since CTF 25, `Gender` before; what is neither says nothing.
    fn gender(&self, draft: &mut Draft) {
        let element = if self.said.of("Sex").is_empty() { "Gender" } else { "Sex" };
        let code = match self.said.of(element) {
            "M" => "male",
            "F" => "female",
            _ => "notSpecified",
        };
        draft.put("/gender", &format!("/{element}"), code);
    }
}

impl Contact {
    /// Whether a record may hold the contact: a parent, one who cares for the child, or one with parental responsibility, by
    /// whole name.
    fn is_carer(&self) -> bool {
        let named = !self.said.of("Surname").is_empty() && !self.said.of("Forename").is_empty();
        let cares = matches!(
            self.said.of("Relationship"),
            "PAM" | "PAF" | "STM" | "STF" | "FOM" | "FOF" | "CAR"
        );
        named && (cares || self.is_responsible())
    }

    fn is_responsible(&self) -> bool {
        matches!(self.said.of("Responsibility"), "true" | "1" | "T" | "Y")
    }

    fn relationship(&self) -> Relationship {
        match self.said.of("Relationship") {
            "PAM" => Relationship::Mother,
            "PAF" => Relationship::Father,
            "STM" | "STF" => Relationship::StepParent,
            "FOM" | "FOF" => Relationship::FosterCarer,
            "REL" | "FAM" => Relationship::OtherRelative,
            _ => Relationship::Other,
        }
    }

    fn carer(&self, draft: &mut Draft, place: usize, n: usize) {
        let member = |name: &str| format!("/carers/{place}/{name}");
        let field = |element: &str| contact_field(n, element);
        let said = |element| self.said.of(element);
        let given = format!("{} {}", said("Forename"), said("MiddleNames"));
        draft.came_from(&member("phones"), &field("Phones"));
        draft.put_given(&member("name/given"), &field("Forename"), &given);
        draft.put_text(&member("name/family"), &field("Surname"), said("Surname"));
        let relationship = self.relationship().as_str();
        draft.put(&member("relationship"), &field("Relationship"), relationship);
        let responsible = self.is_responsible();
        draft.put(&member("parentalResponsibility"), &field("Responsibility"), responsible);
        let phones = self.phones.iter().filter(|phone| !phone.is_empty());
        for (at, phone) in phones.enumerate() {
            let phone = phone.replace(['-', '.'], " ");
            draft.put_text(&member(&format!("phones/{at}")), &field("Phones"), &phone);
        }
        draft.put_text(&member("emails/0"), &field("Email"), said("Email"));
        if has_address(&self.said) {
            address(draft, &member("address"), &contact_field(n, ""), &self.said);
        }
    }
}

/// How an element of a contact is pointed at.
fn contact_field(n: usize, element: &str) -> String {
    format!("/Contacts/Contact/{n}/{element}")
}

/// Whether there is an address that a record can hold: one in the United Kingdom.
fn has_address(said: &Texts) -> bool {
    !said.of("Address/PostCode").is_empty()
}

/// An address in either form. Of lines the last is the town.
fn address(draft: &mut Draft, pointer: &str, at: &str, said: &Texts) {
    let at = at.trim_end_matches('/');
    let field = |element: &str| format!("{at}/Address/{element}");
    let of = |element: &str| said.of(&format!("Address/{element}"));
    let line = |element: &'static str| (element, of(element).to_owned());
    let said = |(_, text): &(&str, String)| !text.is_empty();
    let mut lines: Vec<_> = LINES.into_iter().map(line).filter(said).collect();
    let mut town = [line("PostTown"), line("Town")].into_iter().find(said);
    if lines.is_empty() {
        let street = format!("{} {}", of("PAON"), of("Street"));
        let district = line("Town");
        lines = vec![line("SAON"), ("Street", street.trim().to_owned()), line("Locality")];
        lines.extend((town.as_ref().is_some_and(|town| town.1 != district.1)).then_some(district));
        lines.retain(said);
    } else if town.is_none() && lines.len() > 1 {
        town = lines.pop();
    }
    let town = town.unwrap_or(("Town", String::new()));
    draft.came_from(&format!("{pointer}/lines"), &field("AddressLine1"));
    for (n, (element, text)) in lines.iter().enumerate() {
        draft.put_text(&format!("{pointer}/lines/{n}"), &field(element), text);
    }
    draft.put_text(&format!("{pointer}/town"), &field(town.0), &town.1);
    draft.put_text(&format!("{pointer}/postcode"), &field("PostCode"), of("PostCode"));
    let uprn = "UniquePropertyReferenceNumber";
    draft.put_text(&format!("{pointer}/uprn"), &field(uprn), of(uprn));
}
