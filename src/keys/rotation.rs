//! Changing the keys that sign, so that no token is refused on the way (security rule KEY-2).

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    time::{Duration, SystemTime},
};

use aws_lc_rs::signature::Ed25519KeyPair;

use super::{
    AUDIT, KeyFault, SIGNING, SigningKeys,
    folder::{ACTIVE, Folder, new_folder, read_folder, read_secret, write_secret},
    signing::{PUBLIC, PublicKey, from_pem, to_pem},
};

/// How long a key is published before it signs, so that whoever verifies our tokens has read it; and how long it is kept
/// after its last use.
pub const NOTICE: Duration = Duration::from_hours(24);

/// What was done to the keys.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Change {
    /// The key that is now published and does not sign yet.
    pub published: Option<String>,
    /// The key that signs from now on.
    pub signing: Option<String>,
    /// The keys that are gone: tokens that name them are refused.
    pub removed: Vec<String>,
}

/// Does what is due: publishes a next key where there is none, lets it sign once it has been published for a day, and
/// removes a key a day after its last use. Run it daily; running it more often changes nothing.
pub fn rotate(dir: &Path, now: SystemTime) -> Result<Change, KeyFault> {
    step(&dir.join(SIGNING), now, remove)
}

/// The same for the keys that sign the roots of the audit, whose public halves are kept, since what they signed is verified for
/// years. In a folder of secrets that has none yet it makes the first.
pub fn rotate_roots(dir: &Path, now: SystemTime) -> Result<Change, KeyFault> {
    let folder = dir.join(AUDIT);
    if folder.exists() {
        return step(&folder, now, keep_public);
    }
    new_folder(dir, AUDIT)?;
    let kid = publish(&folder)?;
    write_secret(&folder.join(ACTIVE), &kid)?;
    Ok(Change { signing: Some(kid), ..Change::default() })
}

fn step(
    folder: &Path,
    now: SystemTime,
    retire: fn(&Path, &str) -> Result<bool, KeyFault>,
) -> Result<Change, KeyFault> {
    let held = Held::read(folder)?;
    let old_enough =
        |since: SystemTime| now.duration_since(since).is_ok_and(|elapsed| elapsed >= NOTICE);
    let mut change = Change::default();
    if old_enough(held.active_since) {
        for kid in held.retired() {
            if retire(&held.folder, kid)? {
                change.removed.push(kid.clone());
            }
        }
    }
    match held.next() {
        None => {
            let kid = publish(&held.folder)?;
            date(&held.folder.join(format!("{kid}.pem")), now)?;
            change.published = Some(kid);
        }
        Some((kid, since)) if old_enough(since) => {
            activate(&held.folder, kid)?;
            date(&held.folder.join(ACTIVE), now)?;
            change.signing = Some(kid.to_owned());
        }
        Some(_) => {}
    }
    Ok(change)
}

/// Removes a key at once, as when it may be known to somebody else. Where it signs, the next key signs in its place, or a
/// new one, which others have had no time to read.
pub fn revoke(dir: &Path, kid: &str) -> Result<Change, KeyFault> {
    let held = Held::read(&dir.join(SIGNING))?;
    if !held.since.contains_key(kid) {
        return Err(KeyFault::wrong(&held.folder, "holds no key of this id"));
    }
    let mut change = Change { removed: vec![kid.to_owned()], ..Change::default() };
    if held.active == kid {
        let next = match held.next() {
            Some((next, _)) => next.to_owned(),
            None => publish(&held.folder)?,
        };
        activate(&held.folder, &next)?;
        change.signing = Some(next);
    }
    remove(&held.folder, kid)?;
    Ok(change)
}

/// The signing keys of a folder of secrets, and whether they have changed since they were read.
#[derive(Debug)]
pub struct Watch {
    folder: std::path::PathBuf,
    seen: Option<(BTreeMap<String, SystemTime>, String)>,
}

impl Watch {
    /// Begins with the keys of tokens that are there now.
    #[must_use]
    pub fn of(dir: &Path) -> Self {
        Self::over(dir.join(SIGNING))
    }

    /// Begins with the keys of roots that are there now.
    #[must_use]
    pub fn of_roots(dir: &Path) -> Self {
        Self::over(dir.join(AUDIT))
    }

