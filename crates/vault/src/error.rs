use std::{io, path::PathBuf};

/// Why a secret could not be used. No variant carries secret bytes.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The sealed bytes are damaged, belong to another record or part, or were sealed under another key.
    #[error("the sealed bytes do not open: they are damaged, or belong to another record or key")]
    DoesNotOpen,
    /// More bytes than the cipher takes in one message.
    #[error("the plaintext is too long to seal")]
    TooLong,
    /// The secret file can be read by others.
    #[error(
        "{} is readable by other users (mode {mode:04o}); run: chmod 600 {}",
        path.display(),
        path.display()
    )]
    FileIsShared {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file is not 32 bytes in hexadecimal.
    #[error(
        "{} is not a secret file: it must hold 64 hexadecimal digits (32 bytes); restore it from a backup",
        path.display()
    )]
    FileIsMalformed {
        /// The file.
        path: PathBuf,
    },
    /// The file could not be read or written.
    #[error("cannot {action} {}", path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's answer.
        source: io::Error,
    },
}

impl Error {
    /// Whether the secret file is simply not there (and may be created).
    pub fn is_missing_file(&self) -> bool {
        matches!(self, Self::File { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}
