//! Assertions of clients that must not be believed, each with what is wrong with it.

use aws_lc_rs::hmac;
use base64::{
    Engine,
    engine::general_purpose::{STANDARD, URL_SAFE},
};
use serde_json::{Value, json};

use crate::signer::{Signer, b64};

/// Who the server is.
pub(crate) const ISSUER: &str = "http://contactpoint.test";

/// A client that has a key, as one would forge it.
pub(crate) struct Forger<'s> {
    /// The client.
    pub(crate) id: &'s str,
    /// Its true key.
    pub(crate) own: &'s Signer,
    /// The true key of another client, and that client.
    pub(crate) other: (&'s str, &'s Signer),
    /// A key that nobody registered.
    pub(crate) stranger: &'s Signer,
    /// The present moment, in seconds since 1970.
    pub(crate) now: i64,
}

/// The modulus of a key of 1024 bits, the client that has it, and what it signed for the moment at which every index begins.
pub(crate) const SHORT_KEY: [&str; 3] = [
    "rhkchKYQQC2RlyEOCRA4ECsznCnyyRl_BtUxtu5GhqKSwYIJ5E3XmBw3mK3OkxwkbIuQJnUibJese0y-6Wi5PEjiCqe1L19PylJv_dTJx39xjjpTNNQJ2r0wFNyKfC6dzCT_Fl5h6DRJlDuFZ7U9HQ0ezsSco30P2Uka7w0iw3U",
    "00000000-0000-4000-8000-000000001024",
    concat!(
        "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCIsImtpZCI6Im93biJ9.eyJpc3MiOiIwMDAwMDAwMC0wMDAwLTQwMDAtODAwMC0wMDAwMDAwMDEwM",
        "jQiLCJzdWIiOiIwMDAwMDAwMC0wMDAwLTQwMDAtODAwMC0wMDAwMDAwMDEwMjQiLCJhdWQiOiJodHRwOi8vY29udGFjdHBvaW50LnRlc3QiLCJ",
        "pYXQiOjE3OTQ4MjE0MDAsImV4cCI6MTc5NDgyMTQ2MCwianRpIjoib25lLW9mLTEwMjQifQ.UsXjO-KuWxsnYNr5_tzKQ_xsiFGjKWsGoJxdH4",
        "YiPfD_D4arMHq8JL-Ihp92E35i9ZXjKZ-I-B1RMuJNs0kWlNHsg7NgpdSjMkUsnFLvS9J9FWZFfmfZarb6W_taMfmpl2a-9YGM-LJpHjrf1C1V",
        "P5C6xA0hGsMl7K-NEIg8KWY",
    ),
];

