//! Who has been made already: remembered in two bytes a child, however long their names.

use chrono::NaiveDate;

use super::row::Name;

const BITS_A_CHILD: usize = 16;
const PROBES: u64 = 5;

/// A Bloom filter: never forgets, and rarely believes to have seen what is new, which costs only another draw.
#[derive(Debug)]
pub(super) struct Seen {
    words: Vec<u64>,
}

impl Seen {
    pub(super) fn new(children: u32) -> Self {
        let children = usize::try_from(children).unwrap_or(usize::MAX / BITS_A_CHILD);
        Self { words: vec![0; children.saturating_mul(BITS_A_CHILD) / 64 + 64] }
    }

    /// Remembers a first given name, family name and date of birth; false if they were there before.
    pub(super) fn is_new(&mut self, name: &Name, born: NaiveDate) -> bool {
        let hash = fingerprint(name, born);
        let step = hash.rotate_left(32) | 1;
        let mut new = false;
        for probe in 0..PROBES {
            let at = hash.wrapping_add(step.wrapping_mul(probe));
            let length = self.words.len() as u64;
            let word = usize::try_from((at >> 6) % length).unwrap_or_default();
            let bit = 1 << (at & 63);
            new |= self.words[word] & bit == 0;
            self.words[word] |= bit;
        }
        new
    }
}

/// FNV-1a over the folded name and the date, so that "Zoë" and "Zoe" are the same, mixed well at the end.
fn fingerprint(name: &Name, born: NaiveDate) -> u64 {
    let first = name.given.first().map_or("", String::as_str);
    let text = format!("{}|{}|{born}", fold(first), fold(&name.family));
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let hash = (hash ^ (hash >> 32)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    hash ^ (hash >> 29)
}

/// Lower case letters without accents, spaces and marks.
pub(super) fn fold(text: &str) -> String {
    let plain = deunicode::deunicode(text);
    plain.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect()
}
