//! One-time codes (RFC 6238): six digits, thirty seconds, SHA-1, which every authenticator knows.

use aws_lc_rs::{error::Unspecified, rand};
use chrono::{DateTime, Utc};
use secrecy::SecretString;
use totp_rs::{Algorithm, Builder, Secret, Totp};

use super::user_name::UserName;

const ISSUER: &str = "ContactPoint";
const STEP: u64 = 30;
const DIGITS: u8 = 6;
/// How far into a step the code of the step before is still taken.
const GRACE: u64 = 5;

/// The secret that a user's authenticator shares with the index.
#[derive(Debug, Clone)]
pub struct Seed(Secret);

impl Seed {
    /// Makes a new seed of 160 bits.
    pub fn generate() -> Result<Self, Unspecified> {
        let mut bytes = [0; 20];
        rand::fill(&mut bytes)?;
        Ok(Self(bytes.into()))
    }

    /// Takes a stored seed; none when it is shorter than the 128 bits that RFC 4226 asks for.
    #[must_use]
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        (16..=64).contains(&bytes.len()).then(|| Self(Secret::new(bytes.into())))
    }

    /// Reads the `otpauth` URI of a seed; none unless it asks for six digits, thirty seconds and SHA-1.
    #[must_use]
    pub fn from_uri(uri: &str) -> Option<Self> {
        let totp = Totp::from_url(uri).ok()?;
        let ours =
            (Algorithm::SHA1, DIGITS, STEP) == (totp.algorithm(), totp.digits(), totp.step());
        ours.then(|| Self::from_bytes(totp.secret().as_bytes()))?
    }

    /// The seed itself, to be sealed and stored.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        self.0.as_bytes()
    }

    /// The `otpauth` URI that sets up an authenticator, usually shown as a QR code.
    #[must_use]
    pub fn uri(&self, user: &UserName) -> Option<SecretString> {
        let totp = builder(self).with_issuer(Some(ISSUER)).with_account_name(user.as_str()).build();
        totp.ok()?.to_url().ok().map(SecretString::from)
    }
}

/// The step whose code this is: the present one, or the one before during its first five seconds.
///
/// The caller stores the step and refuses it, and every earlier one, from then on.
#[must_use]
pub fn accept(seed: &Seed, code: &str, now: DateTime<Utc>) -> Option<u64> {
    let totp = builder(seed).build().ok()?;
    let now = u64::try_from(now.timestamp()).ok()?;
    let present = totp.check(code, now);
    let previous = totp.check(code, now.checked_sub(STEP)?);
    present.or(previous.filter(|_| now % STEP < GRACE))
}

/// The code that an authenticator shows at this moment, for the demonstration and for tests.
#[must_use]
pub fn code_at(seed: &Seed, now: DateTime<Utc>) -> Option<String> {
    let totp = builder(seed).build().ok()?;
    Some(totp.generate(u64::try_from(now.timestamp()).ok()?).to_string())
}

fn builder(seed: &Seed) -> Builder {
    Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(DIGITS)
        .with_step_duration(STEP)
        .with_skew(0)
        .with_secret(seed.0.clone())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    use super::*;

    /// The seed of RFC 6238, appendix B; our codes are the last six of its eight digits.
    const RFC: &[u8] = b"12345678901234567890";

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).unwrap()
    }

    fn rfc() -> Seed {
        Seed::from_bytes(RFC).unwrap()
    }

    #[test]
    fn the_codes_are_those_of_the_rfc() {
        for (seconds, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_111_111_111, "050471"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
            (20_000_000_000, "353130"),
        ] {
            let step = u64::try_from(seconds).unwrap() / 30;
            assert_eq!(code_at(&rfc(), at(seconds)).as_deref(), Some(code));
            assert_eq!(accept(&rfc(), code, at(seconds)), Some(step));
        }
    }

    #[test]
    fn the_code_before_is_taken_for_five_seconds_and_never_the_one_after() {
        let step = 66_666_666;
        let start = i64::try_from(step * STEP).unwrap();
        let code = code_at(&rfc(), at(start)).unwrap();
        for (offset, accepted) in [
            (-31, None),
            (-1, None),
            (0, Some(step)),
            (29, Some(step)),
            (30, Some(step)),
            (34, Some(step)),
            (35, None),
            (60, None),
        ] {
            assert_eq!(accept(&rfc(), &code, at(start + offset)), accepted, "{offset}");
        }
    }

    #[test]
    fn what_is_not_six_digits_is_refused() {
        let now = at(1_234_567_890);
        for code in
            ["", "5924", "05924", "0005924", "+05924", " 05924", "005 924", "٠٠٥٩٢٤", "00592a"]
        {
            assert_eq!(accept(&rfc(), code, now), None, "{code:?}");
        }
        assert_eq!(accept(&rfc(), "287082", at(-1)), None);
    }

    #[test]
    fn a_seed_survives_its_uri() {
        let seed = Seed::generate().unwrap();
        let uri = seed.uri(&UserName::parse("A.Practitioner").unwrap()).unwrap();
        let uri = uri.expose_secret();
        assert!(uri.starts_with("otpauth://totp/ContactPoint:a.practitioner?secret="));
        assert!(uri.ends_with("&issuer=ContactPoint"));
        assert_eq!(Seed::from_uri(uri).unwrap().expose(), seed.expose());
        assert_eq!(seed.expose().len(), 20);
        assert_ne!(Seed::generate().unwrap().expose(), seed.expose());
        assert_eq!(format!("{seed:?}"), "Seed(REDACTED)");
    }

    #[test]
    fn a_uri_that_asks_for_anything_else_is_refused() {
        let secret = "secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ";
        let good = format!("otpauth://totp/ContactPoint:user?{secret}&issuer=ContactPoint");
        assert_eq!(Seed::from_uri(&good).unwrap().expose(), RFC);
        for bad in [
            "",
            "https://example.org",
            "otpauth://totp/ContactPoint:user",
            "otpauth://totp/ContactPoint:user?secret=GEZDGNBV",
            "otpauth://totp/ContactPoint:user?secret=1",
            &format!("otpauth://hotp/ContactPoint:user?{secret}"),
            &format!("{good}&digits=8"),
            &format!("{good}&digits=200"),
            &format!("{good}&period=60"),
            &format!("{good}&period=0"),
            &format!("{good}&algorithm=SHA256"),
        ] {
            assert!(Seed::from_uri(bad).is_none(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn nothing_given_makes_it_panic(code in ".*", uri in ".*", seconds: i32) {
            let _ = accept(&rfc(), &code, at(seconds.into()));
            let _ = Seed::from_uri(&uri);
            let _ = Seed::from_uri(&format!("otpauth://totp/{uri}"));
        }
    }
}
