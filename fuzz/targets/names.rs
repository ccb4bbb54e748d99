//! Names of any writing: folding gives letters a–z alone, gives them again, and no comparison fails or leaves its bounds.
#![no_main]

use libfuzzer_sys::fuzz_target;
use linkage::{
    PersonName,
    fold::{fold, tokens},
    similarity::sound,
};

fuzz_target!(|names: (&str, &str)| {
    for name in [names.0, names.1] {
        let folded = fold(name);
        assert!(folded.bytes().all(|letter| letter.is_ascii_lowercase()), "{folded}");
        assert_eq!(fold(&folded), folded);
        assert!(
            tokens(name)
                .iter()
                .all(|token| token.bytes().all(|letter| letter.is_ascii_lowercase()))
        );
        let _ = sound(&folded);
    }
    let _ = PersonName::of(&[names.0], names.1);
});
