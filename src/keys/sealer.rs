//! Sealing single values: each under a key of its own, which is sealed beside it under the key of the service.

use std::{collections::BTreeMap, path::Path};

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey},
    rand,
};
use secrecy::{ExposeSecret, SecretSlice, zeroize::Zeroizing};

use super::{
    KeyFault,
    folder::{ACTIVE, Folder, read_folder, thirty_two_bytes},
};

/// A value sealed by the service's key itself; only opened any more.
const DIRECT: u8 = 1;
/// A value sealed by a key of its own.
const ENVELOPE: u8 = 2;
const HEAD: usize = 1 + size_of::<u32>();
const KEY: usize = 32;
const TAG: usize = 16;
const WRAPPED: usize = NONCE_LEN + KEY + TAG;

/// Encrypts single values (AES-256-GCM), each bound to the place where it stands.
///
/// A sealed value is a version byte (2), the number of the service's key (4 bytes), the value's own key sealed under that
/// (nonce 12, key 32, tag 16), and the value sealed under its own key (nonce 12, ciphertext, tag 16). To change the
/// service's key, only the middle is made anew; the value itself is not opened, and its place need not be known.
/// Nonces are random, so one key of the service seals at most 2³² values. Version 1, without the middle, is still opened.
#[derive(Debug)]
pub struct Sealer {
    active: u32,
    keys: BTreeMap<u32, RandomizedNonceKey>,
}

/// A value could not be sealed or opened; deliberately without a reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed value is damaged, or belongs elsewhere, or its key is gone")]
pub struct SealFault;

impl Sealer {
    /// Reads the sealing keys of a folder of secrets.
    pub fn of(dir: &Path) -> Result<Self, KeyFault> {
        Self::load(&dir.join(super::SEALING))
    }

    pub(super) fn load(folder: &Path) -> Result<Self, KeyFault> {
        let Folder { active, files } = read_folder(folder, "key")?;
        let mut keys = BTreeMap::new();
        for (name, text) in files {
            let path = folder.join(format!("{name}.key"));
            let id = key_id(&name).ok_or_else(|| KeyFault::wrong(&path, "is not <number>.key"))?;
            let bytes = thirty_two_bytes(&path, &text)?;
            keys.insert(id, RandomizedNonceKey::new(&AES_256_GCM, bytes.expose_secret())?);
        }
        let active = key_id(&active)
            .filter(|id| keys.contains_key(id))
            .ok_or_else(|| KeyFault::wrong(&folder.join(ACTIVE), "names a key that is not here"))?;
        Ok(Self { active, keys })
    }

    /// The number of the key that seals.
    #[must_use]
    pub fn active(&self) -> u32 {
        self.active
    }

    /// The numbers of the keys that only open.
    pub fn others(&self) -> impl Iterator<Item = u32> {
        self.keys.keys().copied().filter(|id| *id != self.active)
    }

    /// What every value begins with that this seals.
    #[must_use]
    pub fn head(&self) -> [u8; HEAD] {
        head(ENVELOPE, self.active)
    }

    /// Encrypts a value; its context, such as `totp_seed:<user id>`, is needed again to open it.
    pub fn seal(&self, plaintext: &[u8], context: &str) -> Result<Vec<u8>, SealFault> {
        let mut own = Zeroizing::new([0; KEY]);
        rand::fill(&mut *own).map_err(|_| SealFault)?;
        let value = lock(&single(&own)?, &place(context), plaintext)?;
        self.wrap(&own, &value)
    }

    /// Decrypts a value that was sealed for the same context.
    pub fn open(&self, sealed: &[u8], context: &str) -> Result<SecretSlice<u8>, SealFault> {
        let (head, rest) = sealed.split_first_chunk::<HEAD>().ok_or(SealFault)?;
        let plaintext = match head[0] {
            DIRECT => {
                let place = [head, context.as_bytes()].concat();
                unlock(self.key(*head)?, &place, rest)?
            }
            ENVELOPE => {
                let (own, value) = self.unwrap(*head, rest)?;
                unlock(&single(&own)?, &place(context), value)?
            }
            _ => return Err(SealFault),
        };
        Ok(SecretSlice::new(Box::from(&plaintext[..])))
    }

