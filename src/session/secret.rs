//! Passwords and PINs: which are good enough, and how they are kept.

use std::{fmt, num::NonZero, sync::Arc, thread};

use argon2::{
    Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version,
    password_hash::phc::PasswordHash,
};
use aws_lc_rs::hmac::Tag;
use chrono::NaiveDate;
use secrecy::{ExposeSecret, SecretString};
use tokio::{sync::Semaphore, task::spawn_blocking};
use zxcvbn::{Score, zxcvbn};

use crate::{
    keys::Pepper,
    problem::{Kind, Problem},
};

const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;
const LANES: u32 = 1;
const SHORTEST_PASSWORD: usize = 12;
const LONGEST_PASSWORD: usize = 128;
/// Of longer passwords the beginning is judged; on more, zxcvbn may overflow.
const JUDGED: usize = 28;
const PIN_DIGITS: usize = 6;
const WAITING: usize = 32;

/// Keeps passwords and PINs: one Argon2id hash over both, under the pepper.
///
/// Hashing takes tens of milliseconds and 19 MiB; call it only inside [`HashingPool::run`].
pub struct Credential {
    argon2: Argon2<'static>,
    pepper: Pepper,
    dummy: PasswordHash,
}

/// Hashing failed, or a stored hash cannot be read; says nothing about whose.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a password hash could not be made or read")]
pub struct HashFault;

impl Credential {
    /// Makes ready, with a hash that nobody's secrets match, for users who do not exist.
    pub fn new(pepper: Pepper) -> Result<Self, HashFault> {
        let params = Params::new(MEMORY_KIB, PASSES, LANES, None).map_err(|_| HashFault)?;
        let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
        let dummy = argon2.hash_password(b"nobody").map_err(|_| HashFault)?;
        Ok(Self { argon2, pepper, dummy })
    }

    /// Hashes a password and a PIN for storing, as a PHC string.
    pub fn hash(&self, password: &SecretString, pin: &SecretString) -> Result<String, HashFault> {
        let hash = self.argon2.hash_password(self.pepper(password, pin).as_ref());
        hash.map(|hash| hash.to_string()).map_err(|_| HashFault)
    }

    /// Whether password and PIN are the stored ones; an unknown user, without any, takes as long.
    pub fn verify(
        &self,
        stored: Option<&str>,
        password: &SecretString,
        pin: &SecretString,
    ) -> Result<bool, HashFault> {
        let peppered = self.pepper(password, pin);
        let known = stored.map(|phc| PasswordHash::new(phc).map_err(|_| HashFault));
        let hash = known.as_ref().and_then(|known| known.as_ref().ok()).unwrap_or(&self.dummy);
        let matches = self.argon2.verify_password(peppered.as_ref(), hash).is_ok();
        known.map_or(Ok(false), |known| known.map(|_| matches))
    }

    fn pepper(&self, password: &SecretString, pin: &SecretString) -> Tag {
        let mut mac = self.pepper.mac();
        for secret in [password, pin] {
            let secret = secret.expose_secret().as_bytes();
            mac.update(&(secret.len() as u64).to_be_bytes());
            mac.update(secret);
        }
        mac.sign()
    }
}

impl fmt::Debug for Credential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credential([REDACTED])")
    }
}

/// Runs hashing on as many threads as there are cores, and lets at most 32 wait.
#[derive(Debug, Clone)]
pub struct HashingPool {
    places: Arc<Semaphore>,
    cores: Arc<Semaphore>,
}

/// Why the pool did not finish the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unhashed {
    /// Too many are waiting; try again in a second or two.
    #[error("too many sign-ins at once")]
    Busy,
    /// The work panicked, or the service is stopping.
    #[error("hashing was broken off")]
    BrokenOff,
}

impl Unhashed {
    /// How it is told.
    #[must_use]
    pub fn problem(self) -> Problem {
        match self {
            Self::Busy => Problem::from(Kind::Unavailable).retry_after(2),
            Self::BrokenOff => Problem::internal(self),
        }
    }
}

impl Default for HashingPool {
    fn default() -> Self {
        Self::new(thread::available_parallelism().map_or(1, NonZero::get))
    }
}

impl HashingPool {
    /// A pool for so many cores.
    #[must_use]
    pub fn new(cores: usize) -> Self {
        let cores = cores.max(1);
        Self {
            places: Arc::new(Semaphore::new(cores + WAITING)),
            cores: Arc::new(Semaphore::new(cores)),
        }
    }

    /// Does the work when a core is free; work once begun keeps its core, awaited or not.
    pub async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Unhashed> {
        let place = Arc::clone(&self.places).try_acquire_owned().map_err(|_| Unhashed::Busy)?;
        let core = Arc::clone(&self.cores).acquire_owned().await;
        let core = core.map_err(|_| Unhashed::BrokenOff)?;
        let done = spawn_blocking(move || {
            let _held = (place, core);
            work()
        });
        done.await.map_err(|_| Unhashed::BrokenOff)
    }
}

