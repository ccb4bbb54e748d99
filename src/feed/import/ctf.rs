//! The Common Transfer File of the Department for Education: of each pupil the elements that a record may hold. Every other
//! element ends here: ethnicity, special needs, free meals, health, assessments and attendance are skipped, never read.

use std::io::BufRead;

use chrono::NaiveDate;
use quick_xml::{
    Error, Reader,
    escape::resolve_xml_entity,
    events::{BytesDecl, BytesRef, BytesStart, Event},
};

use super::{Numbered, bounded::Bounded, pupil::Pupil, unreadable};
use crate::http::{MAX_BODY, MAX_DEPTH};

/// As many bytes as a tag may have, with its attributes, none of which is read.
const LONGEST_TAG: usize = 4 * 1024;
/// As many bytes of an element's text as are kept: more is told to be too long.
const LONGEST_TEXT: usize = 400;

/// The pupils of a Common Transfer File.
pub(super) struct Ctf<R> {
    reader: Reader<Bounded<R>>,
    buffer: Vec<u8>,
    today: NaiveDate,
    /// Where the reader stands, from the root.
    open: Vec<At>,
    /// How many elements are open below one that is skipped.
    skipped: usize,
    begun: bool,
    ended: bool,
    pupils: i64,
    pupil: Pupil,
    text: String,
}

