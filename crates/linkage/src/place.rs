//! Where a child lives, as far as it is compared.

use serde::{Deserialize, Serialize};

use crate::fold::fold;

/// An address.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The postcode in capitals, with the space between its halves; the first half alone where no more is known; else empty.
    /// One of another country stands without a space.
    pub postcode: String,
    /// The number of the house, with that of the flat after a stroke, or the house's name; empty where none is said.
    pub house: String,
    /// The street, folded; empty where none is said.
    pub street: String,
    /// The other lines, folded: what is the street for one is the next line for another.
    pub lines: Vec<String>,
    /// The town, folded; empty where none is said.
    pub town: String,
    /// Whether it was before.
    pub former: bool,
}

impl Place {
    /// An address of these lines.
    #[must_use]
    pub fn of<S: AsRef<str>>(lines: &[S], town: &str, postcode: &str, former: bool) -> Self {
        let (house, street, lines) = house_and_street(lines);
        Self { postcode: postcode_of(postcode), house, street, lines, town: fold(town), former }
    }

    /// The first half of the postcode; empty where there is none.
    #[must_use]
    pub fn outward(&self) -> &str {
        outward(&self.postcode)
    }

    /// The whole postcode without its space, where it is known.
    #[must_use]
    pub fn unit(&self) -> Option<String> {
        is_whole(&self.postcode).then(|| self.postcode.replace(' ', ""))
    }

    /// The number of the house, without that of the flat, or its name; empty where none is said.
    #[must_use]
    pub fn number(&self) -> &str {
        self.house.split('/').next().unwrap_or_default()
    }

    /// The number of the flat; empty where none is said.
    #[must_use]
    pub fn flat(&self) -> &str {
        self.house.split_once('/').map_or("", |(_, flat)| flat)
    }
}

/// The first half of a postcode as [`Place`] has it.
pub(crate) fn outward(postcode: &str) -> &str {
    postcode.split(' ').next().unwrap_or_default()
}

/// Whether a postcode as [`Place`] has it is known to its end: it has two halves, or it is of another country.
pub(crate) fn is_whole(postcode: &str) -> bool {
    postcode.contains(' ') || (!postcode.is_empty() && repaired_outward(postcode, 0).is_none())
}

/// A postcode in the one way of writing it, with O and 0, I and 1, S and 5 put right by where they stand.
fn postcode_of(text: &str) -> String {
    let bare: String = text
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_uppercase())
        .take(12)
        .collect();
    if (5..=7).contains(&bare.len()) {
        let (out, inward) = bare.split_at(bare.len() - 3);
        let inward = repaired(inward, b"DLL", 2);
        if let Some((inward, repairs)) = inward
            && let Some(out) = repaired_outward(out, 2 - repairs)
        {
            return format!("{out} {inward}");
        }
    }
    bare
}

fn repaired_outward(text: &str, most: usize) -> Option<String> {
    let shapes: &[&[u8]] = match text.len() {
        2 => &[b"LD"],
        3 => &[b"LLD", b"LDD", b"LDL"],
        4 => &[b"LLDD", b"LLDL"],
        _ => &[],
    };
    let fits = shapes.iter().filter_map(|shape| repaired(text, shape, most));
    fits.min_by_key(|(_, repairs)| *repairs).map(|(text, _)| text)
}

/// The text with each letter (L) and digit (D) where it must be, and how many were put right, at most `most`.
fn repaired(text: &str, shape: &[u8], most: usize) -> Option<(String, usize)> {
    const ALIKE: [(char, char); 3] = [('O', '0'), ('I', '1'), ('S', '5')];
    let mut repairs = 0;
    let right: Option<String> = text
        .chars()
        .zip(shape)
        .map(|(c, kind)| {
            let letter = *kind == b'L';
            if c.is_ascii_alphabetic() == letter {
                return Some(c);
            }
            repairs += 1;
            let turned =
                ALIKE.iter().find(|(l, d)| if letter { *d == c } else { *l == c }).copied();
            turned.map(|(l, d)| if letter { l } else { d })
        })
        .collect();
    right.filter(|_| repairs <= most).map(|right| (right, repairs))
}

/// The number of the house and the street, of the first line that has a number, else the first line as the house's name; and the
/// lines that are neither.
fn house_and_street<S: AsRef<str>>(lines: &[S]) -> (String, String, Vec<String>) {
    let said: Vec<_> = lines.iter().map(|line| Said::of(line.as_ref())).collect();
    let flat = said.iter().map(|said| &said.flat).find(|flat| !flat.is_empty());
    let mut streets: Vec<_> = said.iter().map(|said| said.street.clone()).collect();
    let mut take = |n: usize| streets.get_mut(n).map(std::mem::take).unwrap_or_default();
    let numbered = said.iter().position(|said| !said.number.is_empty());
    let (house, street) = if let Some(n) = numbered {
        let number = &said[n].number;
        let house = flat.map_or_else(|| number.clone(), |flat| format!("{number}/{flat}"));
        let here = take(n);
        (house, if here.is_empty() { take(n + 1) } else { here })
    } else if said.get(1).is_some_and(|second| !second.street.is_empty()) {
        // It may be a street without a number as well, so it stays a line.
        (said[0].street.clone(), take(1))
    } else {
        (String::new(), take(0))
    };
    (house, street, streets.into_iter().filter(|street| !street.is_empty()).collect())
}

