//! Which tokens are taken: the attacks of RFC 8725 among others.

use proptest::prelude::*;
use serde::Deserialize;
use serde_json::json;

use super::{
    super::{Algorithm, Audience, PublicKey, Signed, SignedFault, present},
    Signer, b64,
};

#[derive(Debug, PartialEq, Deserialize)]
struct Claims {
    sub: String,
    exp: i64,
    #[serde(default, deserialize_with = "present")]
    nbf: Option<i64>,
}

const GOOD: &str = r#"{"sub":"somebody","exp":1800000000,"more":[null,{"of":1.5}]}"#;

fn header(algorithm: Algorithm) -> String {
    json!({ "alg": algorithm.as_str(), "typ": "JWT", "kid": "own" }).to_string()
}

fn verdict(token: &str, key: &PublicKey) -> Result<Claims, SignedFault> {
    Signed::read(token, Signed::PLAIN)?.verified_by(key)
}

#[test]
fn a_token_is_verified_by_the_key_that_signed_it_alone() {
    for algorithm in Algorithm::ALL {
        let signer = Signer::new(algorithm);
        let token = signer.token(header(algorithm), GOOD);
        let claims = verdict(&token, &signer.key()).unwrap();
        assert_eq!(
            (claims.sub.as_str(), claims.exp, claims.nbf),
            ("somebody", 1_800_000_000, None)
        );
        let other = Signer::new(algorithm).key();
        assert_eq!(verdict(&token, &other), Err(SignedFault::Signature));
        let read = Signed::read(&token, Signed::PLAIN).unwrap();
        assert_eq!((read.alg(), read.kid(), read.typ()), (algorithm, Some("own"), Some("JWT")));
        assert!(read.is_of_type("jwt") && !read.is_of_type("at+jwt"));
        assert!(token.starts_with(read.message()));
    }
}

#[test]
fn the_key_says_the_algorithm_and_not_the_token() {
    for by in Algorithm::ALL {
        let signer = Signer::new(by);
        for claimed in Algorithm::ALL.into_iter().filter(|claimed| *claimed != by) {
            let token = signer.token(header(claimed), GOOD);
            assert_eq!(verdict(&token, &signer.key()), Err(SignedFault::Algorithm));
        }
    }
    // The same RSA key, once registered for one padding and used with the other.
    let signer = Signer::new(Algorithm::PS256);
    let mut jwk = signer.jwk();
    jwk["alg"] = json!("RS256");
    let token = signer.token(header(Algorithm::PS256), GOOD);
    let key = PublicKey::from_jwk(&jwk).unwrap();
    assert_eq!(verdict(&token, &key), Err(SignedFault::Algorithm));
    let token = signer.token(header(Algorithm::RS256), GOOD);
    assert_eq!(verdict(&token, &key), Err(SignedFault::Signature));
}

#[test]
fn nothing_unsigned_and_nothing_signed_by_a_shared_secret_is_read() {
    let signer = Signer::new(Algorithm::RS256);
    let public = signer.jwk().to_string();
    for alg in [
        "none",
        "None",
        "NONE",
        "nOnE",
        "",
        "HS256",
        "HS384",
        "HS512",
        "ES384",
        "RS512",
        "rs256",
        "Ed25519",
        "EdDSA ",
        "RS256\u{0}",
        "ES256K",
        "dir",
        "A128GCM",
    ] {
        let message = format!("{}.{}", b64(json!({ "alg": alg }).to_string()), b64(GOOD));
        let secret = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, public.as_bytes());
        let tag = b64(aws_lc_rs::hmac::sign(&secret, message.as_bytes()));
        for signature in ["", &tag, &signer.sign(&message)] {
            let token = format!("{message}.{signature}");
            assert_eq!(verdict(&token, &signer.key()), Err(SignedFault::Algorithm), "{alg}");
        }
    }
}

