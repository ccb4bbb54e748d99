//! What `bench/run access` cannot make in Python.
//!
//! `hostile tokens KEYS` reads a good token on standard input and prints the hostile tokens of the tests, a JSON object a line.
//! `hostile client` prints the public key of a new client, and then signs the claims of each line that it reads.
#![expect(clippy::unwrap_used, reason = "a measurement fails by panicking")]

use std::{env, io};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use contactpoint::keys::{Keys, SigningKeys};
use serde_json::json;

#[path = "../tests/api/hostile/recipe/mod.rs"]
mod recipe;

fn main() {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["tokens", folder] => tokens(&Keys::load(folder.as_ref()).unwrap()),
        ["client"] => client(&SigningKeys::ephemeral().unwrap()),
        _ => eprintln!("usage: hostile tokens KEYS, or hostile client"),
    }
}

fn tokens(keys: &Keys) {
    let good = io::read_to_string(io::stdin()).unwrap();
    for hostile in recipe::corpus(&keys.signing, good.trim()) {
        println!("{}", json!({ "name": hostile.name, "token": hostile.token }));
    }
}

fn client(keys: &SigningKeys) {
    println!("{}", serde_json::to_string(&keys.jwks()).unwrap());
    let header = json!({ "alg": "EdDSA", "typ": "JWT", "kid": keys.active() }).to_string();
    for claims in io::stdin().lines() {
        let message = [header.as_str(), &claims.unwrap()].map(|part| URL_SAFE_NO_PAD.encode(part));
        let message = message.join(".");
        let signature = URL_SAFE_NO_PAD.encode(keys.sign(message.as_bytes()).unwrap());
        println!("{message}.{signature}");
    }
}
