//! What the claims say, truly signed: nothing but what we say ourselves is read.

use serde_json::{Value, json};
use uuid::Uuid;

use super::{Forge, Made};

pub(super) fn hostile(forge: &Forge<'_>) -> Made {
    let header = forge.header().to_string();
    let mut made = Made::new();
    for member in forge.claims.keys() {
        let mut claims = forge.claims.clone();
        let value = claims.remove(member).unwrap();
        if member != "la" {
            let left = Value::Object(claims).to_string();
            made.push((format!("{member} missing"), forge.signed(&header, left)));
        }
        let twice = forge.payload().replacen('{', &format!("{{\"{member}\":{value},"), 1);
        made.push((format!("{member} twice"), forge.signed(&header, twice)));
        let wrong = [json!(null), json!({ "value": value }), json!([[value]]), json!(true)];
        let wrong = wrong.into_iter().chain(if value.is_array() {
            None
        } else {
            Some(json!([value, value, value, value, value]))
        });
        for value in wrong {
            made.push((format!("{member} {value:.80}"), forge.claiming(member, value)));
        }
    }
    for (member, value) in identities(forge).into_iter().chain(others(forge)).chain(times(forge)) {
        made.push((format!("{member} {value:.80}"), forge.claiming(member, value)));
    }
    made.extend(written(forge));
    made.extend(long(forge));
    made
}

fn identities(forge: &Forge<'_>) -> Vec<(&'static str, Value)> {
    let id = Uuid::from_u128(0xabc_def0_1234);
    let forms = [
        String::new(),
        "root".into(),
        "*".into(),
        "0".into(),
        id.simple().to_string(),
        id.braced().to_string(),
        id.urn().to_string(),
        id.to_string().to_uppercase(),
        format!(" {id}"),
        format!("{id}\u{0}"),
        "' or ''='".into(),
    ];
    let members = ["sub", "jti", "sid", "org", "la"];
    let mut made = Vec::new();
    for member in members.into_iter().filter(|member| forge.claims.contains_key(*member)) {
        made.extend(forms.iter().map(|form| (member, json!(form))));
    }
    made
}

