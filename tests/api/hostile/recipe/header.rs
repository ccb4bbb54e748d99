//! What the header says.

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::{Forge, Made, b64, with, without};

pub(super) fn hostile(forge: &Forge<'_>) -> Made {
    let good = forge.header();
    let mut made = Made::new();
    for (member, values) in [("alg", algorithms()), ("typ", types()), ("kid", names(forge))] {
        made.push((format!("{member} missing"), forge.headed(&without(&good, member))));
        for value in values {
            made.push((format!("{member} {value:.60}"), forge.headed(&with(&good, member, value))));
        }
        let twice = good.to_string().replacen('{', &format!("{{\"{member}\":{},", good[member]), 1);
        made.push((format!("{member} twice"), forge.signed(twice, forge.payload())));
    }
    for (member, value) in more(forge) {
        let header = with(&good, member, value);
        made.push((format!("header with {member} {:.60}", header[member]), forge.headed(&header)));
    }
    made.extend(not_an_object(forge));
    made.extend(other_algorithms(forge));
    made.extend(other_keys(forge));
    made
}

fn algorithms() -> Vec<Value> {
    let names = [
        "none",
        "None",
        "NONE",
        "nOnE",
        "",
        " ",
        "eddsa",
        "EDDSA",
        "EdDSA ",
        "Ed25519",
        "Ed448",
        "ES256",
        "ES256K",
        "ES384",
        "RS256",
        "RS1",
        "PS256",
        "HS256",
        "HS384",
        "HS512",
        "HS1",
        "dir",
        "RSA1_5",
        "A128KW",
        "EdDSA,none",
    ];
    let others = [json!(null), json!(0), json!(true), json!(["EdDSA"]), json!({ "EdDSA": 1 })];
    names.into_iter().map(Value::from).chain(others).collect()
}

fn types() -> Vec<Value> {
    let names = [
        "",
        "JWT",
        "jwt",
        "at",
        "at+jwt ",
        " at+jwt",
        "at+jws",
        "rt+jwt",
        "id_token+jwt",
        "dpop+jwt",
        "secevent+jwt",
        "logout+jwt",
        "token-introspection+jwt",
        "client-authentication+jwt",
        "application/jwt",
        "application/application/at+jwt",
        "application/",
        "text/at+jwt",
        "at+jwt;charset=utf-8",
        "at+jwt\u{0}",
    ];
    let others = [json!(null), json!(1), json!(["at+jwt"]), json!({ "typ": "at+jwt" })];
    names.into_iter().map(Value::from).chain(others).collect()
}

fn names(forge: &Forge<'_>) -> Vec<Value> {
    let kid = forge.keys.active();
    let names = [
        String::new(),
        "1".into(),
        "active".into(),
        "*".into(),
        format!("{kid} "),
        format!(" {kid}"),
        format!("{kid}="),
        format!("{kid}.pem"),
        format!("{kid}\u{0}"),
        format!("{kid},{kid}"),
        kid[..kid.len() - 1].to_owned(),
        kid.to_lowercase(),
        kid.to_uppercase(),
        format!("./{kid}"),
        format!("../signing/{kid}"),
        "../../../../../../dev/null".into(),
        "/etc/passwd".into(),
        "file:///dev/null".into(),
        "https://attacker.example/key".into(),
        "' or '1'='1".into(),
        "x' union select 'a'--".into(),
        "'; drop table session;--".into(),
        "$(id)".into(),
        "`id`".into(),
        "%00".into(),
        "%2e%2e%2fsigning".into(),
        "A".repeat(3000),
        b64([0; 32]),
    ];
    let kept = names.into_iter().filter(|name| name != kid).map(Value::from);
    kept.chain([json!(null), json!(0), json!(true), json!([kid]), json!({ "kid": kid })]).collect()
}

fn more(forge: &Forge<'_>) -> Vec<(&'static str, Value)> {
    let jwk = forge.stranger();
    let certificate = STANDARD.encode([0x30, 0x03, 0x02, 0x01, 0x01]);
    vec![
        ("crit", json!([])),
        ("crit", json!(null)),
        ("crit", json!(["alg"])),
        ("crit", json!(["exp"])),
        ("crit", json!(["b64"])),
        ("crit", json!(["https://example.org/unknown"])),
        ("b64", json!(false)),
        ("b64", json!(true)),
        ("jku", json!("https://attacker.example/jwks.json")),
        ("jku", json!("http://contactpoint.test/.well-known/jwks.json")),
        ("jwk", jwk),
        ("jwk", json!(null)),
        ("x5u", json!("https://attacker.example/chain.pem")),
        ("x5c", json!([certificate])),
        ("x5c", json!([])),
        ("x5t", json!(b64([0; 20]))),
        ("x5t#S256", json!(b64([0; 32]))),
        ("cty", json!("JWT")),
        ("cty", json!("at+jwt")),
        ("zip", json!("DEF")),
        ("enc", json!("A256GCM")),
        ("epk", json!({ "kty": "OKP" })),
        ("apu", json!("")),
        ("p2c", json!(2_000_000_000)),
        ("nonce", json!("1")),
        ("iss", forge.claims["iss"].clone()),
        ("exp", json!(4_000_000_000_u32)),
        ("Alg", json!("EdDSA")),
        ("ALG", json!("none")),
        ("", json!("")),
    ]
}

