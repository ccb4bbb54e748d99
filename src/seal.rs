//! Values that the database keeps sealed: what a shield hides, and who provides a sensitive service (security rule D-6).

use std::{
    fmt,
    marker::PhantomData,
    sync::{Arc, PoisonError, RwLock},
};

use aws_lc_rs::hmac;
use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::{ExposeSecret, SecretSlice};
use serde::{Deserialize, Deserializer, Serialize, de::DeserializeOwned, de::Error};
use sqlx::{
    Database, Decode, Encode, Postgres, Type,
    encode::IsNull,
    error::BoxDynError,
    postgres::{PgArgumentBuffer, PgHasArrayType, PgTypeInfo},
};
use uuid::Uuid;

use crate::{
    keys::{Pepper, SealFault, Sealer},
    problem::Problem,
};

/// The keys that seal and open, shared by all that do so, and a key for what must be found without being read.
#[derive(Debug, Clone)]
pub struct Vault {
    sealer: Arc<RwLock<Arc<Sealer>>>,
    blind: Arc<hmac::Key>,
}

impl Vault {
    /// Seals by these keys.
    #[must_use]
    pub fn new(sealer: Sealer, pepper: &Pepper) -> Self {
        let mut derived = pepper.mac();
        derived.update(b"blind index");
        let blind = Arc::new(hmac::Key::new(hmac::HMAC_SHA256, derived.sign().as_ref()));
        Self { sealer: Arc::new(RwLock::new(Arc::new(sealer))), blind }
    }

    /// Seals by other keys from now on, as after a change of keys.
    pub fn replace(&self, sealer: Sealer) {
        *self.sealer.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(sealer);
    }

    /// Encrypts bytes for their place.
    pub fn seal(&self, plaintext: &[u8], place: &str) -> Result<Vec<u8>, SealFault> {
        self.sealer().seal(plaintext, place)
    }

    /// Decrypts bytes that were sealed for the same place.
    pub fn open(&self, sealed: &[u8], place: &str) -> Result<SecretSlice<u8>, SealFault> {
        self.sealer().open(sealed, place)
    }

    /// A keyed hash (HMAC-SHA-256) by which a value is found again where the database must not know it. The parts are told
    /// apart by their lengths, so that no two lists of parts are taken for one another.
    #[must_use]
    pub fn blind(&self, parts: &[&[u8]]) -> Vec<u8> {
        let mut mac = hmac::Context::with_key(&self.blind);
        for part in parts {
            mac.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            mac.update(part);
        }
        mac.sign().as_ref().to_vec()
    }

    fn sealer(&self) -> Arc<Sealer> {
        Arc::clone(&self.sealer.read().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Where a sealed value stands: it opens nowhere else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place(String);

impl Place {
    /// The value of this kind that belongs to `id`.
    #[must_use]
    pub fn of(kind: &'static str, id: Uuid) -> Self {
        Self(format!("{kind}:{id}"))
    }

    /// The value of this kind that belongs to `id` under this name.
    #[must_use]
    pub fn named(kind: &'static str, id: Uuid, name: &str) -> Self {
        Self(format!("{kind}:{id}:{name}"))
    }
}

/// A `T` that only the service can read. It goes into no answer and no log; the database has its bytes.
pub struct Sealed<T> {
    bytes: Vec<u8>,
    value: PhantomData<fn() -> T>,
}

impl<T: Serialize + DeserializeOwned> Sealed<T> {
    /// Seals a value for its place.
    pub fn seal(value: &T, vault: &Vault, place: &Place) -> Result<Self, Problem> {
        let plaintext = SecretSlice::from(serde_json::to_vec(value).map_err(Problem::internal)?);
        let bytes = vault.seal(plaintext.expose_secret(), &place.0).map_err(Problem::internal)?;
        Ok(Self { bytes, value: PhantomData })
    }

    /// Opens it where it was sealed for.
    pub fn open(&self, vault: &Vault, place: &Place) -> Result<T, Problem> {
        let plaintext = vault.open(&self.bytes, &place.0).map_err(Problem::internal)?;
        // A fault of parsing may quote the value.
        serde_json::from_slice(plaintext.expose_secret())
            .map_err(|_| Problem::internal(anyhow::anyhow!("a sealed value has another form")))
    }
}

/// As the database writes bytes in JSON, in base64.
impl<'de, T> Deserialize<'de> for Sealed<T> {
    fn deserialize<D: Deserializer<'de>>(reader: D) -> Result<Self, D::Error> {
        let text = String::deserialize(reader)?;
        let bytes = STANDARD.decode(text).map_err(|_| D::Error::custom("is not base64"))?;
        Ok(Self { bytes, value: PhantomData })
    }
}

impl<T> Sealed<T> {
    /// Its bytes, for where they do not stand as such.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl<T> From<Vec<u8>> for Sealed<T> {
    fn from(bytes: Vec<u8>) -> Self {
        Self { bytes, value: PhantomData }
    }
}

impl<T> fmt::Debug for Sealed<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sealed(…)")
    }
}

