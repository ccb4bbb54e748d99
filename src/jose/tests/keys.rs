//! Which keys are taken.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::{
    super::{Algorithm, PublicKey, PublicKeys},
    Signer, b64,
};

fn with(mut jwk: Value, member: &str, value: Value) -> Value {
    jwk[member] = value;
    jwk
}

fn without(mut jwk: Value, member: &str) -> Value {
    jwk.as_object_mut().unwrap().remove(member);
    jwk
}

fn refused(jwk: &Value) -> bool {
    PublicKey::from_jwk(jwk).is_err()
}

fn rsa_jwk(modulus: &[u8], exponent: &[u8]) -> Value {
    json!({ "kty": "RSA", "n": b64(modulus), "e": b64(exponent) })
}

fn modulus(bytes: usize) -> Vec<u8> {
    let mut modulus = vec![0x5a; bytes];
    (modulus[0], modulus[bytes - 1]) = (0x80, 0x01);
    modulus
}

#[test]
fn a_key_verifies_by_one_algorithm() {
    for algorithm in Algorithm::ALL {
        assert_eq!(Signer::new(algorithm).key().algorithm(), algorithm);
    }
    let rsa = without(Signer::new(Algorithm::PS256).jwk(), "alg");
    assert_eq!(PublicKey::from_jwk(&rsa).unwrap().algorithm(), Algorithm::RS256);
    for (kind, unfit) in [
        (Algorithm::EdDSA, "ES256"),
        (Algorithm::ES256, "EdDSA"),
        (Algorithm::ES256, "RS256"),
        (Algorithm::RS256, "ES256"),
        (Algorithm::RS256, "HS256"),
        (Algorithm::RS256, "RS512"),
        (Algorithm::RS256, "RSA-OAEP"),
        (Algorithm::RS256, "none"),
    ] {
        assert!(refused(&with(Signer::new(kind).jwk(), "alg", json!(unfit))), "{kind:?} {unfit}");
    }
}

#[test]
fn no_secret_is_taken_for_a_public_key() {
    assert!(refused(&json!({ "kty": "oct", "k": b64("a secret of both"), "alg": "HS256" })));
    assert!(refused(&json!({ "kty": "oct", "k": b64("a secret of both"), "alg": "RS256" })));
    for jwk in [Algorithm::EdDSA, Algorithm::RS256].map(|by| Signer::new(by).jwk()) {
        for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            assert!(refused(&with(jwk.clone(), member, json!("AQAB"))), "{member}");
        }
    }
}

#[test]
fn a_key_meant_for_something_else_is_refused() {
    let jwk = Signer::new(Algorithm::ES256).jwk();
    assert!(!refused(&with(jwk.clone(), "use", json!("sig"))));
    assert!(!refused(&with(jwk.clone(), "key_ops", json!(["verify"]))));
    for (member, value) in [
        ("use", json!("enc")),
        ("use", json!(["sig"])),
        ("use", json!(null)),
        ("key_ops", json!(["encrypt"])),
        ("key_ops", json!([])),
        ("key_ops", json!("verify")),
        ("key_ops", json!(["verify", 1])),
        ("alg", json!(null)),
        ("kid", json!(7)),
        ("kid", json!("")),
        ("kid", json!("k".repeat(257))),
        ("kty", json!("AKP")),
        ("kty", json!(null)),
    ] {
        assert!(refused(&with(jwk.clone(), member, value.clone())), "{member} {value}");
    }
}

#[test]
fn a_modulus_has_2048_to_4096_bits_and_an_exponent_is_odd_and_over_one() {
    let e = [1, 0, 1];
    assert!(!refused(&rsa_jwk(&modulus(256), &e)));
    assert!(!refused(&rsa_jwk(&modulus(512), &e)));
    assert!(!refused(&rsa_jwk(&modulus(256), &[3])));
    let mut short = modulus(256);
    short[0] = 0x7f;
    let mut even = modulus(256);
    even[255] = 2;
    let led = [&[0], &modulus(256)[..]].concat();
    for (n, e) in [
        (short, &e[..]),
        (modulus(128), &e),
        (modulus(513), &e),
        (even, &e),
        (led, &e),
        (vec![], &e),
        (vec![1], &e),
        (modulus(256), &[1]),
        (modulus(256), &[2]),
        (modulus(256), &[]),
        (modulus(256), &[0, 3]),
        (modulus(256), &[1, 0, 0, 0, 1]),
        (modulus(256), &[1, 0, 0]),
    ] {
        assert!(refused(&rsa_jwk(&n, e)), "{} bytes, exponent {e:?}", n.len());
    }
}

