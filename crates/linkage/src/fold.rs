//! Names without the differences that searching ignores.

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// The name in the letters a–z alone: case, accents, apostrophes, hyphens and spaces fall out.
#[must_use]
pub fn fold(name: &str) -> String {
    if name.is_ascii() {
        return letters(name);
    }
    let bare: String = name.nfkd().filter(|c| !is_combining_mark(*c)).collect();
    letters(&deunicode::deunicode(&bare))
}

fn letters(plain: &str) -> String {
    plain.chars().filter(char::is_ascii_alphabetic).map(|c| c.to_ascii_lowercase()).collect()
}

/// The folded parts of a name, which spaces and hyphens divide.
#[must_use]
pub fn tokens(name: &str) -> Vec<String> {
    let divides = |c: char| c.is_whitespace() || matches!(c, '-' | '\u{2010}'..='\u{2015}');
    name.split(divides).map(fold).filter(|part| !part.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn spelling_that_differs_only_in_writing_folds_alike() {
        for (name, folded) in [
            ("O’Brien", "obrien"),
            ("O'BRIEN", "obrien"),
            ("Zoë", "zoe"),
            ("Zoe\u{308}", "zoe"),
            ("Łukasz", "lukasz"),
            ("Søren", "soren"),
            ("Ḥasan", "hasan"),
            ("Smith-Jones", "smithjones"),
            ("Mary  Anne", "maryanne"),
            ("Weiß", "weiss"),
            ("ﬁona", "fiona"),
            ("St. John", "stjohn"),
            ("", ""),
        ] {
            assert_eq!(fold(name), folded, "{name}");
        }
    }

    #[test]
    fn a_double_barrelled_name_has_two_halves() {
        assert_eq!(tokens("Smith-Jones"), ["smith", "jones"]);
        assert_eq!(tokens("García \u{2013} Márquez - "), ["garcia", "marquez"]);
        assert_eq!(tokens("O’Brien"), ["obrien"]);
        assert!(tokens(" -'").is_empty());
    }

    proptest! {
        #[test]
        fn folding_again_changes_nothing(name in any::<String>()) {
            let once = fold(&name);
            prop_assert!(once.bytes().all(|b| b.is_ascii_lowercase()));
            prop_assert_eq!(fold(&once), once);
        }

        #[test]
        fn folding_never_panics(codes in prop::collection::vec(any::<char>(), 0..200)) {
            let name: String = codes.into_iter().collect();
            prop_assert_eq!(tokens(&fold(&name)).len(), usize::from(!fold(&name).is_empty()));
            let _ = tokens(&name);
        }

        #[test]
        fn upper_case_folds_alike(name in "[A-Za-zÀ-ÖØ-öø-ſ '’-]{0,35}") {
            prop_assume!(!name.contains(['ı', 'ŉ', 'ĸ', 'ſ']));
            prop_assert_eq!(fold(&name.to_uppercase()), fold(&name));
        }
    }
}