/// Why a password is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// Fewer than 12 characters.
    #[error("must have at least 12 characters")]
    TooShort,
    /// More than 128 characters.
    #[error("must have at most 128 characters")]
    TooLong,
    /// A guesser who knows the user would find it soon.
    #[error("is too easy to guess; a few unusual words make a good one")]
    Guessable,
}

/// Whether a password is good enough; the hints are what a guesser may know of the user.
///
/// Takes some milliseconds, so call it inside [`HashingPool::run`].
pub fn check_password(password: &str, hints: &[&str]) -> Result<(), WeakPassword> {
    let length = password.chars().take(LONGEST_PASSWORD + 1).count();
    if length < SHORTEST_PASSWORD {
        return Err(WeakPassword::TooShort);
    }
    if length > LONGEST_PASSWORD {
        return Err(WeakPassword::TooLong);
    }
    let words = hints.iter().flat_map(|hint| hint.split(|c: char| !c.is_alphanumeric()));
    let known = hints.iter().copied().chain(words).chain(["contactpoint"]);
    let known: Vec<String> = known.map(as_judged).filter(|known| !known.is_empty()).collect();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    if zxcvbn(&as_judged(password), &known).score() < Score::Three {
        return Err(WeakPassword::Guessable);
    }
    Ok(())
}

/// Writes one sign for all that stand for one letter; zxcvbn tries every mixture, for seconds.
fn as_judged(text: &str) -> String {
    let plain = |c| match c {
        '@' => '4',
        '{' | '[' | '<' => '(',
        '!' | '|' => '1',
        '$' => '5',
        '+' => '7',
        other => other,
    };
    text.chars().map(plain).take(JUDGED).collect()
}

/// Why a PIN is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WeakPin {
    /// Not six digits.
    #[error("must be six digits")]
    NotSixDigits,
    /// One digit six times.
    #[error("must not be one digit repeated")]
    Same,
    /// A straight run up or down, such as 234567 or 432109.
    #[error("must not be a straight run of digits")]
    Run,
    /// It begins or ends with a year from 1900 to 2029, or is a day written ddmmyy.
    #[error("must not look like a date or a year of birth")]
    Date,
}