/// What one line says.
#[derive(Default)]
struct Said {
    flat: String,
    number: String,
    street: String,
}

impl Said {
    fn of(line: &str) -> Self {
        let mut said = Self::default();
        let mut words = line
            .split(|c: char| c.is_whitespace() || matches!(c, ',' | ';'))
            .filter(|word| !word.is_empty())
            .peekable();
        let mut street: Vec<String> = Vec::new();
        while let Some(word) = words.next() {
            let folded = fold(word);
            let is_of_a_flat =
                matches!(folded.as_str(), "flat" | "apartment" | "apt" | "unit" | "room" | "suite");
            if is_of_a_flat && street.is_empty() && words.peek().is_some_and(|next| next.len() <= 4)
            {
                said.flat = words.next().map(lower).unwrap_or_default();
            } else if street.is_empty()
                && let Some((flat, number)) = number(word)
            {
                if !said.number.is_empty() {
                    said.flat = std::mem::take(&mut said.number);
                }
                said.number = number;
                if !flat.is_empty() {
                    said.flat = flat;
                }
            } else if street.is_empty()
                && folded.len() == 1
                && said.number.ends_with(|c: char| c.is_ascii_digit())
            {
                said.number.push_str(&folded);
            } else if !folded.is_empty() {
                street.push(folded);
            }
        }
        if let Some(last) = street.last_mut()
            && let Some(whole) = in_full(last)
        {
            whole.clone_into(last);
        }
        said.street = street.concat();
        said
    }
}

fn lower(word: &str) -> String {
    word.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}

/// Flat and number of the house in a word such as 12, 12a, 3/12 or 12-14.
fn number(word: &str) -> Option<(String, String)> {
    let (flat, house) = word.split_once('/').unwrap_or(("", word));
    let house = lower(house.split('-').next().unwrap_or_default());
    let digits = house.bytes().take_while(u8::is_ascii_digit).count();
    (digits > 0 && digits <= 5 && house.len() - digits <= 1).then(|| (lower(flat), house))
}

/// The kind of street in full.
fn in_full(word: &str) -> Option<&'static str> {
    Some(match word {
        "st" | "str" => "street",
        "rd" => "road",
        "av" | "ave" => "avenue",
        "ln" => "lane",
        "cl" => "close",
        "dr" | "drv" => "drive",
        "cres" | "cr" => "crescent",
        "ct" | "crt" => "court",
        "pl" => "place",
        "tce" | "ter" | "terr" => "terrace",
        "gdn" | "gdns" => "gardens",
        "sq" => "square",
        "gr" | "gro" | "grv" => "grove",
        "pk" => "park",
        "cct" => "circuit",
        "wy" => "way",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_postcode_has_one_way_of_writing() {
        for (written, one) in [
            ("ls1 4ab", "LS1 4AB"),
            ("LS14AB", "LS1 4AB"),
            ("LSI 4AB", "LS1 4AB"),
            ("M1 OAA", "M1 0AA"),
            ("W1A 0AX", "W1A 0AX"),
            ("WIA OAX", "W1A 0AX"),
            ("SW1A 2AA", "SW1A 2AA"),
            ("0X1 1AA", "OX1 1AA"),
            ("LS1", "LS1"),
            ("2914", "2914"),
            ("", ""),
        ] {
            assert_eq!(postcode_of(written), one, "{written}");
        }
        assert!(is_whole("2914") && is_whole("LS1 4AB") && !is_whole("LS1") && !is_whole(""));
    }

    #[test]
    fn lines_that_are_no_street_are_kept() {
        let place = Place::of(&["47 The Hospital", "Darwin Terrace", "Leeds"], "", "", false);
        assert_eq!(place.street, "thehospital");
        assert_eq!(place.lines, ["darwinterrace", "leeds"]);
    }

    #[test]
    fn lines_tell_house_flat_and_street() {
        for (lines, house, street) in [
            (&["12 High Street"][..], "12", "highstreet"),
            (&["12A High St"], "12a", "highstreet"),
            (&["12 a High Street"], "12a", "highstreet"),
            (&["Flat 3, 12 High Street"], "12/3", "highstreet"),
            (&["Flat 3", "12 High Street"], "12/3", "highstreet"),
            (&["3/12 High Street"], "12/3", "highstreet"),
            (&["12", "High Rd"], "12", "highroad"),
            (&["Rose Cottage", "Mill Lane"], "rosecottage", "milllane"),
            (&["Rose Cottage", "7 Mill Lane"], "7", "milllane"),
            (&["Mill Lane"], "", "milllane"),
            (&[], "", ""),
        ] {
            let (number, road, _) = house_and_street(lines);
            assert_eq!((number.as_str(), road.as_str()), (house, street), "{lines:?}");
        }
    }
}
