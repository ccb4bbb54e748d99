//! What is written where no name is known.

use crate::fold::fold;

/// Whether a folded name is what is written where no name is known, such as "Baby" or "Twin Two".
#[must_use]
pub fn is_placeholder(folded: &str) -> bool {
    const PLACEHOLDERS: [&str; 32] = [
        "awaitingname",
        "baby",
        "babyboy",
        "babygirl",
        "babyof",
        "boy",
        "female",
        "girl",
        "infant",
        "male",
        "newborn",
        "nfn",
        "nk",
        "nofirstname",
        "noforename",
        "nogivenname",
        "noname",
        "nosurname",
        "notgiven",
        "notknown",
        "notstated",
        "surname",
        "tba",
        "tbc",
        "triplet",
        "twin",
        "twinone",
        "twintwo",
        "unborn",
        "unknown",
        "unnamed",
        "xxx",
    ];
    PLACEHOLDERS.binary_search(&folded).is_ok()
}

/// What counts the children of one birth: "Twin Two", "Baby A".
const COUNTING: [&str; 9] = ["a", "b", "c", "i", "ii", "iii", "one", "three", "two"];

/// The folded given names in one written part: none in "Baby", "Twin 2", "Infant of Sarah" and the like; two in "Mary Ann".
pub(crate) fn names_in(part: &str) -> Vec<String> {
    let folded = fold(part);
    let begins = ["babyof", "infantof", "boyof", "girlof", "sonof", "daughterof", "twinof"];
    if is_placeholder(&folded) || begins.iter().any(|begin| folded.starts_with(begin)) {
        return Vec::new();
    }
    let words: Vec<_> = part.split_whitespace().map(fold).filter(|word| !word.is_empty()).collect();
    let Some(first) = words.iter().position(|word| is_placeholder(word)) else {
        return words;
    };
    let counts = |word: &String| COUNTING.contains(&word.as_str());
    let named = |(n, word): &(usize, String)| {
        !(is_placeholder(word) || *n > first && counts(word) || word == "of")
    };
    words.into_iter().enumerate().filter(named).map(|(_, word)| word).collect()
}