impl Forger<'_> {
    pub(crate) fn header(&self) -> Value {
        json!({ "alg": self.own.alg, "typ": "JWT", "kid": "own" })
    }

    /// What a good assertion claims; each has a number of its own.
    pub(crate) fn claims(&self) -> Value {
        json!({ "iss": self.id, "sub": self.id, "aud": ISSUER, "iat": self.now, "exp": self.now + 60,
                "jti": uuid::Uuid::new_v4() })
    }

    /// A good one.
    pub(crate) fn good(&self) -> String {
        self.own.token(self.header().to_string(), self.claims().to_string())
    }

    fn claiming(&self, member: &str, value: Value) -> String {
        let mut claims = self.claims();
        claims[member] = value;
        self.own.token(self.header().to_string(), claims.to_string())
    }

    fn without(&self, member: &str) -> String {
        let mut claims = self.claims();
        claims.as_object_mut().unwrap().remove(member);
        self.own.token(self.header().to_string(), claims.to_string())
    }

    fn headed(&self, member: &str, value: Value) -> String {
        let mut header = self.header();
        header[member] = value;
        self.own.token(header.to_string(), self.claims().to_string())
    }

    /// Signed with a shared secret instead of a key.
    fn shared(&self, secret: &[u8]) -> String {
        let header = json!({ "alg": "HS256", "typ": "JWT", "kid": "own" }).to_string();
        let message = format!("{}.{}", b64(header), b64(self.claims().to_string()));
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
        format!("{message}.{}", b64(hmac::sign(&key, message.as_bytes())))
    }

    /// All of them.
    pub(crate) fn all(&self) -> Vec<(String, String)> {
        let parts = [self.of_headers(), self.of_claims(), self.of_times(), self.of_forms()];
        parts.concat().into_iter().map(|(name, token)| (name.to_owned(), token)).collect()
    }

    fn of_headers(&self) -> Vec<(&'static str, String)> {
        let (header, claims) = (self.header().to_string(), self.claims().to_string());
        let none = |alg: &str| {
            let header = json!({ "alg": alg, "typ": "JWT", "kid": "own" }).to_string();
            format!("{}.{}.", b64(header), b64(&claims))
        };
        let jwk = self.own.jwk();
        let signed_by = |signer: &Signer| signer.token(&header, &claims);
        let foreign = {
            let header =
                json!({ "alg": self.stranger.alg, "typ": "JWT", "jwk": self.stranger.jwk() });
            self.stranger.token(header.to_string(), &claims)
        };
        vec![
            ("unsigned", none("none")),
            ("unsigned, spelt otherwise", none("nOnE")),
            ("a shared secret: the public key as JSON", self.shared(jwk.to_string().as_bytes())),
            (
                "a shared secret: the public point",
                self.shared(jwk["x"].as_str().unwrap().as_bytes()),
            ),
            ("a shared secret: nothing", self.shared(b"")),
            ("a key that nobody registered", signed_by(self.stranger)),
            ("the key of another client", signed_by(self.other.1)),
            ("a key that it brings along", foreign),
            ("the name of a key that it does not have", self.headed("kid", json!("another"))),
            ("an empty name of a key", self.headed("kid", json!(""))),
            ("a number as the name of a key", self.headed("kid", json!(1))),
            ("no name as the name of a key", self.headed("kid", Value::Null)),
            ("an algorithm that is not the key's", self.headed("alg", json!("RS256"))),
            (
                "the algorithm in small letters",
                self.headed("alg", json!(self.own.alg.to_lowercase())),
            ),
            ("no algorithm", self.headed("alg", Value::Null)),
            ("the type of an access token", self.headed("typ", json!("at+jwt"))),
            ("the type of a proof", self.headed("typ", json!("dpop+jwt"))),
            ("no type", self.headed("typ", Value::Null)),
            ("an empty type", self.headed("typ", json!(""))),
            ("a list as the type", self.headed("typ", json!(["JWT"]))),
            ("something critical", self.headed("crit", json!(["exp"]))),
            ("nothing critical", self.headed("crit", json!([]))),
            ("an address of keys", self.headed("jku", json!("https://evil.example/jwks.json"))),
            ("its key in the header", self.headed("jwk", jwk)),
            ("an address of certificates", self.headed("x5u", json!("https://evil.example/"))),
            ("certificates", self.headed("x5c", json!(["MIIB"]))),
            ("a content type", self.headed("cty", json!("JWT"))),
            ("compressed", self.headed("zip", json!("DEF"))),
            ("a payload as it stands", self.headed("b64", json!(false))),
            ("another member", self.headed("nonce", json!("x"))),
            (
                "no type at all",
                self.own.token(json!({ "alg": self.own.alg, "kid": "own" }).to_string(), &claims),
            ),
            ("a member of the header twice", {
                let twice = format!("{{\"alg\":\"none\",{}", &header[1..]);
                self.own.token(twice, &claims)
            }),
            (
                "a list as the header",
                self.own.token(json!([self.own.alg, "JWT", "own"]).to_string(), &claims),
            ),
        ]
    }

    fn of_claims(&self) -> Vec<(&'static str, String)> {
        let claims = self.claims().to_string();
        let twice = |member: &str| {
            let claims = format!("{{\"{member}\":\"{}\",{}", self.id, &claims[1..]);
            self.own.token(self.header().to_string(), claims)
        };
        vec![
            (
                "for the token endpoint",
                self.claiming("aud", json!(format!("{ISSUER}/oauth/token"))),
            ),
            ("for a list of us", self.claiming("aud", json!([ISSUER]))),
            ("for us and others", self.claiming("aud", json!([ISSUER, "https://other.example"]))),
            ("for another", self.claiming("aud", json!("https://other.example"))),
            ("for us with a slash", self.claiming("aud", json!(format!("{ISSUER}/")))),
            ("for us in capitals", self.claiming("aud", json!(ISSUER.to_uppercase()))),
            ("for the service", self.claiming("aud", json!("contactpoint"))),
            ("for nobody", self.without("aud")),
            ("for null", self.claiming("aud", Value::Null)),
            ("by another client", self.claiming("iss", json!(self.other.0))),
            ("about another client", self.claiming("sub", json!(self.other.0))),
            ("by nobody", self.without("iss")),
            ("about nobody", self.without("sub")),
            ("by a client in capitals", self.claiming("iss", json!(self.id.to_uppercase()))),
            ("about a client in braces", self.claiming("sub", json!(format!("{{{}}}", self.id)))),
            ("by a list", self.claiming("iss", json!([self.id]))),
            ("without a number", self.without("jti")),
            ("with an empty number", self.claiming("jti", json!(""))),
            ("with a long number", self.claiming("jti", json!("x".repeat(129)))),
            ("with a number that is none", self.claiming("jti", json!(7))),
            ("with null as its number", self.claiming("jti", Value::Null)),
            ("by somebody twice", twice("iss")),
            ("for somebody twice", twice("aud")),
            ("with two numbers", twice("jti")),
        ]
    }

    fn of_times(&self) -> Vec<(&'static str, String)> {
        let now = self.now;
        let float = |seconds: i64| serde_json::from_str(&format!("{seconds}.5")).unwrap();
        vec![
            ("ended", self.claiming("exp", json!(now - 60))),
            ("ended long ago", self.claiming("exp", json!(0))),
            ("ends too far ahead", self.claiming("exp", json!(now + 301))),
            ("ends never", self.claiming("exp", json!(i64::MAX))),
            ("ends before time", self.claiming("exp", json!(-1))),
            ("no end", self.without("exp")),
            ("an end as text", self.claiming("exp", json!((now + 60).to_string()))),
            ("an end between seconds", self.claiming("exp", float(now + 60))),
            ("null as its end", self.claiming("exp", Value::Null)),
            ("no beginning", self.without("iat")),
            ("made in the future", self.claiming("iat", json!(now + 61))),
            ("made after its end", self.claiming("iat", json!(now + 60))),
            ("made as text", self.claiming("iat", json!(now.to_string()))),
            ("made between seconds", self.claiming("iat", float(now))),
            ("null as its beginning", self.claiming("iat", Value::Null)),
            ("not yet", self.claiming("nbf", json!(now + 61))),
            ("not before a text", self.claiming("nbf", json!("now"))),
            ("not before null", self.claiming("nbf", Value::Null)),
        ]
    }

    fn of_forms(&self) -> Vec<(&'static str, String)> {
        let good = self.good();
        let (message, signature) = good.rsplit_once('.').unwrap();
        let (header, payload) = message.split_once('.').unwrap();
        let standard = {
            let message = format!(
                "{}.{}",
                b64(self.header().to_string()),
                STANDARD.encode(self.claims().to_string())
            );
            format!("{message}.{}", b64(self.own.sign(&message)))
        };
        let spare = format!("{}{}", &signature[..signature.len() - 1], {
            // The last letter carries bits that belong to no byte.
            match signature.as_bytes()[signature.len() - 1] {
                b'9' => '-',
                last => char::from(last + 1),
            }
        });
        vec![
            ("nothing", String::new()),
            ("no token", "nonsense".to_owned()),
            ("two parts", message.to_owned()),
            ("four parts", format!("{good}.x")),
            ("five parts, as if encrypted", format!("{good}.x.x")),
            ("no signature", format!("{message}.")),
            (
                "another's signature",
                format!("{message}.{}", self.good().rsplit_once('.').unwrap().1),
            ),
            ("the parts in another order", format!("{payload}.{header}.{signature}")),
            ("another payload under the signature", {
                let payload = b64(self.claims().to_string());
                format!("{header}.{payload}.{signature}")
            }),
            ("a signature with spare bits", format!("{message}.{spare}")),
            ("a signature with another byte", format!("{message}.{signature}AA")),
            ("a signature cut short", format!("{message}.{}", &signature[..signature.len() - 4])),
            ("padding", format!("{message}.{}", URL_SAFE.encode(self.own.sign(message)))),
            ("the other alphabet", standard),
            ("a space after it", format!("{good} ")),
            ("a line after it", format!("{good}\n")),
            ("a NUL after it", format!("{good}\0")),
            ("a letter that is none", format!("{message}é.{signature}")),
            ("trailing bytes in the payload", {
                let claims = format!("{} {{}}", self.claims());
                self.own.token(self.header().to_string(), claims)
            }),
            ("a payload that is no object", self.own.token(self.header().to_string(), "[]")),
            ("an empty payload", self.own.token(self.header().to_string(), "")),
            ("a payload that is not UTF-8", {
                let mut claims = self.claims().to_string().into_bytes();
                claims.splice(1..1, *b"\"x\":\"\xff\",");
                self.own.token(self.header().to_string(), claims)
            }),
            ("a payload nested deep", {
                let deep = format!("{{\"x\":{}{},", "[".repeat(200), "]".repeat(200));
                self.own.token(self.header().to_string(), deep + &self.claims().to_string()[1..])
            }),
            ("over 9 KiB", self.claiming("more", json!("x".repeat(9 * 1024)))),
        ]
    }
}
