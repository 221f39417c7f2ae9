//! What a claim is about, and where it stands, as `Disputes` names it.

use alloy_primitives::B256;
use core::fmt;

/// What a claim is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A record, by its id.
    Record(B256),
    /// A transaction, by its hash.
    Transaction(B256),
}

impl Subject {
    /// The `IDisputes.Kind` and the subject of it.
    pub const fn encode(&self) -> (u8, B256) {
        match self {
            Self::Record(id) => (0, *id),
            Self::Transaction(hash) => (1, *hash),
        }
    }

    /// Reads what [`Self::encode`] gives. None for a kind that this version does not know.
    pub const fn decode(kind: u8, subject: B256) -> Option<Self> {
        match kind {
            0 => Some(Self::Record(subject)),
            1 => Some(Self::Transaction(subject)),
            _ => None,
        }
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Record(id) => write!(f, "the record {id}"),
            Self::Transaction(hash) => write!(f, "the transaction {hash}"),
        }
    }
}

/// The name of an `IDisputes.State`, in lower case.
pub fn state(state: u8) -> &'static str {
    const NAMES: [&str; 9] = [
        "none",
        "answering",
        "voting",
        "withdrawn",
        "dismissed",
        "undecided",
        "upheld",
        "overdue",
        "compensated",
    ];
    NAMES.get(usize::from(state)).copied().unwrap_or("unknown")
}
