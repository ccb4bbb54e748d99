//! Secrets in files that only their owner may read.

use std::{
    collections::BTreeMap,
    fs::{self, DirBuilder, File, OpenOptions, Permissions},
    io::{Read, Write},
    os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt},
    path::{Path, PathBuf},
};

use aws_lc_rs::rand;
use base64::{Engine, engine::general_purpose::STANDARD};
use secrecy::{SecretBox, zeroize::Zeroizing};

use super::KeyFault;

/// The file beside the keys that names the one in use; the others only verify and open.
pub(super) const ACTIVE: &str = "active";
const LARGEST_FILE: usize = 4096;

pub(super) fn random_base64() -> Result<Zeroizing<String>, KeyFault> {
    let mut bytes = Zeroizing::new([0; 32]);
    rand::fill(&mut *bytes)?;
    Ok(Zeroizing::new(STANDARD.encode(*bytes)))
}

pub(super) fn thirty_two_bytes(path: &Path, text: &str) -> Result<SecretBox<[u8; 32]>, KeyFault> {
    let wrong = || KeyFault::wrong(path, "does not hold 32 bytes in base64");
    let bytes = Zeroizing::new(STANDARD.decode(text).map_err(|_| wrong())?);
    let bytes = <&[u8; 32]>::try_from(&bytes[..]).map_err(|_| wrong())?;
    Ok(SecretBox::init_with(|| *bytes))
}

pub(super) struct Folder {
    pub(super) active: String,
    pub(super) files: BTreeMap<String, Zeroizing<String>>,
}

pub(super) fn read_folder(folder: &Path, extension: &str) -> Result<Folder, KeyFault> {
    check_folder(folder)?;
    let active = read_secret(&folder.join(ACTIVE))?.to_string();
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).map_err(|fault| KeyFault::io(folder, fault))? {
        let path = entry.map_err(|fault| KeyFault::io(folder, fault))?.path();
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        if name == ACTIVE || name.starts_with('.') {
            continue;
        }
        let (stem, _) = name
            .rsplit_once('.')
            .filter(|(_, found)| *found == extension)
            .ok_or_else(|| KeyFault::wrong(&path, "does not belong among the keys"))?;
        files.insert(stem.to_owned(), read_secret(&path)?);
    }
    Ok(Folder { active, files })
}

pub(super) fn read_secret(path: &Path) -> Result<Zeroizing<String>, KeyFault> {
    let unreadable = |fault| KeyFault::io(path, fault);
    let file = File::open(path).map_err(unreadable)?;
    let found = file.metadata().map_err(unreadable)?;
    let mode = found.permissions().mode() & 0o777;
    if !found.is_file() || found.len() > LARGEST_FILE as u64 {
        return Err(KeyFault::wrong(path, "is not a key file"));
    }
    if mode & 0o077 != 0 {
        return Err(KeyFault::Exposed { path: path.to_owned(), mode, needed: "0400" });
    }
    let mut text = Zeroizing::new(String::with_capacity(LARGEST_FILE));
    file.take(LARGEST_FILE as u64)
        .read_to_string(&mut text)
        .map_err(|_| KeyFault::wrong(path, "is not text"))?;
    Ok(Zeroizing::new(text.trim_ascii().to_owned()))
}

pub(super) fn write_secret(path: &Path, text: &str) -> Result<(), KeyFault> {
    OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.write_all(b"\n")?;
            file.sync_all()
        })
        .map_err(|fault| KeyFault::io(path, fault))
}

pub(super) fn check_folder(path: &Path) -> Result<(), KeyFault> {
    let found = fs::metadata(path).map_err(|fault| KeyFault::io(path, fault))?;
    let mode = found.permissions().mode() & 0o777;
    if !found.is_dir() {
        return Err(KeyFault::wrong(path, "is not a folder"));
    }
    if mode & 0o022 != 0 {
        return Err(KeyFault::Exposed { path: path.to_owned(), mode, needed: "0700" });
    }
    Ok(())
}

pub(super) fn empty_folder(path: &Path) -> Result<(), KeyFault> {
    let unwritable = |fault| KeyFault::io(path, fault);
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(unwritable)?;
    if fs::read_dir(path).map_err(unwritable)?.next().is_some() {
        return Err(KeyFault::Exists(path.to_owned()));
    }
    fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(unwritable)
}

pub(super) fn new_folder(parent: &Path, name: &str) -> Result<PathBuf, KeyFault> {
    let path = parent.join(name);
    DirBuilder::new().mode(0o700).create(&path).map_err(|fault| KeyFault::io(&path, fault))?;
    Ok(path)
}
