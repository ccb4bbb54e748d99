//! How alike two spellings are.

use rphonetic::{DoubleMetaphone, Encoder};

/// How far apart two spellings are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Likeness {
    /// They are the same.
    Same,
    /// One letter is wrong, missing, too many, or changed over with the next; both have three letters or more.
    OneEdit,
    /// Jaro-Winkler 0.92 or more, or the same but for vowels, doubled letters and letters that sound alike.
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
    if have_one_skeleton(a, b) {
        return Likeness::Close;
    }
    if most_jaro_winkler(a.as_bytes(), b.as_bytes()) < 0.85 {
        return Likeness::Different;
    }
    // The library's figure depends on the order in rare cases; the greater of both does not.
    let jaro_winkler = strsim::jaro_winkler(a, b).max(strsim::jaro_winkler(b, a));
    match jaro_winkler {
        0.92.. => Likeness::Close,
        0.85.. => Likeness::Distant,
        _ => Likeness::Different,
    }
}

/// Whether the names have the same consonants in the same order, two or more: Amir and Ameer, Qasim and Kassim. Of shorter names
/// too many have.
fn have_one_skeleton(a: &str, b: &str) -> bool {
    if a.len().min(b.len()) < 4 {
        return false;
    }
    let (mut a, mut b) = (skeleton(a), skeleton(b));
    let mut consonants = 0;
    loop {
        match (a.next(), b.next()) {
            (None, None) => return consonants >= 2,
            (x, y) if x != y => return false,
            (x, _) => consonants += u32::from(x != Some(b'a')),
        }
    }
}

/// The consonants, those that sound alike as one; a vowel at the beginning stands as *a*.
fn skeleton(name: &str) -> impl Iterator<Item = u8> {
    let mut before = 0;
    name.bytes().enumerate().filter_map(move |(n, letter)| {
        let doubled = letter == before;
        before = letter;
        match letter {
            b'a' | b'e' | b'i' | b'o' | b'u' => (n == 0).then_some(b'a'),
            b'y' if n > 0 => None,
            _ if doubled => None,
            b'c' | b'q' => Some(b'k'),
            b'z' => Some(b's'),
            b'w' => Some(b'v'),
            letter => Some(letter),
        }
    })
}

/// What the figure can be at most, by the letters that both have: most pairs of names need no more.
fn most_jaro_winkler(a: &[u8], b: &[u8]) -> f64 {
    let mut letters = [0i16; 32];
    for letter in a {
        letters[usize::from(letter & 31)] += 1;
    }
    let mut common = 0u32;
    for letter in b {
        let left = &mut letters[usize::from(letter & 31)];
        common += u32::from(*left > 0);
        *left -= 1;
    }
    if common == 0 {
        return 0.0;
    }
    let begin = a.iter().zip(b).take(4).take_while(|(x, y)| x == y).count();
    let share =
        |of: &[u8]| f64::from(common) / f64::from(u32::try_from(of.len()).unwrap_or(u32::MAX));
    let jaro = (share(a) + share(b) + 1.0) / 3.0;
    jaro + 0.1 * f64::from(u32::try_from(begin).unwrap_or_default()) * (1.0 - jaro)
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

/// Whether the difference of two alike spellings is one that tells names apart rather than a slip: the first letter, one vowel for
/// another or nothing but vowels, or a letter of three.
#[must_use]
pub fn tells_apart(a: &str, b: &str) -> bool {
    let (x, y) = (a.as_bytes(), b.as_bytes());
    let is_vowel = |letter: &u8| matches!(letter, b'a' | b'e' | b'i' | b'o' | b'u' | b'y');
    let turned = x.len() > 1 && y.len() > 1 && x[0] == y[1] && x[1] == y[0];
    let first = x.first() != y.first() && !turned;
    let mut differ = x.iter().zip(y).filter(|(x, y)| x != y);
    let vowel = x.len() == y.len()
        && differ.next().is_some_and(|(x, y)| is_vowel(x) && is_vowel(y))
        && differ.next().is_none();
    first || vowel || x.len().min(y.len()) <= 3 || have_one_skeleton(a, b) && x.len() != y.len()
}

/// How a folded name sounds (Double Metaphone, the first of its two codes); a name alone in letters that make no sound is its own.
#[must_use]
pub fn sound(folded: &str) -> String {
    let code = DoubleMetaphone::default().encode(folded);
    if code.is_empty() { folded.to_owned() } else { code }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_alike_as_they_are_written() {
        for (a, b, expected) in [
            ("amelia", "amelia", Likeness::Same),
            ("amelia", "emelia", Likeness::OneEdit),
            ("emliy", "emily", Likeness::OneEdit),
            ("jo", "jon", Likeness::Distant),
            ("amir", "ameer", Likeness::Close),
            ("qasim", "kassim", Likeness::Close),
            ("joon", "jun", Likeness::Different),
            ("lee", "li", Likeness::Different),
            ("katarzyna", "katazryana", Likeness::Close),
            ("thomas", "olivia", Likeness::Different),
        ] {
            assert_eq!(likeness(a, b), expected, "{a} {b}");
            assert_eq!(likeness(b, a), expected, "{b} {a}");
        }
    }
}
