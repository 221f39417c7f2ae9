//! A password, or a PIN.

use std::{fmt, path::Path};

use zeroize::Zeroizing;

use crate::{FileError, file};

/// Longest secret that is read from a file.
const BYTES_MAX: usize = 1024;

/// A secret that somebody chose: a password, or a PIN. It is wiped when dropped, and cannot be printed.
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes a secret from bytes.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// Reads it from a file that only its owner may read, of at most 1,024 bytes. Line ends after it are not part of it.
    pub fn read(path: &Path) -> Result<Self, FileError> {
        let mut bytes = file::read(path, BYTES_MAX)?;
        while let Some(b'\n' | b'\r') = bytes.last() {
            bytes.pop();
        }
        Ok(Self(bytes))
    }

    /// How many bytes it has.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}