    /// The same value under the active key. One of version 1 is opened for it, for which its context is needed.
    pub fn reseal(&self, sealed: &[u8], context: Option<&str>) -> Result<Vec<u8>, SealFault> {
        let (head, rest) = sealed.split_first_chunk::<HEAD>().ok_or(SealFault)?;
        if head[0] == DIRECT {
            let context = context.ok_or(SealFault)?;
            return self.seal(self.open(sealed, context)?.expose_secret(), context);
        }
        let (own, value) = self.unwrap(*head, rest)?;
        self.wrap(&own, value)
    }

    fn wrap(&self, own: &[u8; KEY], value: &[u8]) -> Result<Vec<u8>, SealFault> {
        let head = self.head();
        let wrapped = lock(self.key(head)?, &head, own)?;
        Ok([&head[..], &wrapped, value].concat())
    }

    fn unwrap<'v>(
        &self,
        head: [u8; HEAD],
        rest: &'v [u8],
    ) -> Result<(Zeroizing<[u8; KEY]>, &'v [u8]), SealFault> {
        let (wrapped, value) = rest.split_first_chunk::<WRAPPED>().ok_or(SealFault)?;
        if head[0] != ENVELOPE {
            return Err(SealFault);
        }
        let own = unlock(self.key(head)?, &head, wrapped)?;
        let own = <[u8; KEY]>::try_from(&own[..]).map_err(|_| SealFault)?;
        Ok((Zeroizing::new(own), value))
    }

    fn key(&self, [_, id @ ..]: [u8; HEAD]) -> Result<&RandomizedNonceKey, SealFault> {
        self.keys.get(&u32::from_be_bytes(id)).ok_or(SealFault)
    }
}

/// The number of the key over a sealed value, by what it begins with.
#[must_use]
pub fn key_over(head: &[u8]) -> Option<u32> {
    let (_, id) = head.get(..HEAD)?.split_first_chunk::<1>()?;
    Some(u32::from_be_bytes(id.try_into().ok()?))
}

fn head(version: u8, key: u32) -> [u8; HEAD] {
    let [a, b, c, d] = key.to_be_bytes();
    [version, a, b, c, d]
}

fn place(context: &str) -> Vec<u8> {
    [&[ENVELOPE], context.as_bytes()].concat()
}

fn single(own: &[u8; KEY]) -> Result<RandomizedNonceKey, SealFault> {
    RandomizedNonceKey::new(&AES_256_GCM, own).map_err(|_| SealFault)
}

