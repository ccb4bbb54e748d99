//! What the database tells in the words of the API, handed on as it stands.

use std::marker::PhantomData;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// The JSON of a `T` as the database made it: describe it by `#[schema(value_type = T)]`; nobody reads it on its way. Opening a record costs half as
/// much in the service as taking every value apart and putting it together again.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub struct Told<T> {
    json: Box<RawValue>,
    #[serde(skip)]
    told: PhantomData<T>,
}

impl<T> std::fmt::Debug for Told<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Told(…)")
    }
}
