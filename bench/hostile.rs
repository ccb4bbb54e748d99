//! What `bench/run access` cannot make in Python: the hostile tokens of the tests, by the keys of a demo.
//!
//! `hostile KEYS` reads a good token on standard input and prints a JSON line for each hostile one.
#![expect(clippy::unwrap_used, reason = "a measurement fails by panicking")]

use std::{env, io, path::PathBuf};

use contactpoint::keys::Keys;
use serde_json::json;

#[path = "../tests/api/hostile/recipe/mod.rs"]
mod recipe;

fn main() {
    let folder: PathBuf = env::args_os().nth(1).unwrap().into();
    let keys = Keys::load(&folder).unwrap();
    let good = io::read_to_string(io::stdin()).unwrap();
    for hostile in recipe::corpus(&keys.signing, good.trim()) {
        println!("{}", json!({ "name": hostile.name, "token": hostile.token }));
    }
}