#[test]
fn a_header_has_the_members_allowed_and_no_others() {
    let signer = Signer::new(Algorithm::ES256);
    let own = signer.jwk();
    for (member, value) in [
        ("crit", json!(["exp"])),
        ("crit", json!([])),
        ("jku", json!("https://evil.example/keys")),
        ("jwk", own.clone()),
        ("x5u", json!("https://evil.example/cert")),
        ("x5c", json!(["MIIB"])),
        ("x5t", json!("AAAA")),
        ("x5t#S256", json!("AAAA")),
        ("zip", json!("DEF")),
        ("b64", json!(false)),
        ("cty", json!("JWT")),
        ("enc", json!("A128GCM")),
        ("p2c", json!(2_000_000_000)),
        ("epk", json!({})),
        ("iss", json!("https://index.example")),
        ("anything", json!(1)),
    ] {
        let header = json!({ "alg": "ES256", member: value }).to_string();
        let token = signer.token(&header, GOOD);
        assert_eq!(verdict(&token, &signer.key()), Err(SignedFault::Header), "{member}");
    }
    for header in [
        r#"{"alg":"ES256","alg":"ES256"}"#,
        r#"{"alg":"none","alg":"ES256"}"#,
        r#"{"alg":"ES256","\u0061lg":"none"}"#,
        r#"{"alg":["ES256"]}"#,
        r#"{"alg":null}"#,
        r#"{"alg":"ES256","kid":null}"#,
        r#"{"alg":"ES256","kid":7}"#,
        r#"{"alg":"ES256","kid":["own"]}"#,
        r#"{"alg":"ES256","typ":1}"#,
        r#"{"typ":"JWT"}"#,
        r#"["ES256"]"#,
        r#""ES256""#,
        r#"{"alg":"ES256"}{"alg":"none"}"#,
        r#"{"alg":"ES256",}"#,
        "{\"alg\":\"ES256\"\u{feff}}",
        "",
    ] {
        let token = signer.token(header, GOOD);
        assert_eq!(verdict(&token, &signer.key()), Err(SignedFault::Header), "{header}");
    }
}

#[test]
fn a_key_stands_in_the_header_only_where_that_is_asked_for() {
    let signer = Signer::new(Algorithm::ES256);
    let header = |jwk| json!({ "alg": "ES256", "typ": "dpop+jwt", "jwk": jwk }).to_string();
    let token = signer.token(header(signer.jwk()), GOOD);
    let proof = Signed::read(&token, Signed::WITH_KEY).unwrap();
    let key = proof.jwk().unwrap();
    assert_eq!(key.thumbprint(), signer.key().thumbprint());
    assert!(proof.verified_by::<Claims>(key).is_ok());
    for jwk in [
        json!({ "kty": "oct", "k": "AAAA" }),
        json!({ "kty": "EC", "crv": "P-256", "x": b64([1; 32]), "y": b64([1; 32]) }),
        json!({ "d": "AAAA" }),
        json!("key"),
    ] {
        let token = signer.token(header(jwk), GOOD);
        assert_eq!(Signed::read(&token, Signed::WITH_KEY).unwrap_err(), SignedFault::Key);
    }
}

#[test]
fn the_form_is_three_parts_of_strict_base64url_of_at_most_8_kib() {
    let signer = Signer::new(Algorithm::EdDSA);
    let token = signer.token(header(Algorithm::EdDSA), GOOD);
    let (message, signature) = token.rsplit_once('.').unwrap();
    let standard = token.replace('_', "/").replace('-', "+");
    let mut broken = vec![
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        message.into(),
        format!("{token}="),
        format!("{token}."),
        format!("{token}.{signature}"),
        format!(" {token}"),
        format!("{token}\n"),
        format!("{message}. {signature}"),
        format!("{message}.é"),
        format!("{message}.AA.AA.AA"),
        r#"{"payload":"e30","signature":"AA"}"#.into(),
    ];
    if standard != token {
        broken.push(standard);
    }
    for token in broken {
        assert!(verdict(&token, &signer.key()).is_err(), "{token}");
    }
    // The last sign of 64 bytes carries four idle bits, which must be none.
    let last = signature.chars().last().unwrap();
    for sign in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars() {
        let bent = format!("{message}.{}{sign}", &signature[..signature.len() - 1]);
        assert_eq!(verdict(&bent, &signer.key()).is_ok(), sign == last);
    }
    let long = json!({ "sub": "s".repeat(9000), "exp": 1 }).to_string();
    let token = signer.token(header(Algorithm::EdDSA), long);
    assert_eq!(verdict(&token, &signer.key()), Err(SignedFault::TooLarge));
}

#[test]
fn a_signature_has_its_length_and_is_not_of_zeros() {
    for algorithm in Algorithm::ALL {
        let signer = Signer::new(algorithm);
        let token = signer.token(header(algorithm), GOOD);
        let (message, _) = token.rsplit_once('.').unwrap();
        for signature in
            [vec![], vec![0; 64], vec![0; 256], vec![0; 63], vec![0xff; 64], vec![0x30; 72]]
        {
            let token = format!("{message}.{}", b64(signature));
            assert_eq!(verdict(&token, &signer.key()), Err(SignedFault::Signature));
        }
    }
}