    fn over(folder: std::path::PathBuf) -> Self {
        let seen = Held::read(&folder).ok().map(|held| (held.since, held.active));
        Self { folder, seen }
    }

    /// The keys, where others are there than at the last call.
    pub fn changed(&mut self) -> Result<Option<SigningKeys>, KeyFault> {
        let held = Held::read(&self.folder)?;
        let found = Some((held.since, held.active));
        if found == self.seen {
            return Ok(None);
        }
        let keys = SigningKeys::load(&self.folder)?;
        self.seen = found;
        Ok(Some(keys))
    }
}

/// The keys that are there, since when, and which signs.
struct Held {
    folder: std::path::PathBuf,
    active: String,
    active_since: SystemTime,
    since: BTreeMap<String, SystemTime>,
}

impl Held {
    fn read(folder: &Path) -> Result<Self, KeyFault> {
        let folder = folder.to_owned();
        let Folder { active, files } = read_folder(&folder, "pem")?;
        let since = files
            .into_keys()
            .map(|kid| Ok((modified(&folder.join(format!("{kid}.pem")))?, kid)))
            .map(|found| found.map(|(at, kid)| (kid, at)))
            .collect::<Result<_, KeyFault>>()?;
        let active_since = modified(&folder.join(ACTIVE))?;
        Ok(Self { folder, active, active_since, since })
    }

    /// Keys that signed before: older than the choice of the one that signs.
    fn retired(&self) -> impl Iterator<Item = &String> {
        let others = self.since.iter().filter(|(kid, _)| **kid != self.active);
        others.filter(|(_, since)| **since <= self.active_since).map(|(kid, _)| kid)
    }

    /// The key that is published to sign next.
    fn next(&self) -> Option<(&str, SystemTime)> {
        let others = self.since.iter().filter(|(kid, _)| **kid != self.active);
        let newer = others.filter(|(_, since)| **since > self.active_since);
        newer.min_by_key(|(_, since)| **since).map(|(kid, since)| (kid.as_str(), *since))
    }
}

fn modified(path: &Path) -> Result<SystemTime, KeyFault> {
    fs::metadata(path).and_then(|found| found.modified()).map_err(|fault| KeyFault::io(path, fault))
}

/// Sets since when a file stands as it is: by the clock that asks for its age, which is finer than that of the file system.
fn date(path: &Path, at: SystemTime) -> Result<(), KeyFault> {
    let file = fs::File::options().write(true).open(path);
    file.and_then(|file| file.set_modified(at)).map_err(|fault| KeyFault::io(path, fault))
}

/// Makes a key and says its id.
pub(super) fn publish(folder: &Path) -> Result<String, KeyFault> {
    let pair = Ed25519KeyPair::generate()?;
    let kid = PublicKey::of(&pair)?.kid;
    write_secret(&folder.join(format!("{kid}.pem")), &to_pem(&pair)?)?;
    Ok(kid)
}

/// Names the key that signs or seals, in one step: a reader finds the old name or the new one.
pub(super) fn activate(folder: &Path, kid: &str) -> Result<(), KeyFault> {
    let (new, active) = (folder.join(".active.new"), folder.join(ACTIVE));
    let _ = fs::remove_file(&new);
    write_secret(&new, kid)?;
    fs::rename(&new, &active).map_err(|fault| KeyFault::io(&active, fault))
}

fn remove(folder: &Path, kid: &str) -> Result<bool, KeyFault> {
    let path = folder.join(format!("{kid}.pem"));
    fs::remove_file(&path).map_err(|fault| KeyFault::io(&path, fault))?;
    Ok(true)
}