fn others(forge: &Forge<'_>) -> Vec<(&'static str, Value)> {
    let (iss, aud) = (forge.claims["iss"].as_str().unwrap(), forge.claims["aud"].as_str().unwrap());
    vec![
        ("iss", json!("")),
        ("iss", json!(format!("{iss}/"))),
        ("iss", json!(format!("{iss}/.well-known"))),
        ("iss", json!(format!("{iss}:80"))),
        ("iss", json!(format!("{iss}\u{0}"))),
        ("iss", json!(format!(" {iss}"))),
        ("iss", json!(iss.to_uppercase())),
        ("iss", json!(iss.replacen("http", "httpx", 1))),
        ("iss", json!("https://attacker.example")),
        ("iss", json!([iss])),
        ("aud", json!("")),
        ("aud", json!("another")),
        ("aud", json!(aud.to_uppercase())),
        ("aud", json!(format!("{aud} "))),
        ("aud", json!(format!("{aud},another"))),
        ("aud", json!(iss)),
        ("aud", json!([])),
        ("aud", json!(["another"])),
        ("aud", json!([aud, 1])),
        ("aud", json!([aud, null])),
        ("aud", json!(["a", "b", "c", "d", aud])),
        ("aud", json!({ aud: true })),
        ("role", json!("")),
        ("role", json!("admin")),
        ("role", json!("Practitioner")),
        ("role", json!("practitioner ")),
        ("role", json!("practitioner operator")),
        ("role", json!(1)),
        ("scope", json!(["child:read", "child:search"])),
        ("scope", json!(1)),
        ("client_id", json!(1)),
        ("acr", json!(2)),
        ("amr", json!("mfa")),
        ("amr", json!([1])),
        ("cnf", json!({ "jkt": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo" })),
        ("cnf", json!("thumbprint")),
        ("cnf", json!({})),
        ("cnf", json!({ "jwk": {} })),
        ("cnf", json!({ "jkt": null })),
        ("act", json!({})),
        ("act", json!({ "sub": "root" })),
        ("act", json!({ "sub": Uuid::nil(), "act": {} })),
        ("rps", json!("1")),
        ("rps", json!(-1)),
        ("admin", json!(true)),
        ("Role", json!("operator")),
        ("roles", json!(["operator"])),
        ("", json!(1)),
        ("__proto__", json!({ "role": "operator" })),
    ]
}

fn times(forge: &Forge<'_>) -> Vec<(&'static str, Value)> {
    let now = forge.issued();
    let float = |seconds: i64| json!(f64::from(i32::try_from(seconds).unwrap()));
    let mut made = vec![
        ("exp", json!(now)),
        ("exp", json!(now - 1)),
        ("exp", json!(now - 3600)),
        ("exp", json!(0)),
        ("exp", json!(-1)),
        ("exp", json!(now + 661)),
        ("exp", json!(now + 3600)),
        ("exp", json!(now + 10 * 365 * 24 * 3600)),
        ("exp", json!((now + 600) * 1000)),
        ("iat", json!(now + 3600)),
        ("iat", json!(now - 61)),
        ("iat", json!(0)),
        ("iat", json!(-1)),
        ("nbf", json!(now + 3600)),
        ("nbf", json!(now * 1000)),
        ("auth_time", json!(now + 3600)),
    ];
    for member in ["exp", "iat", "nbf", "auth_time"] {
        let value = forge.claims[member].as_i64().unwrap();
        made.extend([
            (member, float(value)),
            (member, json!(value.to_string())),
            (member, json!("")),
            (member, json!("soon")),
            (member, json!("2100-01-01T00:00:00Z")),
            (member, json!(u64::MAX)),
        ]);
    }
    made.extend([("exp", json!(i64::MAX)), ("exp", json!(i64::MIN)), ("iat", json!(i64::MAX))]);
    made.extend([
        ("iat", json!(i64::MIN)),
        ("nbf", json!(i64::MAX)),
        ("auth_time", json!(i64::MAX)),
    ]);
    made
}

/// Payloads that JSON or another reader might take for a good one.
fn written(forge: &Forge<'_>) -> Made {
    let (header, good) = (forge.header().to_string(), forge.payload());
    let exp = forge.claims["exp"].to_string();
    let values: Vec<_> = forge.claims.values().cloned().collect();
    let digits =
        |text: &str| good.replacen(&format!("\"exp\":{exp}"), &format!("\"exp\":{text}"), 1);
    let texts = [
        ("exp in exponent form", digits(&format!("{}e2", &exp[..exp.len() - 2]))),
        ("exp with a fraction", digits(&format!("{exp}.5"))),
        ("exp with a sign", digits(&format!("+{exp}"))),
        ("exp with a leading zero", digits(&format!("0{exp}"))),
        ("exp minus zero", digits("-0")),
        ("exp not a number", digits("NaN")),
        ("exp for ever", digits("Infinity")),
        ("exp beyond any number", digits("99999999999999999999999999")),
        ("exp beyond any float", digits("1e400")),
        ("exp hexadecimal", digits("0x7fffffff")),
        ("a role before the role", good.replacen('{', r#"{"role":"operator","#, 1)),
        ("an escaped role before the role", good.replacen('{', r#"{"rol\u0065":"operator","#, 1)),
        ("a lone surrogate", good.replacen("contactpoint", "\\ud800", 1)),
        ("an array of the values", json!(values).to_string()),
        ("an array of the object", format!("[{good}]")),
        ("a string of the object", json!(good).to_string()),
        ("two objects", format!("{good}{good}")),
        ("a byte after the object", format!("{good}\0")),
        ("after a space", format!(" {good}")),
        ("with a comma too many", good.replacen('}', ",}", 1)),
        ("with a comment", format!("/**/{good}")),
        ("cut short", good[..good.len() - 1].to_owned()),
        ("empty", String::new()),
        ("an empty object", "{}".into()),
        ("null", "null".into()),
        ("nested too deep", "{\"a\":".repeat(900)),
        ("another token", forge.good.clone()),
    ];
    let mut made: Made =
        texts.map(|(name, text)| (format!("payload {name}"), forge.signed(&header, text))).into();
    let mut not_utf8 = good.into_bytes();
    not_utf8[10] = 0xff;
    made.push(("payload that is not UTF-8".into(), forge.signed(&header, not_utf8)));
    let nested = super::with(&forge.header(), "cty", json!("JWT")).to_string();
    made.push(("a token in a token".into(), forge.signed(nested, &forge.good)));
    made
}

/// Over 8 KiB, by a byte or by far.
fn long(forge: &Forge<'_>) -> Made {
    let padded = |bytes: usize| {
        let padding = " ".repeat(bytes);
        forge.signed(
            forge.header().to_string(),
            forge.payload().replacen('{', &format!("{{{padding}"), 1),
        )
    };
    let longer = (5000..7000).map(padded).find(|token| token.len() > 8 * 1024).unwrap();
    vec![("just over 8 KiB".into(), longer), ("over 12 KiB".into(), padded(9000))]
}