impl<T> Type<Postgres> for Sealed<T> {
    fn type_info() -> PgTypeInfo {
        <Vec<u8> as Type<Postgres>>::type_info()
    }
}

impl<T> PgHasArrayType for Sealed<T> {
    fn array_type_info() -> PgTypeInfo {
        <Vec<u8> as PgHasArrayType>::array_type_info()
    }
}

impl<T> Encode<'_, Postgres> for Sealed<T> {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        <&[u8] as Encode<'_, Postgres>>::encode_by_ref(&self.bytes.as_slice(), buffer)
    }
}

impl<'r, T> Decode<'r, Postgres> for Sealed<T> {
    fn decode(value: <Postgres as Database>::ValueRef<'r>) -> Result<Self, BoxDynError> {
        let bytes = <Vec<u8> as Decode<'r, Postgres>>::decode(value)?;
        Ok(Self { bytes, value: PhantomData })
    }
}

#[cfg(test)]
mod tests {
    use secrecy::SecretBox;

    use super::*;
    use crate::keys::Keys;

    fn vault() -> Vault {
        let folder = std::env::temp_dir().join(format!("contactpoint-vault-{}", Uuid::new_v4()));
        let keys = Keys::generate(&folder).unwrap();
        std::fs::remove_dir_all(&folder).unwrap();
        Vault::new(keys.sealer, &keys.pepper)
    }

    #[test]
    fn a_value_opens_only_in_its_place_and_shows_nothing() {
        let (vault, id) = (vault(), Uuid::new_v4());
        let value = vec!["12 Canary Way".to_owned()];
        let sealed = Sealed::seal(&value, &vault, &Place::of("carer", id)).unwrap();
        assert_eq!(sealed.open(&vault, &Place::of("carer", id)).unwrap(), value);
        assert!(sealed.open(&vault, &Place::of("carer", Uuid::new_v4())).is_err());
        assert!(sealed.open(&vault, &Place::of("whereabouts", id)).is_err());
        assert_eq!(format!("{sealed:?}"), "Sealed(…)");
        assert!(!sealed.bytes.windows(6).any(|window| window == b"Canary"));
    }

    #[test]
    fn a_value_of_another_form_is_refused_without_being_quoted() {
        let (vault, place) = (vault(), Place::of("carer", Uuid::nil()));
        let sealed = Sealed::seal(&"canary".to_owned(), &vault, &place).unwrap();
        let other = Sealed::<u32> { bytes: sealed.bytes, value: PhantomData };
        let told = format!("{:?}", other.open(&vault, &place).unwrap_err());
        assert!(!told.contains("canary"));
    }

    #[test]
    fn a_blind_hash_depends_on_every_part_its_place_and_the_pepper() {
        let fixed = |byte| Pepper::new(SecretBox::init_with(|| [byte; 32]));
        let of = |pepper: &Pepper, parts: &[&[u8]]| {
            let folder =
                std::env::temp_dir().join(format!("contactpoint-vault-{}", Uuid::new_v4()));
            let keys = Keys::generate(&folder).unwrap();
            std::fs::remove_dir_all(&folder).unwrap();
            Vault::new(keys.sealer, pepper).blind(parts)
        };
        let one = of(&fixed(1), &[b"ab", b"c"]);
        assert_eq!(one, of(&fixed(1), &[b"ab", b"c"]), "the sealing keys may change");
        for other in
            [of(&fixed(1), &[b"a", b"bc"]), of(&fixed(1), &[b"abc"]), of(&fixed(2), &[b"ab", b"c"])]
        {
            assert_ne!(one, other);
        }
    }
}
