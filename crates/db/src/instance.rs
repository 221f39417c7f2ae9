//! One gateway per data directory: a second one would race for nonces and write a second journal.

use std::{
    fs::{File, OpenOptions, TryLockError},
    io::{Read as _, Seek as _, Write as _},
    path::Path,
};

use crate::Error;

/// Name of the lock file. It stays when the process ends; only the operating system's lock on it counts.
const FILE: &str = "gateway.lock";

/// Holds the directory until dropped (or until the process dies, however it dies).
#[derive(Debug)]
pub(crate) struct Instance {
    _lock: File,
}

impl Instance {
    pub(crate) fn acquire(dir: &Path) -> Result<Self, Error> {
        let path = dir.join(FILE);
        let failed = |error: std::io::Error| Error::Disk {
            detail: format!("{}: {error}", path.display()),
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut pid = String::new();
                let _ = (&mut file).take(20).read_to_string(&mut pid);
                let pid = pid.trim();
                let pid = (!pid.is_empty()).then(|| pid.to_owned());
                return Err(Error::InUse {
                    dir: dir.to_owned(),
                    pid,
                });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| write!(file, "{}", std::process::id()))
            .map_err(failed)?;
        Ok(Self { _lock: file })
    }
}
