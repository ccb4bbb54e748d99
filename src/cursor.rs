//! Where the next page of a list begins, as an opaque text.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

use crate::problem::{Kind, Problem};

/// The place as a text.
pub fn write(place: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(place).unwrap_or_default())
}

/// The first `limit` of what was found, and where the next page begins if one more was.
pub fn page<T, P: Serialize>(
    mut found: Vec<T>,
    limit: u8,
    place: impl Fn(&T) -> P,
) -> (Vec<T>, Option<String>) {
    let limit = usize::from(limit);
    let more = found.len() > limit;
    found.truncate(limit);
    let next = found.last().filter(|_| more).map(|last| write(&place(last)));
    (found, next)
}

/// The place that a text of ours says.
pub fn read<T: DeserializeOwned>(text: &str) -> Result<T, Problem> {
    let place = URL_SAFE_NO_PAD.decode(text).ok();
    let place = place
        .filter(|bytes| !bytes.contains(&0))
        .and_then(|bytes| serde_json::from_slice(&bytes).ok());
    place.ok_or_else(|| {
        Problem::new(Kind::InvalidQuery, "after must be the `next` of the page before.")
    })
}