fn not_an_object(forge: &Forge<'_>) -> Made {
    let good = forge.header().to_string();
    let kid = forge.keys.active();
    let texts = [
        ("empty", String::new()),
        ("an empty object", "{}".into()),
        ("null", "null".into()),
        ("an array of the values", json!(["EdDSA", "at+jwt", kid]).to_string()),
        ("an array of the object", format!("[{good}]")),
        ("a string of the object", json!(good).to_string()),
        ("two objects", format!("{good}{good}")),
        ("after a space", format!(" {good}")),
        ("after a byte order mark", format!("\u{feff}{good}")),
        ("with a comma too many", good.replacen('}', ",}", 1)),
        ("with a comment", format!("/**/{good}")),
        ("with single quotes", good.replace('"', "'")),
        ("cut short", good[..good.len() - 1].to_owned()),
        ("with an escaped name a second time", good.replacen('{', "{\"al\\u0067\":\"none\",", 1)),
        ("nested too deep", "[".repeat(2500)),
    ];
    let made =
        texts.map(|(name, text)| (format!("header {name}"), forge.signed(text, forge.payload())));
    made.into()
}

/// The same, by other algorithms: the public key as a secret above all (RFC 8725, section 2.1).
fn other_algorithms(forge: &Forge<'_>) -> Made {
    let (good, public) = (forge.header(), forge.public());
    let spki = [&[0x30, 0x2a, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 3, 0x21, 0][..], &public].concat();
    let pem = format!(
        "-----BEGIN PUBLIC KEY-----\n{}\n-----END PUBLIC KEY-----\n",
        STANDARD.encode(&spki)
    );
    let jwk = serde_json::to_vec(&forge.keys.jwks().keys[0]).unwrap();
    let secrets = [
        ("raw", public.to_vec()),
        ("base64url", b64(public).into_bytes()),
        ("DER", spki),
        ("PEM", pem.clone().into_bytes()),
        ("PEM without its last line end", pem.trim_end().as_bytes().to_vec()),
        ("JWK", jwk),
        ("empty", Vec::new()),
    ];
    let mut made = Made::new();
    for (name, secret) in secrets {
        for (alg, algorithm) in [
            ("HS256", hmac::HMAC_SHA256),
            ("HS384", hmac::HMAC_SHA384),
            ("HS512", hmac::HMAC_SHA512),
            ("EdDSA", hmac::HMAC_SHA512),
        ] {
            let key = hmac::Key::new(algorithm, &secret);
            let token = forge.by(&with(&good, "alg", json!(alg)), |message| {
                hmac::sign(&key, message).as_ref().to_vec()
            });
            made.push((format!("{alg} with the public key as its secret, {name}"), token));
        }
    }
    for alg in ["none", "None", "NONE", "nOnE", "", "EdDSA"] {
        let header = with(&good, "alg", json!(alg));
        made.push((format!("alg {alg:?} without a signature"), forge.by(&header, |_| Vec::new())));
        let bare = json!({ "alg": alg, "typ": "at+jwt" });
        made.push((
            format!("alg {alg:?} with neither key nor signature"),
            forge.by(&bare, |_| Vec::new()),
        ));
    }
    for alg in ["ES256", "EdDSA"] {
        let header = with(&good, "alg", json!(alg));
        made.push((
            format!("{alg} by a P-256 key"),
            forge.by(&header, |m| forge.by_another_curve(m)),
        ));
    }
    for (alg, probabilistic) in [("RS256", false), ("PS256", true), ("EdDSA", false)] {
        let header = with(&good, "alg", json!(alg));
        made.push((
            format!("{alg} by an RSA key"),
            forge.by(&header, |m| forge.by_rsa(m, probabilistic)),
        ));
    }
    made
}

/// The same, by other keys of the right kind.
fn other_keys(forge: &Forge<'_>) -> Made {
    let good = forge.header();
    let stranger = contactpoint::keys::SigningKeys::ephemeral().unwrap();
    let by = |header: &Value| forge.by(header, |message| forge.by_another_key(message));
    let mut made = vec![
        ("a stranger's key under our key's name".into(), by(&good)),
        (
            "a stranger's key that the header brings".into(),
            by(&with(&good, "jwk", forge.stranger())),
        ),
        (
            "a stranger's key that the header brings, alone".into(),
            by(&json!({ "alg": "EdDSA", "typ": "at+jwt", "jwk": forge.stranger() })),
        ),
        (
            "a stranger's key that the header says where to fetch".into(),
            by(&with(&good, "jku", json!("https://attacker.example/jwks.json"))),
        ),
        (
            "a key of the same make that was never ours, or is no longer".into(),
            forge.by(&with(&good, "kid", json!(stranger.active())), |message| {
                stranger.sign(message).unwrap()
            }),
        ),
    ];
    let published = forge.keys.jwks().keys;
    if let Some(other) = published.iter().find(|key| key.kid != forge.keys.active()) {
        let header = with(&good, "kid", json!(other.kid));
        made.push(("our key under the name of another of ours".into(), forge.headed(&header)));
    }
    made
}