/// Puts the public half of a key in its place, in one step; says whether that was to be done.
fn keep_public(folder: &Path, kid: &str) -> Result<bool, KeyFault> {
    let path = folder.join(format!("{kid}.pem"));
    let text = read_secret(&path)?;
    let Some(pair) = from_pem(&text) else { return Ok(false) };
    let (new, since) = (folder.join(".public.new"), modified(&path)?);
    let _ = fs::remove_file(&new);
    write_secret(&new, &format!("{PUBLIC}{}", PublicKey::of(&pair)?.x))?;
    date(&new, since)?;
    fs::rename(&new, &path).map_err(|fault| KeyFault::io(&path, fault))?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::keys::Keys;

    struct Dir(std::path::PathBuf);

    impl Dir {
        fn new() -> Self {
            let name = format!("contactpoint-rotation-{}", uuid::Uuid::new_v4());
            let dir = Self(std::env::temp_dir().join(name));
            Keys::generate(&dir.0).unwrap();
            dir
        }

        fn keys(&self) -> SigningKeys {
            Keys::load(&self.0).unwrap().signing
        }

        /// Lets a day go by for every file.
        fn a_day_later(&self) {
            for entry in fs::read_dir(self.0.join(SIGNING)).unwrap() {
                let file = File::open(entry.unwrap().path()).unwrap();
                let before = file.metadata().unwrap().modified().unwrap();
                file.set_modified(before - NOTICE).unwrap();
            }
        }

        fn rotate(&self) -> Change {
            rotate(&self.0, SystemTime::now()).unwrap()
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).ok();
        }
    }

    #[test]
    fn a_key_is_published_a_day_signs_and_is_kept_a_day() {
        let dir = Dir::new();
        let first = dir.keys().active().to_owned();
        let next = dir.rotate().published.unwrap();
        assert_eq!(dir.rotate(), Change::default(), "run again, it changes nothing");
        assert_eq!(dir.keys().active(), first);
        assert!(dir.keys().knows(&next) && dir.keys().jwks().keys.len() == 2);

        dir.a_day_later();
        assert_eq!(dir.rotate().signing.as_deref(), Some(next.as_str()));
        assert_eq!(dir.keys().active(), next);
        assert!(dir.keys().knows(&first), "tokens of the old key are still good");

        let third = dir.rotate();
        assert!(third.published.is_some() && third.removed.is_empty());
        dir.a_day_later();
        assert_eq!(dir.rotate().removed, [first.as_str()]);
        assert!(!dir.keys().knows(&first) && dir.keys().knows(&next));
    }

    #[test]
    fn a_key_of_roots_that_signs_no_more_still_verifies() {
        let dir = Dir::new();
        let keys = || Keys::load(&dir.0).unwrap().roots;
        let first = keys().active().to_owned();
        let (now, signature) = (SystemTime::now(), keys().sign(b"root").unwrap());
        let next = rotate_roots(&dir.0, now).unwrap().published.unwrap();
        let later = |days: u32| now + NOTICE * days;
        assert_eq!(rotate_roots(&dir.0, later(1)).unwrap().signing, Some(next.clone()));
        let soon_after = later(1) + Duration::from_secs(1);
        assert!(rotate_roots(&dir.0, soon_after).unwrap().published.is_some());
        assert_eq!(rotate_roots(&dir.0, later(2)).unwrap().removed, [first.as_str()]);
        assert!(keys().verify(&first, b"root", &signature));
        let text = fs::read_to_string(dir.0.join(AUDIT).join(format!("{first}.pem"))).unwrap();
        assert!(text.starts_with(PUBLIC));
        assert_ne!(dir.keys().active(), next, "tokens are signed by others");
        fs::remove_dir_all(dir.0.join(AUDIT)).unwrap();
        assert!(rotate_roots(&dir.0, now).unwrap().signing.is_some());
    }

    #[test]
    fn a_revoked_key_is_gone_and_another_signs() {
        let dir = Dir::new();
        let first = dir.keys().active().to_owned();
        let change = revoke(&dir.0, &first).unwrap();
        assert_eq!(dir.keys().active(), change.signing.unwrap());
        assert!(!dir.keys().knows(&first));
        assert!(revoke(&dir.0, &first).is_err());

        let next = dir.rotate().published.unwrap();
        let second = dir.keys().active().to_owned();
        assert_eq!(revoke(&dir.0, &second).unwrap().signing, Some(next));
    }

    #[test]
    fn a_change_of_the_keys_is_seen_once() {
        let dir = Dir::new();
        let mut watch = Watch::of(&dir.0);
        assert!(watch.changed().unwrap().is_none());
        let next = dir.rotate().published.unwrap();
        assert!(watch.changed().unwrap().unwrap().knows(&next));
        assert!(watch.changed().unwrap().is_none());
    }
}
