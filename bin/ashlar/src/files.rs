//! Files of a network on disk: secrets for their owner only, writes that are whole or not there.

use anyhow::{Context as _, Result, bail};
use sha2::{Digest as _, Sha256};
use std::{
    fs::{self, File, OpenOptions, TryLockError},
    io::{self, ErrorKind, Read as _, Seek as _, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

/// Writes a file that only its owner may read, whole or not at all, durable on return.
pub fn write_secret(path: &Path, content: &[u8]) -> Result<()> {
    write(path, content, 0o600)
}

/// Writes a file anyone may read, whole or not at all, durable on return.
pub fn write_public(path: &Path, content: &[u8]) -> Result<()> {
    write(path, content, 0o644)
}

/// The SHA-256 of a file, of any size.
pub fn sha256(path: &Path) -> io::Result<[u8; 32]> {
    let (mut hasher, mut file) = (Sha256::new(), File::open(path)?);
    let mut buffer = vec![0; 1 << 16];
    loop {
        match file.read(&mut buffer)? {
            0 => return Ok(hasher.finalize().into()),
            count => hasher.update(buffer.get(..count).unwrap_or_default()),
        }
    }
}

fn write(path: &Path, content: &[u8], mode: u32) -> Result<()> {
    let parent = path.parent().context("a file needs a folder")?;
    let name = path
        .file_name()
        .context("a file needs a name")?
        .to_string_lossy();
    let draft = parent.join(format!(".{name}.draft"));
    let _ = fs::remove_file(&draft);
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(mode)
        .open(&draft)
        .with_context(|| format!("cannot write {}", draft.display()))?;
    file.write_all(content)?;
    file.sync_all()?;
    fs::rename(&draft, path).with_context(|| format!("cannot write {}", path.display()))?;
    File::open(parent)?.sync_all()?;
    Ok(())
}

/// Overwrites a secret and removes its file, durably.
pub fn erase(path: &Path) -> Result<()> {
    let erased = || -> io::Result<()> {
        let mut file = OpenOptions::new().write(true).open(path)?;
        let length = usize::try_from(file.metadata()?.len()).unwrap_or_default();
        file.write_all(&vec![0; length])?;
        file.sync_all()?;
        fs::remove_file(path)?;
        File::open(path.parent().unwrap_or_else(|| Path::new(".")))?.sync_all()
    };
    erased().with_context(|| format!("cannot erase {}: remove it yourself", path.display()))
}

/// Reads a secret, refusing a file that others could have read.
pub fn read_secret(path: &Path) -> Result<String> {
    let file = path.display();
    let mode = fs::metadata(path)
        .with_context(|| format!("cannot read the key file {file}"))?
        .permissions()
        .mode();
    if mode & 0o077 != 0 {
        bail!(
            "the key file {file} can be read by others (mode {:o}): run chmod 600 {file}",
            mode & 0o777
        );
    }
    fs::read_to_string(path).with_context(|| format!("cannot read the key file {file}"))
}

/// Holds a directory for one process. The lock ends with the process, however it ends.
#[derive(Debug)]
pub struct DirectoryLock {
    _file: File,
}

impl DirectoryLock {
    /// Which process holds a directory, if any. Changes nothing.
    pub fn holder(directory: &Path) -> Result<Option<String>> {
        let path = directory.join("lock");
        let mut file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot open {}", path.display()));
            }
        };
        match file.try_lock_shared() {
            Ok(()) => Ok(None),
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                file.read_to_string(&mut owner)?;
                Ok(Some(owner.trim().to_owned()))
            }
            Err(TryLockError::Error(error)) => {
                Err(error).with_context(|| format!("cannot lock {}", path.display()))
            }
        }
    }

    /// Takes the directory, creating it if needed.
    pub fn take(directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
        let path = directory.join("lock");
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .with_context(|| format!("cannot open {}", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut owner = String::new();
                let _ = file.read_to_string(&mut owner);
                bail!(
                    "the directory {} is in use by process {}: stop that one first, or use another --dir",
                    directory.display(),
                    owner.trim(),
                );
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("cannot lock {}", path.display()));
            }
        }
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())?;
        Ok(Self { _file: file })
    }
}

/// `path`, taken relative to the folder of `file` if it is relative.
pub fn beside(file: &Path, path: &Path) -> PathBuf {
    file.parent().unwrap_or_else(|| Path::new(".")).join(path)
}
