//! The query of an address.

use std::future::{Ready, ready};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use serde::Deserialize;
use validator::Validate;

use super::json::{faults, without_values};
use crate::problem::{Kind, Problem};

/// Query parameters, read strictly: an unknown one is refused.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: for<'de> Deserialize<'de> + Validate> FromRequest for Query<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let invalid = |said: String| Problem::new(Kind::InvalidQuery, said);
        ready(if request.query_string().contains("%00") {
            Err(invalid("A parameter contains a NUL character.".to_owned()))
        } else {
            serde_urlencoded::from_str::<T>(request.query_string())
                .map_err(|error| {
                    invalid(format!("The query {}.", without_values(&error.to_string())))
                })
                .and_then(|value| match value.validate() {
                    Ok(()) => Ok(Self(value)),
                    Err(errors) => Err(invalid(
                        faults("", &errors)
                            .iter()
                            .map(|fault| format!("{} {}", &fault.pointer[1..], fault.detail))
                            .collect::<Vec<_>>()
                            .join("; "),
                    )),
                })
        })
    }
}
