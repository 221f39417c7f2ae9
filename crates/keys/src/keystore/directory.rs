//! A folder of keystore files, each under a name: `<folder>/<name>.json`.

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

use alloy_primitives::Address;
use rand_core::CryptoRng;

use super::{Keystore, KeystoreError as Error};
use crate::{FileError, Secret, SecretKey, file};

/// Most keys of one folder that are listed.
const KEYS_MAX: usize = 1000;

/// What a key is called here: 1 to 64 of `a-z`, `0-9`, `-`, `_` and `.`, beginning with a letter or digit. So it is a file name
/// everywhere, and none that leads elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Name(String);

/// A text that names no key.
#[derive(Debug, thiserror::Error)]
#[error("a key's name has 1 to 64 of a-z, 0-9, - _ and ., and begins with a letter or digit")]
pub struct NameError;

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
        let fits = (1..=64).contains(&text.len())
            && text.bytes().next().is_some_and(plain)
            && text
                .bytes()
                .all(|byte| plain(byte) || matches!(byte, b'-' | b'_' | b'.'));
        fits.then(|| Self(text.to_owned())).ok_or(NameError)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A folder of keystore files.
#[derive(Clone, Debug)]
pub struct Directory(PathBuf);

/// A key in a folder.
#[derive(Debug)]
pub struct Listed {
    /// What it is called.
    pub name: Name,
    /// Whose key the file says it is, if it says so; or why it is no keystore.
    pub address: Result<Option<Address>, Error>,
}

impl Directory {
    /// The folder, which need not be there yet.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self(path.into())
    }

    /// Which file holds a key.
    pub fn path(&self, name: &Name) -> PathBuf {
        self.0.join(format!("{name}.json"))
    }

    /// Makes a new key and its file.
    pub fn create(
        &self,
        name: &Name,
        password: &Secret,
        rng: &mut impl CryptoRng,
    ) -> Result<SecretKey, Error> {
        let key = SecretKey::random(rng);
        self.import(name, &key, password, rng)?;
        Ok(key)
    }

    /// Writes a file for a key. A file of that name is never replaced.
    pub fn import(
        &self,
        name: &Name,
        key: &SecretKey,
        password: &Secret,
        rng: &mut impl CryptoRng,
    ) -> Result<(), Error> {
        let path = self.path(name);
        // Sooner than after a second of scrypt; that nothing is replaced is seen to below.
        if path.exists() {
            return Err(FileError::Exists { path }.into());
        }
        let keystore = Keystore::encrypt(key, password, rng)?;
        self.write(name, &keystore)
    }

    pub(super) fn write(&self, name: &Name, keystore: &Keystore) -> Result<(), Error> {
        file::create_folder(&self.0)?;
        file::create(&self.path(name), keystore.to_json().as_bytes())?;
        Ok(())
    }

    /// Reads the file of a key, without opening it.
    pub fn read(&self, name: &Name) -> Result<Keystore, Error> {
        Keystore::read(&self.path(name))
    }

    /// All keys in the folder by name, at most 1,000; none if there is no folder. Files that are no keystores are among them, files
    /// whose names are none of keys are not.
    pub fn list(&self) -> Result<Vec<Listed>, Error> {
        let names = file::names(&self.0)?;
        let names = names.iter().filter_map(|name| {
            let name = name.strip_suffix(".json")?;
            Name::from_str(name).ok()
        });
        let listed = names.take(KEYS_MAX).map(|name| Listed {
            address: self.read(&name).and_then(|keystore| keystore.address()),
            name,
        });
        Ok(listed.collect())
    }
}

impl Keystore {
    /// Reads a keystore file, which only its owner may read, without opening it.
    pub fn read(path: &Path) -> Result<Self, Error> {
        Self::parse(&file::read(path, Self::BYTES_MAX)?)
    }
}

#[cfg(all(test, unix))]
mod tests;
