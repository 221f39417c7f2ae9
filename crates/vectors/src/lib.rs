//! Ethereum's official test vectors, run through our executor: the code path that blocks take.
//!
//! Whoever follows the vectors' rules executes what Ethereum executes. Our own header rules, state
//! database and consensus play no part here: the vectors have Ethereum's, so this crate brings
//! Ethereum's header rules, proof-of-work difficulty and state root, for this purpose only.
//!
//! ```text
//! DIR ──► suite: files, on all cores ──► state | blockchain | transaction | rlp | trie ──► Report
//!                                            │
//!                         evm::ethereum::Environment::executor, run, finish
//! ```
//!
//! [`import`] takes a chain in the same way and gives what each of its blocks did, so that a test can serve it.
//!
//! This crate must not know QMDB, consensus or the command line. No node may use it.

mod blockchain;
mod body;
mod chain;
mod dao;
mod difficulty;
mod exclusion;
mod execution;
mod fork;
mod header;
mod import;
mod json;
mod refusal;
mod report;
mod rlp;
mod state;
mod suite;
mod transaction;
mod trie;
mod world;

pub use import::{Import, ImportError, ImportedBlock, import};
pub use report::{Named, Report};

use std::{
    fmt,
    path::{Path, PathBuf},
    str::FromStr,
};

/// Which of the formats of ethereum/tests a directory holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// GeneralStateTests: one transaction on a state.
    State,
    /// BlockchainTests: blocks on a genesis.
    Blockchain,
    /// TransactionTests: bytes that are a transaction, or not, by fork.
    Transaction,
    /// RLPTests: bytes that are RLP, or not.
    Rlp,
    /// TrieTests: roots of tries.
    Trie,
}

/// How to run.
#[derive(Clone, Copy, Default)]
pub struct Options<'a> {
    /// Run only cases whose file's path or name contains this.
    pub only: Option<&'a str>,
    /// Threads; all cores without it.
    pub threads: Option<usize>,
    /// Told after each file how many of how many are done.
    pub progress: Option<&'a (dyn Fn(usize, usize) + Sync)>,
}

/// Why nothing could be run. The directory's fault.
#[derive(Debug, thiserror::Error)]
pub enum VectorsError {
    /// It cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// What.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// There are no vectors in it.
    #[error("no vectors in {}: it has no .json files", .0.display())]
    Empty(PathBuf),
    /// There are vectors, but none that was asked for.
    #[error("no vector in {} has {only:?} in its path or name", path.display())]
    NoMatch {
        /// The directory.
        path: PathBuf,
        /// What was asked for.
        only: String,
    },
    /// Not one of [`Kind`]'s names.
    #[error("{0:?} is no kind of vectors: state, blockchain, transaction, rlp or trie")]
    Kind(String),
}

impl FromStr for Kind {
    type Err = VectorsError;

    fn from_str(name: &str) -> Result<Self, VectorsError> {
        Ok(match name {
            "state" => Self::State,
            "blockchain" => Self::Blockchain,
            "transaction" => Self::Transaction,
            "rlp" => Self::Rlp,
            "trie" => Self::Trie,
            other => return Err(VectorsError::Kind(other.to_owned())),
        })
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::State => "state",
            Self::Blockchain => "blockchain",
            Self::Transaction => "transaction",
            Self::Rlp => "rlp",
            Self::Trie => "trie",
        })
    }
}

/// Runs the vectors in a directory, or in one file. The same vectors give the same report.
///
/// # Errors
/// [`VectorsError`] when there was nothing to run. A single file that is malformed is a failed case.
pub fn run(kind: Kind, dir: &Path, options: &Options<'_>) -> Result<Report, VectorsError> {
    let files = suite::files(dir)?;
    let runner: suite::Runner = match kind {
        Kind::State => state::run,
        Kind::Blockchain => blockchain::run,
        Kind::Transaction => transaction::run,
        Kind::Rlp => rlp::run,
        Kind::Trie => trie::run,
    };
    let report = suite::run(dir, &files, runner, options);
    match options.only {
        Some(only) if report == Report::default() => Err(VectorsError::NoMatch {
            path: dir.to_owned(),
            only: only.to_owned(),
        }),
        _ => Ok(report),
    }
}
