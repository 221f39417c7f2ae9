use std::{path::PathBuf, sync::Arc};

use alloy_primitives::B256;
use rusqlite::ErrorCode;

/// What went wrong with the database, and what to do. Cloneable, because one failed commit fails many callers.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Another process works on this directory.
    #[error(
        "{} is in use by another gateway{}; stop that one first, or choose another data directory",
        dir.display(),
        pid.as_deref().map(|pid| format!(" (process {pid})")).unwrap_or_default()
    )]
    InUse {
        /// The data directory.
        dir: PathBuf,
        /// The process that holds it, as far as it told.
        pid: Option<String>,
    },
    /// The file belongs to another network.
    #[error(
        "{} belongs to the network with chain id {found_chain_id} and genesis {found_genesis}, not to \
         chain id {chain_id} and genesis {genesis}; choose another data directory or the right network",
        path.display()
    )]
    OtherNetwork {
        /// The database.
        path: PathBuf,
        /// The chain id in it.
        found_chain_id: u64,
        /// The genesis hash in it.
        found_genesis: B256,
        /// The chain id asked for.
        chain_id: u64,
        /// The genesis hash asked for.
        genesis: B256,
    },
    /// The records in the file were made under another on-chain account, so their ids would differ.
    #[error(
        "{} belongs to the organization {found} on chain, but the relayer key is that of {organization}; \
         restore the relayer key that belongs to this directory",
        path.display()
    )]
    OtherOrganization {
        /// The database.
        path: PathBuf,
        /// The organization in it.
        found: B256,
        /// The organization asked for.
        organization: B256,
    },
    /// The content in the file was sealed under another master key.
    #[error(
        "the content in {} was sealed under another master key; restore the master key file that belongs \
         to this directory",
        path.display()
    )]
    OtherMasterKey {
        /// The database.
        path: PathBuf,
    },
    /// A newer release wrote the file.
    #[error(
        "{} has schema version {found}, this release knows versions up to {known}; run a newer release, \
         or restore the backup made before the upgrade",
        path.display()
    )]
    TooNew {
        /// The database.
        path: PathBuf,
        /// The version in it.
        found: i64,
        /// The newest version known.
        known: i64,
    },
    /// The file is a SQLite database, but not one of ours.
    #[error("{} is not an Ashlar gateway database; choose another data directory", path.display())]
    NotOurs {
        /// The file.
        path: PathBuf,
    },
    /// The file is damaged.
    #[error(
        "the database is damaged ({detail}); keep the file for analysis, then restore a backup: records \
         that became final after it are found again on the chain"
    )]
    Corrupt {
        /// What SQLite found.
        detail: String,
    },
    /// No space is left, on the disk or under the configured limit. Nothing was written.
    #[error(
        "no space left for the database ({detail}); free some disk space or raise the configured limit"
    )]
    Full {
        /// What SQLite said.
        detail: String,
    },
    /// The operating system failed to read or write. Nothing was acknowledged.
    #[error(
        "the disk failed ({detail}); check the device and the permissions of the data directory"
    )]
    Disk {
        /// What failed.
        detail: String,
    },
    /// Too many writes are waiting.
    #[error("too many writes are waiting; try again shortly")]
    Busy,
    /// The writer thread has ended; the process is going down or the disk failed before.
    #[error("the database writer has stopped")]
    Stopped,
    /// A statement would have broken a rule of the schema: an error of ours.
    #[error("refused by the journal's rules: {detail}")]
    Rule {
        /// The rule.
        detail: String,
    },
    /// Any other answer of SQLite.
    #[error("SQLite failed")]
    Sqlite(#[source] Arc<rusqlite::Error>),
}

impl Error {
    /// Whether storage itself failed, so that nothing in the same transaction can be kept.
    pub fn is_storage(&self) -> bool {
        matches!(
            self,
            Self::Corrupt { .. } | Self::Full { .. } | Self::Disk { .. } | Self::Sqlite(_)
        )
    }

    /// Whether the same call may succeed later without anyone repairing anything but space.
    pub fn is_retryable(&self) -> bool {
        matches!(self, Self::Full { .. } | Self::Busy)
    }

    pub(crate) fn rule(detail: impl Into<String>) -> Self {
        Self::Rule {
            detail: detail.into(),
        }
    }
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        let detail = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::Full { detail },
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt { detail },
            Some(
                ErrorCode::SystemIoFailure
                | ErrorCode::CannotOpen
                | ErrorCode::ReadOnly
                | ErrorCode::PermissionDenied,
            ) => Self::Disk { detail },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy,
            Some(ErrorCode::ConstraintViolation) => Self::Rule { detail },
            _ => Self::Sqlite(Arc::new(error)),
        }
    }
}

impl From<rusqlite::types::FromSqlError> for Error {
    fn from(error: rusqlite::types::FromSqlError) -> Self {
        Self::Corrupt {
            detail: error.to_string(),
        }
    }
}