#[test]
fn claims_stand_once_and_dates_are_whole_numbers() {
    let signer = Signer::new(Algorithm::EdDSA);
    for claims in [
        r#"{"sub":"a","exp":1,"exp":2}"#,
        r#"{"sub":"a","exp":1,"x":{"y":1,"y":2}}"#,
        r#"{"sub":"a","exp":1,"x":[{"y":1,"y":2}]}"#,
        r#"{"sub":"a","exp":1.0}"#,
        r#"{"sub":"a","exp":1e9}"#,
        r#"{"sub":"a","exp":"1"}"#,
        r#"{"sub":"a","exp":true}"#,
        r#"{"sub":"a","exp":null}"#,
        r#"{"sub":"a","exp":NaN}"#,
        r#"{"sub":"a","exp":Infinity}"#,
        r#"{"sub":"a","exp":99999999999999999999}"#,
        r#"{"sub":"a","exp":9223372036854775808}"#,
        r#"{"sub":"a","exp":[1]}"#,
        r#"{"sub":"a","exp":1,"nbf":null}"#,
        r#"{"sub":"a","exp":1,"nbf":1.5}"#,
        r#"{"sub":["a"],"exp":1}"#,
        r#"{"sub":null,"exp":1}"#,
        r#"{"exp":1}"#,
        r#"{"sub":"a"}"#,
        r#"["a",1]"#,
        r#"["a",1,null]"#,
        r#"{"sub":"a","exp":1}{}"#,
        r#"{"sub":"a","exp":1"#,
        "null",
        "\"text\"",
        "",
    ] {
        let token = signer.token(header(Algorithm::EdDSA), claims);
        assert_eq!(verdict(&token, &signer.key()), Err(SignedFault::Claims), "{claims}");
    }
    let latin = [b"{\"sub\":\"".as_slice(), &[0xe9], b"\",\"exp\":1}"].concat();
    let token = signer.token(header(Algorithm::EdDSA), latin);
    assert_eq!(verdict(&token, &signer.key()), Err(SignedFault::Claims));
    for depth in [40, 3000] {
        let nested =
            format!(r#"{{"sub":"a","exp":1,"x":{}{}}}"#, "[".repeat(depth), "]".repeat(depth));
        let token = signer.token(header(Algorithm::EdDSA), nested);
        assert_eq!(verdict(&token, &signer.key()), Err(SignedFault::Claims));
    }
}

#[test]
fn an_audience_is_one_name_or_a_list_of_at_most_four() {
    let read = |json: &str| serde_json::from_str::<Audience>(json).ok();
    for (json, held) in [
        (r#""us""#, true),
        (r#"["us"]"#, true),
        (r#"["a","b","c","us"]"#, true),
        (r#"["a","b","c","d","us"]"#, false),
        (r#""US""#, false),
        (r#""us ""#, false),
        ("[]", false),
        (r#"["them"]"#, false),
    ] {
        assert_eq!(read(json).is_some_and(|audience| audience.holds("us")), held, "{json}");
    }
    for json in ["null", "1", "{}", r#"["us",1]"#, r#"[["us"]]"#] {
        assert_eq!(read(json), None, "{json}");
    }
}

proptest! {
    #[test]
    fn no_token_panics(token in "\\PC{0,200}") {
        prop_assert!(Signed::read(&token, Signed::PLAIN).is_err());
    }

    #[test]
    fn no_three_parts_panic(parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..120), 3)) {
        let token = parts.iter().map(b64).collect::<Vec<_>>().join(".");
        if let Ok(signed) = Signed::read(&token, Signed::WITH_KEY) {
            let _ = signed.unverified::<Claims>();
        }
    }

    #[test]
    fn nothing_can_be_changed(at in any::<prop::sample::Index>(), to in "[A-Za-z0-9_.-]") {
        let signer = Signer::new(Algorithm::EdDSA);
        let token = signer.token(header(Algorithm::EdDSA), GOOD);
        let at = at.index(token.len());
        let changed = format!("{}{to}{}", &token[..at], &token[at + 1..]);
        prop_assert_eq!(verdict(&changed, &signer.key()).is_ok(), changed == token);
    }
}
