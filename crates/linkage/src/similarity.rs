//! How alike two spellings are.

use rphonetic::{DoubleMetaphone, Encoder};

/// How far apart two spellings are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Likeness {
    /// They are the same.
    Same,
    /// One letter is wrong, missing, too many, or changed over with the next; both have three letters or more.
    OneEdit,
    /// Jaro-Winkler 0.92 or more.
    Close,
    /// Jaro-Winkler 0.85 or more.
    Distant,
    /// Nothing of these.
    Different,
}

/// How alike two folded spellings are; the order makes no difference.
#[must_use]
pub fn likeness(a: &str, b: &str) -> Likeness {
    if a == b {
        return Likeness::Same;
    }
    if a.len().min(b.len()) >= 3 && within_one_edit(a.as_bytes(), b.as_bytes()) {
        return Likeness::OneEdit;
    }
    // The library's figure depends on the order in rare cases; the greater of both does not.
    let jaro_winkler = strsim::jaro_winkler(a, b).max(strsim::jaro_winkler(b, a));
    match jaro_winkler {
        0.92.. => Likeness::Close,
        0.85.. => Likeness::Distant,
        _ => Likeness::Different,
    }
}

/// Whether one insertion, deletion, substitution or transposition of neighbours makes one of the other.
#[must_use]
pub fn within_one_edit(a: &[u8], b: &[u8]) -> bool {
    let (short, long) = if a.len() <= b.len() { (a, b) } else { (b, a) };
    if long.len() - short.len() > 1 {
        return false;
    }
    let begin = short.iter().zip(long).take_while(|(x, y)| x == y).count();
    let (short, long) = (&short[begin..], &long[begin..]);
    let end = short.iter().rev().zip(long.iter().rev()).take_while(|(x, y)| x == y).count();
    match (&short[..short.len() - end], &long[..long.len() - end]) {
        ([], [] | [_]) | ([_], [_]) => true,
        ([a, b], [c, d]) => a == d && b == c,
        _ => false,
    }
}

/// How a folded name sounds (Double Metaphone, the first of its two codes); a name alone in letters that make no sound is its own.
#[must_use]
pub fn sound(folded: &str) -> String {
    let code = DoubleMetaphone::default().encode(folded);
    if code.is_empty() { folded.to_owned() } else { code }
}