/// Nonce, ciphertext and tag.
pub(super) fn lock(
    key: &RandomizedNonceKey,
    place: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, SealFault> {
    let mut body = Vec::with_capacity(plaintext.len() + TAG);
    body.extend_from_slice(plaintext);
    let nonce = key.seal_in_place_append_tag(Aad::from(place), &mut body).map_err(|_| SealFault)?;
    Ok([&nonce.as_ref()[..], &body].concat())
}

pub(super) fn unlock(
    key: &RandomizedNonceKey,
    place: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealFault> {
    let (nonce, body) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(SealFault)?;
    let mut body = Zeroizing::new(body.to_vec());
    let length = key
        .open_in_place(Nonce::from(nonce), Aad::from(place), &mut body)
        .map_err(|_| SealFault)?
        .len();
    body.truncate(length);
    Ok(body)
}

pub(super) fn key_id(name: &str) -> Option<u32> {
    name.parse().ok().filter(|id: &u32| id.to_string() == name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sealer() -> Sealer {
        let key = RandomizedNonceKey::new(&AES_256_GCM, &[7; 32]).unwrap();
        Sealer { active: 1, keys: BTreeMap::from([(1, key)]) }
    }

    fn renew(one: &mut Sealer) {
        one.keys.insert(2, RandomizedNonceKey::new(&AES_256_GCM, &[8; 32]).unwrap());
        one.active = 2;
    }

    /// As the versions before sealed.
    fn direct(one: &Sealer, plaintext: &[u8], context: &str) -> Vec<u8> {
        let head = head(DIRECT, one.active);
        let place = [&head, context.as_bytes()].concat();
        [&head[..], &lock(&one.keys[&one.active], &place, plaintext).unwrap()].concat()
    }

    #[test]
    fn a_value_of_the_version_before_opens_and_is_sealed_anew() {
        let mut one = sealer();
        let old = direct(&one, b"plain", "totp:1");
        renew(&mut one);
        assert_eq!(one.open(&old, "totp:1").unwrap().expose_secret(), b"plain");
        assert!(one.open(&old, "totp:2").is_err() && one.reseal(&old, Some("totp:2")).is_err());
        assert!(one.reseal(&old, None).is_err());
        let new = one.reseal(&old, Some("totp:1")).unwrap();
        assert_eq!(new[..HEAD], [2, 0, 0, 0, 2]);
        assert_eq!(one.open(&new, "totp:1").unwrap().expose_secret(), b"plain");
    }

    #[test]
    fn another_key_over_a_value_leaves_the_value_and_its_place() {
        let mut one = sealer();
        let old = one.seal(b"plain", "here").unwrap();
        assert_eq!(key_over(&old), Some(1));
        renew(&mut one);
        let new = one.reseal(&old, None).unwrap();
        assert_eq!((key_over(&new), &new[HEAD + WRAPPED..]), (Some(2), &old[HEAD + WRAPPED..]));
        one.keys.remove(&1);
        assert_eq!(one.open(&new, "here").unwrap().expose_secret(), b"plain");
        assert!(one.open(&new, "there").is_err());
        assert!(one.open(&old, "here").is_err());
        assert!(one.reseal(&old, None).is_err());
    }

    #[test]
    fn no_two_values_share_a_key() {
        let one = sealer();
        let [a, b] = [one.seal(b"plain", "a").unwrap(), one.seal(b"plain", "b").unwrap()];
        let mixed = [&a[..HEAD + WRAPPED], &b[HEAD + WRAPPED..]].concat();
        assert!(one.open(&mixed, "b").is_err() && one.open(&mixed, "a").is_err());
    }

    #[test]
    fn a_sealed_value_opens_only_whole_and_in_its_place() {
        let one = sealer();
        let sealed = one.seal(b"plain", "totp:1").unwrap();
        assert_eq!(one.open(&sealed, "totp:1").unwrap().expose_secret(), b"plain");
        assert!(one.open(&sealed, "totp:2").is_err());
        assert!(one.open(&sealed, "").is_err());
        for bit in 0..sealed.len() * 8 {
            let mut flipped = sealed.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(one.open(&flipped, "totp:1").is_err(), "bit {bit}");
        }
        for length in 0..sealed.len() {
            assert!(one.open(&sealed[..length], "totp:1").is_err(), "length {length}");
        }
        assert_ne!(one.seal(b"plain", "totp:1").unwrap(), sealed);
    }

    #[test]
    fn an_old_key_still_opens_and_a_lost_one_does_not() {
        let mut one = sealer();
        let sealed = one.seal(b"plain", "here").unwrap();
        one.keys.insert(2, RandomizedNonceKey::new(&AES_256_GCM, &[8; 32]).unwrap());
        one.active = 2;
        assert!(one.open(&sealed, "here").is_ok());
        assert_eq!(one.seal(b"plain", "here").unwrap()[..5], [2, 0, 0, 0, 2]);
        one.keys.remove(&1);
        assert_eq!(one.open(&sealed, "here").unwrap_err(), SealFault);
    }

    proptest! {
        #[test]
        fn whatever_is_sealed_opens_again(plain: Vec<u8>, context in ".*", noise: Vec<u8>) {
            let one = sealer();
            let sealed = one.seal(&plain, &context).unwrap();
            let opened = one.open(&sealed, &context).unwrap();
            prop_assert_eq!(opened.expose_secret(), &plain[..]);
            prop_assert!(one.open(&noise, &context).is_err());
        }
    }
}
