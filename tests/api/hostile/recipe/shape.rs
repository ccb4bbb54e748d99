//! How a token is put together, and what stands where its signature should.

use base64::{
    Engine,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD},
};
use serde_json::json;

use super::{Forge, Made, b64};

/// The order of Ed25519's group, the least byte first (RFC 8032, section 5.1).
const ORDER: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

pub(super) fn hostile(forge: &Forge<'_>) -> Made {
    let mut made = parts(forge);
    made.extend(signatures(forge));
    made.extend(tampered(forge));
    made
}

fn split(token: &str) -> [&str; 3] {
    token.split('.').collect::<Vec<_>>().try_into().unwrap()
}

fn parts(forge: &Forge<'_>) -> Made {
    let good = &forge.good;
    let [header, payload, signature] = split(good);
    let (middle, rest) = payload.split_at(payload.len() / 2);
    let encrypted = b64(json!({ "alg": "dir", "enc": "A256GCM" }).to_string());
    let password =
        json!({ "alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 2_000_000_000, "p2s": "" });
    let password = b64(password.to_string());
    let flat = json!({ "protected": header, "payload": payload, "signature": signature });
    let general = json!({ "payload": payload, "signatures": [{ "protected": header, "signature": signature }] });
    let bytes = |part: &str| URL_SAFE_NO_PAD.decode(part).unwrap();
    let again = |engine: &dyn Fn(Vec<u8>) -> String| {
        [header, payload, signature].map(|part| engine(bytes(part))).join(".")
    };
    let texts = [
        ("one part", header.to_owned()),
        ("two parts", format!("{header}.{payload}")),
        ("no signature", format!("{header}.{payload}.")),
        ("no payload", format!("{header}..{signature}")),
        ("no header", format!(".{payload}.{signature}")),
        ("only dots", "..".into()),
        ("four parts", format!("{good}.{signature}")),
        ("five parts", format!("{header}.{payload}.{signature}.{payload}.{signature}")),
        ("the header twice", format!("{header}.{header}.{payload}.{signature}")),
        ("a dot too many", format!("{good}.")),
        ("two dots too many", format!("{good}..")),
        ("a dot before", format!(".{good}")),
        ("an encrypted token", format!("{encrypted}..{}.{payload}.{}", b64([0; 12]), b64([0; 16]))),
        (
            "a token encrypted under a password",
            format!("{password}.{}.{}.{payload}.{}", b64([0; 24]), b64([0; 12]), b64([0; 16])),
        ),
        ("the flattened JSON form", flat.to_string()),
        ("the general JSON form", general.to_string()),
        ("padded header", format!("{header}=.{payload}.{signature}")),
        ("padded payload", format!("{header}.{payload}=.{signature}")),
        ("padded signature", format!("{good}==")),
        (
            "every part padded",
            again(&|part| format!("{}=", URL_SAFE.encode(part).trim_end_matches('='))),
        ),
        (
            "the standard alphabet, padded",
            format!("{header}.{payload}.{}", STANDARD.encode(bytes(signature))),
        ),
        ("a sign of the standard alphabet", format!("{header}.{payload}.+/{}", &signature[2..])),
        ("every byte as a number", again(&|part| format!("{part:?}"))),
        ("percent-encoded dots", good.replace('.', "%2E")),
        ("percent-encoded signature", format!("{header}.{payload}.%41{}", &signature[1..])),
        ("a space before", format!(" {good}")),
        ("a space in the payload", format!("{header}.{middle} {rest}.{signature}")),
        ("a tab in the payload", format!("{header}.{middle}\t{rest}.{signature}")),
        ("a space before the signature", format!("{header}.{payload}. {signature}")),
        ("an escaped line end", format!("{header}.{middle}\\n{rest}.{signature}")),
        ("quoted", format!("\"{good}\"")),
        ("twice, with a comma", format!("{good}, {good}")),
        ("another scheme before it", format!("Bearer {good}")),
        ("base64 of the whole", URL_SAFE_NO_PAD.encode(good)),
        ("the standard alphabet throughout, of the whole", STANDARD_NO_PAD.encode(good)),
        ("nothing but letters, over 8 KiB", "A".repeat(8 * 1024 + 1)),
        ("a good one with more, over 8 KiB", format!("{good}{}", "A".repeat(8 * 1024))),
        ("a header of 7,000 letters", format!("{}.{payload}.{signature}", "A".repeat(7000))),
        ("a token of the kind that renews", b64([7; 32])),
    ];
    texts.map(|(name, text)| (name.to_owned(), text)).into()
}

fn signatures(forge: &Forge<'_>) -> Made {
    let [header, payload, signature] = split(&forge.good);
    let true_one = URL_SAFE_NO_PAD.decode(signature).unwrap();
    let changed = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = true_one.clone();
        change(&mut bytes);
        bytes
    };
    let mut identity = [0; 64];
    identity[0] = 1;
    let mut cases: Vec<(String, Vec<u8>)> = vec![
        ("all zero".into(), vec![0; 64]),
        ("all ones".into(), vec![0xff; 64]),
        ("the neutral point and zero".into(), identity.to_vec()),
        ("S plus the order of the group".into(), changed(&|bytes| malleate(bytes))),
        ("S with its highest bit".into(), changed(&|bytes| bytes[63] |= 0x80)),
        ("S equal to the order".into(), changed(&|bytes| bytes[32..].copy_from_slice(&ORDER))),
        ("R not reduced".into(), changed(&|bytes| bytes[..32].copy_from_slice(&[0xff; 32]))),
        ("R with the other sign".into(), changed(&|bytes| bytes[31] ^= 0x80)),
        ("R and S exchanged".into(), changed(&|bytes| bytes.rotate_left(32))),
        ("the bytes backwards".into(), changed(&|bytes| bytes.reverse())),
        ("twice".into(), true_one.repeat(2)),
        ("a byte before".into(), changed(&|bytes| bytes.insert(0, 0))),
        ("a byte after".into(), changed(&|bytes| bytes.push(0))),
        (
            "in DER".into(),
            changed(&|bytes| {
                bytes.splice(0..0, [0x30, 0x40]);
            }),
        ),
        ("of the payload alone".into(), forge.keys.sign(payload.as_bytes()).unwrap()),
        ("of the header alone".into(), forge.keys.sign(header.as_bytes()).unwrap()),
        (
            "of the parts without their dot".into(),
            forge.keys.sign(format!("{header}{payload}").as_bytes()).unwrap(),
        ),
        ("of nothing".into(), forge.keys.sign(b"").unwrap()),
        (
            "of what the parts mean".into(),
            forge.keys.sign(format!("{}.{}", forge.header(), forge.payload()).as_bytes()).unwrap(),
        ),
    ];
    for length in [0, 1, 16, 31, 32, 33, 48, 62, 63] {
        cases.push((format!("cut to {length} bytes"), true_one[..length].to_vec()));
    }
    for bit in [0, 7, 100, 255, 256, 300, 500, 511] {
        let flipped = changed(&|bytes| bytes[bit / 8] ^= 1 << (bit % 8));
        cases.push((format!("with bit {bit} flipped"), flipped));
    }
    let mut made: Made = cases
        .into_iter()
        .map(|(name, bytes)| {
            (format!("signature {name}"), format!("{header}.{payload}.{}", b64(bytes)))
        })
        .collect();
    // The last letter of 64 bytes in base64url carries four bits of its six.
    let last = signature.chars().next_back().unwrap();
    let next = char::from(u8::try_from(last).unwrap() + 1);
    let loose = format!("{}{next}", &forge.good[..forge.good.len() - 1]);
    made.push(("signature with loose bits at its end".into(), loose));
    made.push(("signature with a letter more".into(), format!("{}A", forge.good)));
    made.push((
        "signature with a letter less".into(),
        forge.good[..forge.good.len() - 1].to_owned(),
    ));
    made
}

/// Adds the order of the group to S: the same equation, another signature (RFC 8032, section 8.4).
fn malleate(signature: &mut [u8]) {
    let mut carry = 0;
    for (byte, of_order) in signature[32..].iter_mut().zip(ORDER) {
        let sum = u16::from(*byte) + u16::from(of_order) + carry;
        *byte = sum.to_le_bytes()[0];
        carry = sum >> 8;
    }
}

/// A good signature under what it was not made for.
fn tampered(forge: &Forge<'_>) -> Made {
    let [header, payload, signature] = split(&forge.good);
    let mut made = Made::new();
    for (member, value) in [
        ("role", json!("operator")),
        ("role", json!("shieldApprover")),
        ("scope", json!("stop:write account:write")),
        ("sub", json!("00000000-0000-4000-8000-000000000000")),
        ("sid", json!("00000000-0000-4000-8000-000000000000")),
        ("org", json!("00000000-0000-4000-8000-000000000000")),
        ("exp", json!(forge.issued() + 660)),
        ("auth_time", json!(forge.issued() + 20)),
    ] {
        let mut claims = forge.claims.clone();
        claims.insert(member.to_owned(), value.clone());
        let payload = b64(json!(claims).to_string());
        made.push((
            format!("{member} {value} under an old signature"),
            format!("{header}.{payload}.{signature}"),
        ));
    }
    let typed = b64(super::with(&forge.header(), "typ", json!("application/at+jwt")).to_string());
    made.push((
        "another header under an old signature".into(),
        format!("{typed}.{payload}.{signature}"),
    ));
    let other = forge.claiming("nbf", json!(forge.issued() - 1));
    let [_, _, of_another] = split(&other);
    made.push((
        "the signature of another token of ours".into(),
        format!("{header}.{payload}.{of_another}"),
    ));
    made
}
