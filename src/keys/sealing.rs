//! Changing the key over sealed values, while the service runs (security rule D-6).

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use super::{
    KeyFault, SEALING, Sealer,
    folder::{ACTIVE, Folder, random_base64, read_folder, write_secret},
    rotation::activate as name,
    sealer::key_id,
};

/// Puts the next key beside the others, which does not seal yet, and says its number. One that is there already is the next.
pub fn publish(dir: &Path) -> Result<u32, KeyFault> {
    let held = Held::read(dir)?;
    if let Some(next) = held.keys.range(held.active.saturating_add(1)..).next() {
        return Ok(*next);
    }
    let next = held.active.checked_add(1).ok_or(KeyFault::Library)?;
    let (new, path) = (held.folder.join(".key.new"), held.path(next));
    let _ = fs::remove_file(&new);
    write_secret(&new, &random_base64()?)?;
    fs::rename(&new, &path).map_err(|fault| KeyFault::io(&path, fault))?;
    Ok(next)
}

/// Lets a key seal, in one step; the others only open from now on.
pub fn activate(dir: &Path, key: u32) -> Result<(), KeyFault> {
    let held = Held::read(dir)?;
    if !held.keys.contains(&key) {
        return Err(KeyFault::wrong(&held.path(key), "is not here"));
    }
    name(&held.folder, &key.to_string())
}

/// Removes a key that sealed before; what is sealed under it can never be opened again.
pub fn retire(dir: &Path, key: u32) -> Result<(), KeyFault> {
    let held = Held::read(dir)?;
    let path = held.path(key);
    if key >= held.active {
        return Err(KeyFault::wrong(&path, "is in use"));
    }
    fs::remove_file(&path).map_err(|fault| KeyFault::io(&path, fault))
}

/// The sealing keys of a folder of secrets, and whether they have changed since they were read.
#[derive(Debug)]
pub struct Watch {
    dir: PathBuf,
    seen: Option<(u32, BTreeSet<u32>)>,
}

impl Watch {
    /// Begins with what is there now.
    #[must_use]
    pub fn of(dir: &Path) -> Self {
        let seen = Held::read(dir).ok().map(|held| (held.active, held.keys));
        Self { dir: dir.to_owned(), seen }
    }

    /// The keys, where others are there than at the last call.
    pub fn changed(&mut self) -> Result<Option<Sealer>, KeyFault> {
        let held = Held::read(&self.dir)?;
        let found = Some((held.active, held.keys));
        if found == self.seen {
            return Ok(None);
        }
        let sealer = Sealer::of(&self.dir)?;
        self.seen = found;
        Ok(Some(sealer))
    }
}

struct Held {
    folder: PathBuf,
    active: u32,
    keys: BTreeSet<u32>,
}

impl Held {
    fn read(dir: &Path) -> Result<Self, KeyFault> {
        let folder = dir.join(SEALING);
        let Folder { active, files } = read_folder(&folder, "key")?;
        let active = key_id(&active)
            .ok_or_else(|| KeyFault::wrong(&folder.join(ACTIVE), "names a key that is not here"))?;
        let keys = files.keys().filter_map(|name| key_id(name)).collect();
        Ok(Self { folder, active, keys })
    }

    fn path(&self, key: u32) -> PathBuf {
        self.folder.join(format!("{key}.key"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::Keys;

    struct Dir(PathBuf);

    impl Dir {
        fn new() -> Self {
            let name = format!("contactpoint-sealing-{}", uuid::Uuid::new_v4());
            let dir = Self(std::env::temp_dir().join(name));
            Keys::generate(&dir.0).unwrap();
            dir
        }
    }

    impl Drop for Dir {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).ok();
        }
    }

    #[test]
    fn a_key_opens_before_it_seals_and_after() {
        let dir = Dir::new();
        let old = Sealer::of(&dir.0).unwrap();
        let next = publish(&dir.0).unwrap();
        assert_eq!(publish(&dir.0).unwrap(), next, "run again, it makes no other");
        let both = Sealer::of(&dir.0).unwrap();
        assert_eq!((both.active(), both.others().collect::<Vec<_>>()), (1, vec![2]));
        activate(&dir.0, next).unwrap();
        let new = Sealer::of(&dir.0).unwrap();
        assert_eq!((new.active(), new.others().collect::<Vec<_>>()), (2, vec![1]));
        assert!(new.open(&old.seal(b"plain", "here").unwrap(), "here").is_ok());
        assert!(both.open(&new.seal(b"plain", "here").unwrap(), "here").is_ok());
        assert!(activate(&dir.0, 9).is_err());
    }

    #[test]
    fn only_a_key_that_sealed_before_is_removed_and_its_number_does_not_come_back() {
        let dir = Dir::new();
        assert!(retire(&dir.0, 1).is_err());
        let next = publish(&dir.0).unwrap();
        assert!(retire(&dir.0, next).is_err(), "it is about to seal");
        activate(&dir.0, next).unwrap();
        retire(&dir.0, 1).unwrap();
        assert!(retire(&dir.0, 1).is_err());
        assert_eq!(Sealer::of(&dir.0).unwrap().others().count(), 0);
        assert_eq!(publish(&dir.0).unwrap(), 3);
    }

    #[test]
    fn a_change_of_the_keys_is_seen_once() {
        let dir = Dir::new();
        let mut watch = Watch::of(&dir.0);
        assert!(watch.changed().unwrap().is_none());
        let next = publish(&dir.0).unwrap();
        assert_eq!(watch.changed().unwrap().unwrap().active(), 1);
        assert!(watch.changed().unwrap().is_none());
        activate(&dir.0, next).unwrap();
        assert_eq!(watch.changed().unwrap().unwrap().active(), next);
        retire(&dir.0, 1).unwrap();
        assert_eq!(watch.changed().unwrap().unwrap().others().count(), 0);
    }
}
