use std::sync::Arc;

use aws_lc_rs::hmac;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

const NOW: i64 = 1_800_000_000;

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::from_timestamp(seconds, 0).unwrap()
}

fn issuer() -> Issuer {
    Issuer {
        issuer: "https://index.example".into(),
        audience: "contactpoint".into(),
        keys: SigningKeys::ephemeral().unwrap(),
    }
}

fn grant() -> Grant {
    Grant {
        sub: Uuid::from_u128(1),
        client_id: "web".into(),
        sid: Uuid::from_u128(2),
        role: "practitioner".into(),
        scope: "child:read".into(),
        org: Uuid::from_u128(3),
        la: Some(Uuid::from_u128(4)),
        acr: "2".into(),
        amr: vec!["pwd".into(), "otp".into()],
        auth_time: at(NOW - 100),
        jkt: None,
        actor: None,
        rps: None,
    }
}

fn claims(issuer: &Issuer) -> Claims {
    issuer.claims(grant(), at(NOW))
}

fn header(issuer: &Issuer) -> String {
    json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": issuer.keys.active() }).to_string()
}

fn b64(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Signs anything whatever with a true key of the issuer.
fn sign(issuer: &Issuer, header: &str, payload: impl AsRef<[u8]>) -> String {
    let message = format!("{}.{}", b64(header), b64(payload));
    format!("{message}.{}", b64(issuer.keys.sign(message.as_bytes()).unwrap()))
}

fn refusal(issuer: &Issuer, token: &str) -> Option<Reason> {
    issuer.verify(token, at(NOW)).err().map(TokenFault::reason)
}

#[test]
fn a_token_says_what_was_granted_for_ten_minutes() {
    let issuer = issuer();
    let claims = claims(&issuer);
    let token = issuer.issue(&claims).unwrap();
    assert!(token.len() < 900, "{}", token.len());
    for (seconds, held) in
        [(-31, false), (-30, true), (0, true), (600, true), (629, true), (630, false)]
    {
        assert_eq!(issuer.verify(&token, at(NOW + seconds)).is_ok(), held, "{seconds}");
    }
    assert_eq!(issuer.verify(&token, at(NOW)), Ok(claims.clone()));
    assert_eq!((claims.exp - claims.iat, claims.nbf), (600, claims.iat));
}

#[test]
fn the_standards_other_spellings_are_read_too() {
    let issuer = issuer();
    let kid = issuer.keys.active();
    let payload = serde_json::to_value(claims(&issuer)).unwrap();
    for typ in ["AT+JWT", "At+Jwt", "application/at+jwt", "APPLICATION/at+JWT"] {
        let header = json!({ "kid": kid, "typ": typ, "alg": "EdDSA" }).to_string();
        assert_eq!(refusal(&issuer, &sign(&issuer, &header, payload.to_string())), None);
    }
    let with = |member: &str, value: Value| {
        let mut payload = payload.clone();
        payload[member] = value;
        refusal(&issuer, &sign(&issuer, &header(&issuer), payload.to_string()))
    };
    assert_eq!(with("aud", json!(["contactpoint"])), None);
    assert_eq!(with("aud", json!(["a", "b", "c", "contactpoint"])), None);
    assert_eq!(with("exp", json!(NOW + 660)), None);
    let mut short = payload.clone();
    short.as_object_mut().unwrap().remove("la");
    assert_eq!(refusal(&issuer, &sign(&issuer, &header(&issuer), short.to_string())), None);
}

#[test]
fn every_hostile_header_is_refused() {
    let issuer = issuer();
    let kid = issuer.keys.active();
    let payload = serde_json::to_string(&claims(&issuer)).unwrap();
    let with = |member: &str, value: Value| {
        let mut header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": kid });
        header[member] = value;
        header.to_string()
    };
    let without = |member: &str| {
        let mut header = json!({ "alg": "EdDSA", "typ": "at+jwt", "kid": kid });
        header.as_object_mut().unwrap().remove(member);
        header.to_string()
    };
    let jwk = serde_json::to_value(issuer.keys.jwks()).unwrap()["keys"][0].clone();
    let hostile = [
        (with("alg", json!("none")), Reason::Algorithm),
        (with("alg", json!("None")), Reason::Algorithm),
        (with("alg", json!("")), Reason::Algorithm),
        (with("alg", json!("HS256")), Reason::Algorithm),
        (with("alg", json!("ES256")), Reason::Algorithm),
        (with("alg", json!("RS256")), Reason::Algorithm),
        (with("alg", json!("Ed25519")), Reason::Algorithm),
        (with("alg", json!("eddsa")), Reason::Algorithm),
        (with("alg", json!(null)), Reason::Header),
        (with("alg", json!(["EdDSA"])), Reason::Header),
        (without("alg"), Reason::Header),
        (with("typ", json!("JWT")), Reason::Type),
        (with("typ", json!("jwt")), Reason::Type),
        (with("typ", json!("dpop+jwt")), Reason::Type),
        (with("typ", json!("at+jwt ")), Reason::Type),
        (with("typ", json!("application/")), Reason::Type),
        (with("typ", json!("application/application/at+jwt")), Reason::Type),
        (with("typ", json!("text/at+jwt")), Reason::Type),
        (with("typ", json!("")), Reason::Type),
        (with("typ", json!("éééééé/at+jwt")), Reason::Type),
        (with("typ", json!(null)), Reason::Header),
        (without("typ"), Reason::Header),
        (with("kid", json!("another")), Reason::UnknownKey),
        (with("kid", json!("")), Reason::UnknownKey),
        (with("kid", json!("../../pepper")), Reason::UnknownKey),
        (with("kid", json!("' or '1'='1")), Reason::UnknownKey),
        (with("kid", json!(format!("{kid}\0"))), Reason::UnknownKey),
        (with("kid", json!(kid.to_lowercase() + "x")), Reason::UnknownKey),
        (with("kid", json!(7)), Reason::Header),
        (without("kid"), Reason::Header),
        (with("crit", json!(["exp"])), Reason::Header),
        (with("crit", json!([])), Reason::Header),
        (with("jwk", jwk), Reason::Header),
        (with("jku", json!("https://attacker.example/keys")), Reason::Header),
        (with("x5u", json!("https://attacker.example/chain")), Reason::Header),
        (with("x5c", json!(["MII"])), Reason::Header),
        (with("x5t", json!("AAAA")), Reason::Header),
        (with("cty", json!("JWT")), Reason::Header),
        (with("zip", json!("DEF")), Reason::Header),
        (with("b64", json!(false)), Reason::Header),
        (with("enc", json!("A256GCM")), Reason::Header),
        (with("ALG", json!("EdDSA")), Reason::Header),
        (with("", json!("")), Reason::Header),
        (format!(r#"["EdDSA","at+jwt","{kid}"]"#), Reason::Header),
        (format!(r#"{{"alg":"none","alg":"EdDSA","typ":"at+jwt","kid":"{kid}"}}"#), Reason::Header),
        (
            format!(r#"{{"alg":"EdDSA","\u0061lg":"EdDSA","typ":"at+jwt","kid":"{kid}"}}"#),
            Reason::Header,
        ),
        (format!(" {}", header(&issuer)), Reason::Header),
        (format!("\u{feff}{}", header(&issuer)), Reason::Header),
        (format!("{} {{}}", header(&issuer)), Reason::Header),
        (header(&issuer).replace('"', "'"), Reason::Header),
        ("{}".into(), Reason::Header),
        ("null".into(), Reason::Header),
        (String::new(), Reason::Header),
        ("[".repeat(3000), Reason::Header),
    ];
    assert!(hostile.len() > 50);
    for (header, reason) in hostile {
        assert_eq!(refusal(&issuer, &sign(&issuer, &header, &payload)), Some(reason), "{header}");
    }
    assert_eq!(refusal(&issuer, &sign(&issuer, &header(&issuer), &payload)), None);
}

#[test]
fn every_hostile_payload_is_refused_though_truly_signed() {
    let issuer = issuer();
    let good = serde_json::to_value(claims(&issuer)).unwrap();
    let signed = |payload: &str| refusal(&issuer, &sign(&issuer, &header(&issuer), payload));
    let uuid = Uuid::from_u128(0xabc);
    let hostile = [
        ("aud", json!("another"), Reason::Audience),
        ("aud", json!("ContactPoint"), Reason::Audience),
        ("aud", json!(""), Reason::Audience),
        ("aud", json!([]), Reason::Audience),
        ("aud", json!(["another"]), Reason::Audience),
        ("aud", json!(["a", "b", "c", "d", "contactpoint"]), Reason::Audience),
        ("aud", json!(["contactpoint", 1]), Reason::Malformed),
        ("aud", json!([["contactpoint"]]), Reason::Malformed),
        ("aud", json!({ "contactpoint": true }), Reason::Malformed),
        ("aud", json!(null), Reason::Malformed),
        ("iss", json!("https://index.example/"), Reason::Issuer),
        ("iss", json!("HTTPS://index.example"), Reason::Issuer),
        ("iss", json!("https://index.example\0"), Reason::Issuer),
        ("iss", json!(""), Reason::Issuer),
        ("iss", json!(["https://index.example"]), Reason::Malformed),
        ("iss", json!(null), Reason::Malformed),
        ("exp", json!(NOW - 30), Reason::Expired),
        ("exp", json!(NOW + 661), Reason::TooLong),
        ("exp", json!(NOW), Reason::TooLong),
        ("exp", json!(NOW - 1), Reason::TooLong),
        ("exp", json!(0), Reason::TooLong),
        ("exp", json!(i64::MIN), Reason::TooLong),
        ("exp", json!(i64::MAX), Reason::TooLong),
        ("exp", json!(u64::MAX), Reason::Malformed),
        ("exp", json!(1_800_000_600.0), Reason::Malformed),
        ("exp", json!(1_800_000_600.5), Reason::Malformed),
        ("exp", json!("1800000600"), Reason::Malformed),
        ("exp", json!(null), Reason::Malformed),
        ("exp", json!(true), Reason::Malformed),
        ("exp", json!([NOW + 600]), Reason::Malformed),
        ("iat", json!(NOW + 31), Reason::Early),
        ("iat", json!(NOW - 61), Reason::TooLong),
        ("iat", json!(i64::MIN), Reason::TooLong),
        ("iat", json!(i64::MAX), Reason::TooLong),
        ("iat", json!(1_800_000_000.0), Reason::Malformed),
        ("iat", json!(null), Reason::Malformed),
        ("nbf", json!(NOW + 31), Reason::Early),
        ("nbf", json!(i64::MAX), Reason::Early),
        ("nbf", json!(1_800_000_000.0), Reason::Malformed),
        ("nbf", json!("1800000000"), Reason::Malformed),
        ("auth_time", json!(NOW + 31), Reason::Early),
        ("auth_time", json!("now"), Reason::Malformed),
        ("sub", json!("root"), Reason::Malformed),
        ("sub", json!(""), Reason::Malformed),
        ("sub", json!(1), Reason::Malformed),
        ("sub", json!(uuid.simple().to_string()), Reason::Malformed),
        ("sub", json!(uuid.braced().to_string()), Reason::Malformed),
        ("sub", json!(uuid.urn().to_string()), Reason::Malformed),
        ("sub", json!(uuid.to_string().to_uppercase()), Reason::Malformed),
        ("jti", json!(null), Reason::Malformed),
        ("sid", json!("*"), Reason::Malformed),
        ("org", json!([uuid]), Reason::Malformed),
        ("la", json!(null), Reason::Malformed),
        ("la", json!(""), Reason::Malformed),
        ("role", json!(["practitioner"]), Reason::Malformed),
        ("role", json!(null), Reason::Malformed),
        ("scope", json!(["child:read"]), Reason::Malformed),
        ("client_id", json!(1), Reason::Malformed),
        ("acr", json!(2), Reason::Malformed),
        ("amr", json!("pwd"), Reason::Malformed),
        ("amr", json!([1]), Reason::Malformed),
        ("amr", json!({}), Reason::Malformed),
        ("cnf", json!({ "jkt": "thumbprint" }), Reason::Malformed),
        ("cnf", json!(null), Reason::Malformed),
        ("cnf", json!({ "jkt": "A".repeat(43), "x5t#S256": "A" }), Reason::Malformed),
        ("act", json!(null), Reason::Malformed),
        ("act", json!({ "sub": 1 }), Reason::Malformed),
        ("act", json!({ "sub": uuid, "act": { "sub": uuid } }), Reason::Malformed),
        ("rps", json!(null), Reason::Malformed),
        ("rps", json!(-1), Reason::Malformed),
        ("rps", json!("5"), Reason::Malformed),
        ("admin", json!(true), Reason::Malformed),
        ("Role", json!("auditor"), Reason::Malformed),
    ];
    assert!(hostile.len() > 60);
    for (member, value, reason) in hostile {
        let mut payload = good.clone();
        payload[member] = value;
        if (member, reason) == ("exp", Reason::Expired) {
            payload["iat"] = json!(NOW - 600);
        }
        assert_eq!(signed(&payload.to_string()), Some(reason), "{payload}");
    }
    for member in good.as_object().unwrap().keys().filter(|member| *member != "la") {
        let mut payload = good.clone();
        payload.as_object_mut().unwrap().remove(member);
        assert_eq!(signed(&payload.to_string()), Some(Reason::Malformed), "without {member}");
    }
    assert_eq!(signed(&good.to_string()), None);
}

#[test]
fn a_payload_that_is_not_one_plain_object_is_refused() {
    let issuer = issuer();
    let good = serde_json::to_string(&claims(&issuer)).unwrap();
    let signed = |payload: &[u8]| refusal(&issuer, &sign(&issuer, &header(&issuer), payload));
    let values: Vec<Value> =
        serde_json::from_str::<serde_json::Map<_, _>>(&good).unwrap().into_values().collect();
    for payload in [
        good.replacen('{', r#"{"role":"auditor","#, 1),
        good.replacen('{', r#"{"rol\u0065":"auditor","#, 1),
        good.replacen('}', r#","exp":1800000600}"#, 1),
        good.replacen('}', r#","aud":"contactpoint"}"#, 1),
        good.replacen("1800000600", "18000006e2", 1),
        good.replacen("1800000600", "1800000600.0", 1),
        good.replacen("1800000600", "+1800000600", 1),
        good.replacen("1800000600", "01800000600", 1),
        good.replacen("1800000600", "-0", 1),
        good.replacen("1800000600", "NaN", 1),
        good.replacen("1800000600", "Infinity", 1),
        good.replacen("1800000600", "99999999999999999999999999", 1),
        good.replacen("practitioner", "\\ud800", 1),
        good.replacen("practitioner", "\n", 1),
        good.replacen('}', ",}", 1),
        format!("{good}{good}"),
        format!("{good}\0"),
        format!(" {good}"),
        format!("[{good}]"),
        format!("/**/{good}"),
        good[..good.len() - 1].to_owned(),
        serde_json::to_string(&values).unwrap(),
        serde_json::to_string(&good).unwrap(),
        String::new(),
        "{}".into(),
        "null".into(),
        "1".into(),
        "{\"a\":".repeat(900),
    ] {
        assert!(signed(payload.as_bytes()).is_some(), "{payload}");
    }
    let mut not_utf8 = good.clone().into_bytes();
    not_utf8[good.find("practitioner").unwrap()] = 0xff;
    assert_eq!(signed(&not_utf8), Some(Reason::Malformed));
    assert_eq!(signed(good.as_bytes()), None);
}

#[test]
fn a_token_in_any_other_shape_is_refused() {
    let issuer = issuer();
    let token = issuer.issue(&claims(&issuer)).unwrap();
    let [header, payload, signature] = token.split('.').collect::<Vec<_>>()[..] else {
        panic!("three parts")
    };
    let none = b64(r#"{"alg":"none","typ":"at+jwt"}"#);
    let mut trailing = token.clone();
    let last = trailing.pop().unwrap();
    trailing.push(char::from(last as u8 + 1));
    for hostile in [
        String::new(),
        ".".into(),
        "..".into(),
        "...".into(),
        format!("{header}.{payload}"),
        format!("{header}.{payload}."),
        format!("{header}..{signature}"),
        format!(".{payload}.{signature}"),
        format!("{token}."),
        format!(".{token}"),
        format!("{token}.{signature}"),
        format!("{header}.{header}.{payload}.{signature}"),
        format!("{header}.{payload}..{signature}"),
        format!("{header}.{payload}.{signature}.a.b"),
        format!("{header}=.{payload}.{signature}"),
        format!("{token}="),
        format!("{token}=="),
        format!(" {token}"),
        format!("{token} "),
        format!("{token}\n"),
        format!("{token}\0"),
        format!("Bearer {token}"),
        format!("\u{feff}{token}"),
        format!("{token}é"),
        format!("{header}.{payload}.+/{}", &signature[2..]),
        format!("{header}.{payload}.%2B{}", &signature[3..]),
        trailing,
        format!("{header}.{payload}.{}", &signature[..84]),
        format!("{token}AAAA"),
        format!("{none}.{payload}."),
        format!("{none}.{payload}.{signature}"),
        format!("{header}.{payload}.{}", b64([0; 64])),
        format!("{header}.{payload}.{}", b64([0xff; 64])),
        format!("{token}{}", "A".repeat(8 * 1024)),
        "A".repeat(8 * 1024 + 1),
        format!("{}.{payload}.{signature}", "A".repeat(7000)),
        json!({ "protected": header, "payload": payload, "signature": signature }).to_string(),
    ] {
        assert!(refusal(&issuer, &hostile).is_some(), "{hostile}");
    }
    assert_eq!(refusal(&issuer, &token), None);
}

#[test]
fn a_token_signed_by_anything_but_our_key_is_refused() {
    let (ours, theirs) = (issuer(), issuer());
    let payload = serde_json::to_string(&claims(&ours)).unwrap();
    let stolen_name = sign(&theirs, &header(&ours), &payload);
    assert_eq!(refusal(&ours, &stolen_name), Some(Reason::Signature));
    let own_name = sign(&theirs, &header(&theirs), &payload);
    assert_eq!(refusal(&ours, &own_name), Some(Reason::UnknownKey));
    let public = ours.keys.jwks().keys[0].x.clone();
    for secret in [public.clone().into_bytes(), URL_SAFE_NO_PAD.decode(&public).unwrap()] {
        for alg in ["HS256", "EdDSA"] {
            let header = header(&ours).replace("EdDSA", alg);
            let message = format!("{}.{}", b64(header), b64(&payload));
            let key = hmac::Key::new(hmac::HMAC_SHA256, &secret);
            let mac = hmac::sign(&key, message.as_bytes());
            assert!(refusal(&ours, &format!("{message}.{}", b64(mac))).is_some());
        }
    }
    let good = ours.issue(&claims(&ours)).unwrap();
    let other = ours.issue(&claims(&ours)).unwrap();
    let (message, _) = good.rsplit_once('.').unwrap();
    let (_, signature) = other.rsplit_once('.').unwrap();
    assert_eq!(refusal(&ours, &format!("{message}.{signature}")), Some(Reason::Signature));
}

#[test]
fn a_fault_tells_nothing_outside() {
    let issuer = issuer();
    let fault = issuer.verify("canary", at(NOW)).unwrap_err();
    assert_eq!(fault.to_string(), "the token is not valid");
    assert_eq!(format!("{fault:?}"), "TokenFault(NotAToken)");
    assert_eq!(fault.reason().as_str(), "not_a_token");
    let oversized = issuer.verify(&"a".repeat(9000), at(NOW)).unwrap_err();
    assert_eq!(oversized.to_string(), fault.to_string());
}

#[test]
fn a_token_over_its_size_is_not_issued() {
    let issuer = issuer();
    let grant = Grant { scope: "child:read ".repeat(100), ..grant() };
    assert_eq!(issuer.issue(&issuer.claims(grant, at(NOW))), Err(NotIssued));
    let of = |letters| {
        let grant = Grant { scope: "a".repeat(letters), ..self::grant() };
        issuer.issue(&issuer.claims(grant, at(NOW)))
    };
    let longest = (0..1000).map_while(|letters| of(letters).ok()).last().unwrap();
    assert_eq!(longest.len(), LARGEST_ISSUED);
}

#[test]
fn a_remembered_token_still_ends_and_is_forgotten_on_demand() {
    let verifier = Verifier::new(issuer());
    let token = verifier.issuer().issue(&claims(&verifier.issuer())).unwrap();
    let first = verifier.verify(&token, at(NOW)).unwrap();
    assert!(Arc::ptr_eq(&first, &verifier.verify(&token, at(NOW + 1)).unwrap()));
    let reason = |seconds| verifier.verify(&token, at(NOW + seconds)).unwrap_err().reason();
    assert_eq!(reason(630), Reason::Expired);
    assert_eq!(reason(-31), Reason::Early);
    assert!(Arc::ptr_eq(&first, &verifier.verify(&token, at(NOW)).unwrap()));
    verifier.forget_all();
    let again = verifier.verify(&token, at(NOW)).unwrap();
    assert!(!Arc::ptr_eq(&first, &again) && first == again);
    verifier.replace(issuer());
    assert_eq!(reason(0), Reason::UnknownKey);
}

#[test]
fn a_refused_token_is_not_remembered() {
    let verifier = Verifier::new(issuer());
    let token = verifier.issuer().issue(&claims(&verifier.issuer())).unwrap();
    assert!(verifier.verify(&token, at(NOW - 31)).is_err());
    assert!(verifier.verify(&format!("{token}A"), at(NOW)).is_err());
    assert!(verifier.verify(&"a".repeat(9000), at(NOW)).is_err());
    assert_eq!(verifier.state().1.iter().count(), 0);
    assert!(verifier.verify(&token, at(NOW)).is_ok());
}

proptest! {
    #[test]
    fn no_string_makes_it_panic(text in ".*", a: Vec<u8>, b: Vec<u8>, seconds: i64) {
        let issuer = issuer();
        let now = DateTime::from_timestamp(seconds % 8_000_000_000_000, 0).unwrap_or_default();
        prop_assert!(issuer.verify(&text, now).is_err());
        let parts = format!("{}.{}.{text}", b64(&a), b64(&b));
        prop_assert!(issuer.verify(&parts, now).is_err());
        prop_assert!(issuer.verify(&sign(&issuer, &header(&issuer), &a), now).is_err());
        prop_assert!(issuer.verify(&sign(&issuer, &text, &a), now).is_err());
    }

    #[test]
    fn one_changed_character_is_enough(position: prop::sample::Index, new in "[A-Za-z0-9._-]") {
        let issuer = issuer();
        let token = issuer.issue(&claims(&issuer)).unwrap();
        let at_fault = position.index(token.len());
        let mut changed = token.clone();
        changed.replace_range(at_fault..=at_fault, &new);
        prop_assert_eq!(issuer.verify(&changed, at(NOW)).is_ok(), changed == token);
    }
}