/// A place in the file that the reader looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    File,
    Pupils,
    Pupil,
    /// What groups elements of a pupil and has none of its own.
    Details,
    PupilAddress,
    Contacts,
    Contact,
    ContactAddress,
    Phones,
    Phone,
    /// A text of the pupil.
    OfPupil(&'static str),
    /// A text of the latest contact.
    OfContact(&'static str),
    /// A telephone number of the latest contact.
    PhoneNumber,
}

/// The element of this name at that place; nothing where it is skipped.
fn within(at: Option<At>, name: &str) -> Option<At> {
    Some(match (at, name) {
        (None, "CTfile") => At::File,
        (Some(At::File), "CTFpupilData") => At::Pupils,
        (Some(At::Pupils), "Pupil") => At::Pupil,
        (Some(At::Pupil), "BasicDetails") => At::Details,
        (Some(At::Pupil), "Contacts") => At::Contacts,
        (Some(At::Pupil), "Address")
        | (Some(At::PupilAddress), "BS7666Address" | "AddressLines") => At::PupilAddress,
        (Some(At::Pupil | At::Details), name) => At::OfPupil(of(name, &OF_A_PUPIL)?),
        (Some(At::PupilAddress), name) => At::OfPupil(of(name, &OF_AN_ADDRESS)?),
        (Some(At::Contacts), "Contact") => At::Contact,
        (Some(At::Contact), "Address")
        | (Some(At::ContactAddress), "BS7666Address" | "AddressLines") => At::ContactAddress,
        (Some(At::Contact), "Phones") => At::Phones,
        (Some(At::Contact), name) => At::OfContact(of(name, &OF_A_CONTACT)?),
        (Some(At::ContactAddress), name) => At::OfContact(of(name, &OF_AN_ADDRESS)?),
        (Some(At::Phones), "Phone") => At::Phone,
        (Some(At::Phone), "PhoneNo") => At::PhoneNumber,
        _ => return None,
    })
}

/// The texts of a pupil that are taken.
pub(super) const OF_A_PUPIL: [&str; 12] = [
    "UPN",
    "UniqueLearnerNumber",
    "Surname",
    "Forename",
    "DOB",
    "Sex",
    "Gender",
    "MiddleNames",
    "PreferredSurname",
    "PreferredForename",
    "FormerSurname",
    "FormerForename",
];

/// The texts of a contact that are taken.
pub(super) const OF_A_CONTACT: [&str; 6] =
    ["Surname", "Forename", "MiddleNames", "Relationship", "Responsibility", "Email"];

/// The texts of an address that are taken, by which they are pointed at: the forms of BS 7666 and of lines.
pub(super) const OF_AN_ADDRESS: [&str; 13] = [
    "Address/SAON",
    "Address/PAON",
    "Address/Street",
    "Address/Locality",
    "Address/Town",
    "Address/PostTown",
    "Address/UniquePropertyReferenceNumber",
    "Address/AddressLine1",
    "Address/AddressLine2",
    "Address/AddressLine3",
    "Address/AddressLine4",
    "Address/AddressLine5",
    "Address/PostCode",
];

fn of(name: &str, names: &[&'static str]) -> Option<&'static str> {
    names.iter().copied().find(|known| known.strip_prefix("Address/").unwrap_or(known) == name)
}

impl<R: BufRead> Ctf<R> {
    /// The pupils that `reader` gives.
    pub(super) fn of(reader: R, today: NaiveDate) -> Self {
        let mut reader = Reader::from_reader(Bounded::of(reader));
        reader.config_mut().expand_empty_elements = true;
        Self {
            reader,
            buffer: Vec::new(),
            today,
            open: Vec::new(),
            skipped: 0,
            begun: false,
            ended: false,
            pupils: 0,
            pupil: Pupil::default(),
            text: String::new(),
        }
    }

    /// Goes on by one event; says whether a pupil ended.
    fn advance(&mut self) -> std::io::Result<Step> {
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.clear();
        self.reader.get_mut().allow(MAX_BODY);
        let event = self.reader.read_event_into(&mut buffer).map_err(refused);
        let step = match event? {
            Event::Start(tag) => self.start(&tag)?,
            Event::End(_) => self.end()?,
            Event::Text(text) => self.say(&text)?,
            Event::CData(text) => self.say(&text)?,
            Event::GeneralRef(reference) => self.refer(&reference)?,
            Event::Decl(declaration) => self.declare(&declaration)?,
            Event::DocType(_) => {
                return Err(unreadable("A document type definition is not taken."));
            }
            Event::Comment(_) | Event::PI(_) | Event::Empty(_) => Step::On,
            Event::Eof if self.ended => Step::End,
            Event::Eof => return Err(unreadable("The file ends before its elements do.")),
        };
        self.begun = true;
        self.buffer = buffer;
        Ok(step)
    }

    fn start(&mut self, tag: &BytesStart<'_>) -> std::io::Result<Step> {
        if tag.len() > LONGEST_TAG {
            return Err(unreadable("A tag is over 4 KiB."));
        }
        if self.open.len() + self.skipped >= MAX_DEPTH {
            return Err(unreadable("Elements are nested over 32 levels deep."));
        }
        let name = tag.name();
        if self.open.is_empty() && (self.ended || name.as_ref() != "CTfile") {
            return Err(unreadable(
                "The file is no Common Transfer File: its one root is `CTfile`.",
            ));
        }
        let at = (self.skipped == 0).then(|| within(self.open.last().copied(), name.as_ref()));
        let Some(at) = at.flatten() else {
            self.skipped += 1;
            return Ok(Step::On);
        };
        match at {
            At::Pupil => self.pupil = Pupil::default(),
            At::Contact => self.pupil.contact(),
            At::OfPupil(_) | At::OfContact(_) | At::PhoneNumber => self.text.clear(),
            _ => {}
        }
        self.open.push(at);
        Ok(Step::On)
    }

    fn end(&mut self) -> std::io::Result<Step> {
        if self.skipped > 0 {
            self.skipped -= 1;
            return Ok(Step::On);
        }
        let at = self.open.pop().ok_or_else(|| unreadable("The XML is not well-formed."))?;
        self.ended = self.open.is_empty();
        match at {
            At::OfPupil(_) | At::OfContact(_) | At::PhoneNumber => {
                let kept =
                    if self.text.len() > LONGEST_TEXT { None } else { Some(self.text.trim()) };
                self.pupil.take(at, kept);
                Ok(Step::On)
            }
            At::Pupil => Ok(Step::Pupil),
            _ => Ok(Step::On),
        }
    }

    /// Text is kept where the place is one whose text is taken.
    fn say(&mut self, text: &str) -> std::io::Result<Step> {
        let taken =
            matches!(self.open.last(), Some(At::OfPupil(_) | At::OfContact(_) | At::PhoneNumber));
        if taken && self.skipped == 0 && self.text.len() <= LONGEST_TEXT {
            let most = text.char_indices().nth(LONGEST_TEXT + 1).map_or(text.len(), |(at, _)| at);
            self.text.push_str(&text[..most]);
        }
        if self.open.is_empty() && !text.trim().is_empty() {
            return Err(unreadable("There is text beside the root."));
        }
        Ok(Step::On)
    }

    /// One of the five entities of XML or a character by its number; no other is looked up.
    fn refer(&mut self, reference: &BytesRef<'_>) -> std::io::Result<Step> {
        const REFUSED: &str = "An entity other than the five of XML is not taken.";
        if let Some(c) = reference.resolve_char_ref().map_err(|_| unreadable(REFUSED))? {
            return self.say(c.encode_utf8(&mut [0; 4]));
        }
        let text = resolve_xml_entity(reference).ok_or_else(|| unreadable(REFUSED))?;
        self.say(text)
    }

    fn declare(&mut self, declaration: &BytesDecl<'_>) -> std::io::Result<Step> {
        let utf8 = match declaration.encoding() {
            None => true,
            Some(Ok(encoding)) => encoding.eq_ignore_ascii_case("utf-8"),
            Some(Err(_)) => false,
        };
        if utf8 && !self.begun {
            return Ok(Step::On);
        }
        Err(unreadable("The file is declared once, at its beginning, and as UTF-8 if at all."))
    }
}

/// What an event brought.
enum Step {
    On,
    Pupil,
    End,
}

impl<R: BufRead> Iterator for Ctf<R> {
    type Item = Numbered;

    fn next(&mut self) -> Option<Numbered> {
        loop {
            match self.advance() {
                Ok(Step::On) => {}
                Ok(Step::End) => return None,
                Ok(Step::Pupil) => {
                    self.pupils += 1;
                    let pupil = std::mem::take(&mut self.pupil);
                    return Some(Ok((self.pupils, pupil.row(self.today))));
                }
                Err(error) => return Some(Err(error)),
            }
        }
    }
}

/// What the reader of XML says, without the names and values that it quotes.
fn refused(error: Error) -> std::io::Error {
    match error {
        Error::Io(error) => match error.kind() {
            std::io::ErrorKind::InvalidData => unreadable(error.to_string()),
            kind => std::io::Error::new(kind, error.to_string()),
        },
        Error::Encoding(_) => unreadable("The file is not UTF-8."),
        _ => unreadable("The XML is not well-formed."),
    }
}