/// Whether a PIN is good enough.
pub fn check_pin(pin: &str) -> Result<(), WeakPin> {
    let digits: Vec<u8> =
        pin.bytes().filter(u8::is_ascii_digit).map(|digit| digit - b'0').collect();
    if digits.len() != PIN_DIGITS || pin.len() != PIN_DIGITS {
        return Err(WeakPin::NotSixDigits);
    }
    let goes_by = |step: u8| digits.windows(2).all(|pair| (pair[0] + step) % 10 == pair[1]);
    if goes_by(0) {
        return Err(WeakPin::Same);
    }
    if goes_by(1) || goes_by(9) {
        return Err(WeakPin::Run);
    }
    let number = |part: &[u8]| part.iter().fold(0, |sum, digit| sum * 10 + u32::from(*digit));
    let is_year = |part: &[u8]| (1900..=2029).contains(&number(part));
    let is_day = NaiveDate::parse_from_str(pin, "%d%m%y").is_ok();
    if is_year(&digits[..4]) || is_year(&digits[2..]) || is_day {
        return Err(WeakPin::Date);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::{
        sync::{Mutex, mpsc},
        time::{Duration, Instant},
    };

    use proptest::prelude::*;
    use secrecy::SecretBox;

    use super::*;

    fn credential() -> Credential {
        Credential::new(Pepper::new(SecretBox::new(Box::new([7; 32])))).unwrap()
    }

    fn secret(text: &str) -> SecretString {
        text.into()
    }

    #[test]
    fn only_the_same_password_and_pin_match() {
        let credential = credential();
        let (password, pin) = (secret("plum-kettle-orbit"), secret("582914"));
        let stored = credential.hash(&password, &pin).unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        let verify = |password: &str, pin: &str| {
            credential.verify(Some(&stored), &secret(password), &secret(pin))
        };
        assert_eq!(verify("plum-kettle-orbit", "582914"), Ok(true));
        assert_eq!(verify("plum-kettle-orbit", "582915"), Ok(false));
        assert_eq!(verify("Plum-kettle-orbit", "582914"), Ok(false));
        assert_eq!(verify("plum-kettle-orbit5", "82914"), Ok(false));
        assert_eq!(verify("", ""), Ok(false));
        assert_ne!(credential.hash(&password, &pin).unwrap(), stored);
    }

    #[test]
    fn another_pepper_does_not_match() {
        let (password, pin) = (secret("plum-kettle-orbit"), secret("582914"));
        let stored = credential().hash(&password, &pin).unwrap();
        let other = Credential::new(Pepper::new(SecretBox::new(Box::new([8; 32])))).unwrap();
        assert_eq!(other.verify(Some(&stored), &password, &pin), Ok(false));
    }

    #[test]
    fn an_unknown_user_never_matches_and_costs_a_hash() {
        let credential = credential();
        assert_eq!(credential.verify(None, &secret("nobody"), &secret("")), Ok(false));
        assert_eq!(credential.verify(Some("?"), &secret("a"), &secret("1")), Err(HashFault));
        let dummy = credential.dummy.to_string();
        assert!(dummy.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert_eq!(credential.verify(Some(&dummy), &secret("nobody"), &secret("")), Ok(false));
        assert_eq!(format!("{credential:?}"), "Credential([REDACTED])");
    }

    #[tokio::test]
    async fn the_pool_lets_32_wait_and_turns_the_next_away() {
        let pool = HashingPool::new(2);
        let (release, gate) = mpsc::channel::<()>();
        let gate = Arc::new(Mutex::new(gate));
        let held: Vec<_> = (0..2 + WAITING)
            .map(|number| {
                let (pool, gate) = (pool.clone(), Arc::clone(&gate));
                tokio::spawn(async move {
                    pool.run(move || gate.lock().unwrap().recv().map(|()| number)).await
                })
            })
            .collect();
        tokio::task::yield_now().await;
        assert_eq!(pool.run(|| ()).await, Err(Unhashed::Busy));
        for _ in &held {
            release.send(()).unwrap();
        }
        for (number, task) in held.into_iter().enumerate() {
            assert_eq!(task.await.unwrap(), Ok(Ok(number)));
        }
        assert_eq!(pool.run(|| 1).await, Ok(1));
    }

    #[tokio::test]
    async fn work_that_panics_gives_its_place_back() {
        let pool = HashingPool::new(1);
        for _ in 0..2 * (1 + WAITING) {
            assert_eq!(pool.run(|| std::panic::panic_any(())).await, Err(Unhashed::BrokenOff));
        }
        assert_eq!(pool.run(|| 1).await, Ok(1));
    }

    #[test]
    fn a_password_is_long_enough_and_hard_to_guess() {
        let hints = [
            "a.practitioner",
            "someone@example.org",
            "Imaginary Infant School",
            "A. Zyxgarthxqueel",
        ];
        for (password, found) in [
            ("", Err(WeakPassword::TooShort)),
            ("k3$Vq!9zLw@", Err(WeakPassword::TooShort)),
            ("ééééééééééé", Err(WeakPassword::TooShort)),
            (&"ab".repeat(65), Err(WeakPassword::TooLong)),
            ("aaaaaaaaaaaa", Err(WeakPassword::Guessable)),
            ("password1234", Err(WeakPassword::Guessable)),
            ("qwertyuiop12", Err(WeakPassword::Guessable)),
            ("contactpoint", Err(WeakPassword::Guessable)),
            ("ContactPoint1", Err(WeakPassword::Guessable)),
            ("a.practitioner1", Err(WeakPassword::Guessable)),
            ("someone@example.org", Err(WeakPassword::Guessable)),
            ("Imaginary Infant School", Err(WeakPassword::Guessable)),
            ("Zyxgarthxqueel1", Err(WeakPassword::Guessable)),
            ("P@$$w0rd!2024", Err(WeakPassword::Guessable)),
            (&"k3$Vq!9zLw@x".repeat(10), Ok(())),
            ("plum kettle orbit fennel", Ok(())),
            ("k3$Vq!9zLw@x", Ok(())),
        ] {
            assert_eq!(check_password(password, &hints), found, "{password}");
        }
    }

    #[test]
    fn no_password_takes_long_to_judge_or_overflows() {
        for unit in
            ["4@8({[</369!1|0$5+7%2", "ab", "a1b2", "aab", "12", "é4@x", "qwe", "1990-01-01"]
        {
            let password: String = unit.chars().cycle().take(LONGEST_PASSWORD).collect();
            let begun = Instant::now();
            let _ = check_password(&password, &["someone", &password, &password.to_lowercase()]);
            assert!(begun.elapsed() < Duration::from_secs(2), "{unit}");
        }
    }

    #[test]
    fn a_pin_is_six_digits_that_are_not_obvious() {
        for (pin, found) in [
            ("", Err(WeakPin::NotSixDigits)),
            ("58291", Err(WeakPin::NotSixDigits)),
            ("5829141", Err(WeakPin::NotSixDigits)),
            ("58291a", Err(WeakPin::NotSixDigits)),
            ("582914 ", Err(WeakPin::NotSixDigits)),
            ("٥٨٢", Err(WeakPin::NotSixDigits)),
            ("000000", Err(WeakPin::Same)),
            ("123456", Err(WeakPin::Run)),
            ("654321", Err(WeakPin::Run)),
            ("890123", Err(WeakPin::Run)),
            ("210987", Err(WeakPin::Run)),
            ("198437", Err(WeakPin::Date)),
            ("371984", Err(WeakPin::Date)),
            ("202977", Err(WeakPin::Date)),
            ("290284", Err(WeakPin::Date)),
            ("310177", Err(WeakPin::Date)),
            ("320177", Ok(())),
            ("310277", Ok(())),
            ("582914", Ok(())),
            ("203077", Ok(())),
        ] {
            assert_eq!(check_pin(pin), found, "{pin}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn no_input_makes_the_checks_panic(text in ".{0,140}|[a-zA-Z@4!1]{12,128}", pin in "[0-9]{6}|.{0,8}") {
            let _ = check_password(&text, &[&pin, &text.to_uppercase()]);
            let _ = check_pin(&pin);
        }
    }
}