#[test]
fn a_point_is_on_its_curve_and_named_in_one_way() {
    let jwk = Signer::new(Algorithm::ES256).jwk();
    for (member, value) in [
        ("x", json!(b64([1; 32]))),
        ("y", json!(b64([0; 32]))),
        ("x", json!(b64([0xff; 32]))),
        ("x", json!(b64([1; 31]))),
        ("x", json!(b64([1; 33]))),
        ("x", json!("")),
        ("x", json!(5)),
        ("crv", json!("P-384")),
        ("crv", json!("secp256k1")),
        ("crv", json!("Ed25519")),
    ] {
        assert!(refused(&with(jwk.clone(), member, value.clone())), "{member} {value}");
    }
    assert!(refused(&without(jwk, "y")));

    let jwk = Signer::new(Algorithm::EdDSA).jwk();
    let padded = format!("{}=", jwk["x"].as_str().unwrap());
    let mut one = [0; 32];
    one[0] = 1;
    let mut minus_one = [0xff; 32];
    (minus_one[0], minus_one[31]) = (0xec, 0x7f);
    let mut prime = minus_one;
    prime[0] = 0xed;
    let mut signed_one = one;
    signed_one[31] = 0x80;
    for x in [[0; 32], one, signed_one, minus_one, prime, [0xff; 32]] {
        assert!(refused(&with(jwk.clone(), "x", json!(b64(x)))), "{x:?}");
    }
    let bent = format!("{}_", &jwk["x"].as_str().unwrap()[..42]);
    for (member, value) in [
        ("x", json!(padded)),
        ("x", json!(bent)),
        ("x", json!(b64([9; 31]))),
        ("x", json!(b64([9; 57]))),
        ("crv", json!("Ed448")),
        ("crv", json!("X25519")),
        ("kty", json!("EC")),
    ] {
        assert!(refused(&with(jwk.clone(), member, value.clone())), "{member} {value}");
    }
}

#[test]
fn a_thumbprint_is_that_of_the_standard() {
    let ed25519 = json!({ "kty": "OKP", "crv": "Ed25519", "kid": "bilbo",
        "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" });
    let key = PublicKey::from_jwk(&ed25519).unwrap();
    assert_eq!(key.thumbprint(), "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"); // RFC 8037, appendix A.3
    assert_eq!(key.kid(), Some("bilbo"));
    let rsa = json!({ "kty": "RSA", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
        "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw" });
    let key = PublicKey::from_jwk(&rsa).unwrap();
    assert_eq!(key.thumbprint(), "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"); // RFC 7638, section 3.1
}

#[test]
fn a_fetched_set_passes_over_what_it_cannot_use() {
    let key = Signer::new(Algorithm::EdDSA).jwk();
    let odd = [
        json!({ "kty": "oct", "k": "AAAA", "kid": "own" }),
        json!({ "kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA" }),
        json!(null),
        json!({}),
        with(key.clone(), "use", json!("enc")),
        with(key.clone(), "d", json!("AAAA")),
    ];
    let set = json!({ "keys": ([&odd[..], std::slice::from_ref(&key)].concat()), "more": 1 });
    let keys = PublicKeys::parse(set.to_string().as_bytes()).unwrap();
    assert_eq!(keys.iter().count(), 1);
    assert!(keys.find(Some("own")).is_some() && keys.find(None).is_some());
    assert!(keys.find(Some("another")).is_none());

    let other = with(Signer::new(Algorithm::EdDSA).jwk(), "kid", json!("other"));
    let two = json!({ "keys": [key.clone(), other] });
    let two = PublicKeys::parse(two.to_string().as_bytes()).unwrap();
    assert!(two.find(None).is_none() && two.find(Some("other")).is_some());

    let many = vec![json!({}); 20];
    for set in [
        json!({ "keys": odd }),
        json!({ "keys": [] }),
        json!({ "keys": key }),
        json!({}),
        json!([key]),
        json!({ "keys": [key, Signer::new(Algorithm::EdDSA).jwk()] }),
        json!({ "keys": ([&many[..], std::slice::from_ref(&key)].concat()) }),
        json!({ "keys": [key], "more": "x".repeat(64 * 1024) }),
    ] {
        assert!(PublicKeys::parse(set.to_string().as_bytes()).is_err());
    }
    let twice = format!("{{\"keys\":[],\"keys\":[{key}]}}");
    assert!(PublicKeys::parse(twice.as_bytes()).is_err());
}

#[test]
fn a_registered_set_says_which_key_is_of_no_use() {
    let key = Signer::new(Algorithm::EdDSA).jwk();
    assert!(PublicKeys::registered(&json!({ "keys": [key] })).is_ok());
    let bad = with(Signer::new(Algorithm::RS256).jwk(), "d", json!("AQAB"));
    let fault = PublicKeys::registered(&json!({ "keys": [key, bad] })).unwrap_err();
    assert_eq!(fault.pointer(), "/keys/1");
    assert_eq!(fault.to_string(), "must not have a private member: it is a secret no longer");
    for set in [json!({}), json!({ "keys": [] }), json!({ "keys": [key, key] }), json!([])] {
        assert_eq!(PublicKeys::registered(&set).unwrap_err().pointer(), "/keys");
    }
}

proptest! {
    #[test]
    fn no_set_panics(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = PublicKeys::parse(&bytes);
    }

    #[test]
    fn no_key_panics(
        kty in "RSA|EC|OKP|oct",
        crv in "P-256|Ed25519|P-384",
        numbers in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..600), 4),
        alg in "EdDSA|ES256|RS256|PS256|HS256",
    ) {
        let [n, e, x, y] = &numbers[..] else { unreachable!() };
        let jwk = json!({ "kty": kty, "crv": crv, "alg": alg, "n": b64(n), "e": b64(e), "x": b64(x), "y": b64(y) });
        if let Ok(key) = PublicKey::from_jwk(&jwk) {
            prop_assert!(!key.verifies(b"message", &b64(n)));
        }
    }
}
