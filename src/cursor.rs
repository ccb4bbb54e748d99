//! Where the next page of a list begins, as an opaque text.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

use crate::problem::{Kind, Problem};

/// The place as a text.
pub fn write(place: &impl Serialize) -> String {
    URL_SAFE_NO_PAD.encode(serde_json::to_vec(place).unwrap_or_default())
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
