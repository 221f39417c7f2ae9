//! The state as a sequence of pieces that anyone can check against the root in a block header.
//!
//! A piece is a run of the log of operations, with the bits that say which of them still hold, and a proof of both. The
//! pieces of a state follow one another over the whole range that the block's extension names. What is before that range
//! holds no more, which the validators of the block have checked, so whoever has all pieces has all that is alive, and
//! nothing else: [`Piece::entries`].

use crate::{Database, key::Key, read::StateError, value::Value};
use commonware_codec::{
    Buf, EncodeSize, Error as CodecError, FixedSize, RangeCfg, Read, ReadExt as _, Write,
};
use commonware_cryptography::Keccak256;
use commonware_runtime::{BufMut, Spawner};
use commonware_storage::{
    Context,
    merkle::Location,
    qmdb::{
        any::{operation::Operation as AnyOperation, ordered::Update, value::FixedEncoding},
        current::proof::RangeProof,
    },
};
use commonware_utils::NZU64;
use std::num::NonZeroU64;
use types::{Digest, Family};

/// Operations in each piece but the last: full chunks of the bitmap.
pub const PIECE_OPERATIONS: NonZeroU64 = NZU64!(1024);
/// Bits in a chunk of the bitmap.
const CHUNK_BITS: u64 = 256;
/// Chunks that a piece touches, at most: it begins with one.
const CHUNKS_MAX: usize = 4;
/// Hashes in a proof, at most: what a log of 2^62 operations could need.
const DIGESTS_MAX: usize = 256;
/// Bytes of an encoded piece, at most.
pub const PIECE_BYTES_MAX: usize = 256 << 10;

type Operation = AnyOperation<Family, Update<Key, FixedEncoding<Value>>>;

/// A run of the log of operations, and what proves it.
#[derive(Clone, Debug, PartialEq)]
pub struct Piece {
    /// Number of the first operation.
    start: u64,
    operations: Vec<Operation>,
    /// Which operations hold, a bit for each, from the start of the piece on.
    chunks: Vec<[u8; CHUNK_BITS as usize / 8]>,
    proof: RangeProof<Family, Digest>,
}

/// Why a piece proves nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PieceError {
    /// The proof does not lead to the root.
    #[error("operations {start} to {end} are not those that the state root commits to")]
    Root {
        /// The first of them.
        start: u64,
        /// The one after the last.
        end: u64,
    },
    /// Something is said to hold that is no value.
    #[error("operation {0} is said to hold, but sets no value")]
    NoValue(u64),
}

impl Piece {
    /// The piece that begins at operation `start`, where a chunk of the bitmap begins.
    ///
    /// # Errors
    /// [`StateError`] when the database failed, or has no such operations any more.
    pub async fn read<E: Context + Spawner>(
        database: &Database<E>,
        start: u64,
    ) -> Result<Self, StateError> {
        let (proof, operations, chunks) = database
            .range_proof(Location::new(start), PIECE_OPERATIONS)
            .await?;
        Ok(Self {
            start,
            operations,
            chunks,
            proof,
        })
    }

    /// Number of the first operation.
    pub const fn start(&self) -> u64 {
        self.start
    }

    /// Number of the operation after the last.
    pub const fn end(&self) -> u64 {
        self.start.saturating_add(self.operations.len() as u64)
    }

    /// Checks the proof against a block's state root.
    ///
    /// # Errors
    /// [`PieceError::Root`].
    pub fn verify(&self, root: &Digest) -> Result<(), PieceError> {
        let aligned = self.start.is_multiple_of(CHUNK_BITS);
        let chunks = (self.operations.len() as u64).div_ceil(CHUNK_BITS);
        let proved = aligned
            && chunks == self.chunks.len() as u64
            && self
                .proof
                .verify::<Keccak256, _, { CHUNK_BITS as usize / 8 }>(
                    Location::new(self.start),
                    &self.operations,
                    &self.chunks,
                    root,
                );
        if proved {
            return Ok(());
        }
        Err(PieceError::Root {
            start: self.start,
            end: self.end(),
        })
    }

    /// What holds of the piece: keys and their values, in the order of the log.
    ///
    /// # Errors
    /// [`PieceError::NoValue`], which no database leads to.
    pub fn entries(&self) -> Result<Vec<(Key, Value)>, PieceError> {
        let mut entries = Vec::new();
        for (offset, operation) in (0_u64..).zip(&self.operations) {
            if !self.holds(offset) {
                continue;
            }
            match operation {
                AnyOperation::Update(update) => {
                    entries.push((update.key.clone(), update.value.clone()));
                }
                // The last commit holds, and says nothing of the state.
                AnyOperation::CommitFloor(..) => {}
                AnyOperation::Delete(_) => {
                    return Err(PieceError::NoValue(self.start.saturating_add(offset)));
                }
            }
        }
        Ok(entries)
    }

    fn holds(&self, offset: u64) -> bool {
        let chunk = usize::try_from(offset / CHUNK_BITS).unwrap_or(usize::MAX);
        let byte = usize::try_from(offset % CHUNK_BITS / 8).unwrap_or(usize::MAX);
        let bits = self.chunks.get(chunk).and_then(|chunk| chunk.get(byte));
        bits.is_some_and(|bits| bits >> (offset % 8) & 1 == 1)
    }
}

impl Write for Piece {
    fn write(&self, buf: &mut impl BufMut) {
        self.start.write(buf);
        self.operations.write(buf);
        self.chunks.write(buf);
        self.proof.write(buf);
    }
}

impl EncodeSize for Piece {
    fn encode_size(&self) -> usize {
        self.start.encode_size()
            + self.operations.encode_size()
            + self.chunks.encode_size()
            + self.proof.encode_size()
    }
}

impl Read for Piece {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, CodecError> {
        let most = usize::try_from(PIECE_OPERATIONS.get()).unwrap_or_default();
        Ok(Self {
            start: u64::read(buf)?,
            operations: Vec::read_cfg(buf, &(RangeCfg::new(1..=most), ()))?,
            chunks: Vec::read_cfg(buf, &(RangeCfg::new(1..=CHUNKS_MAX), ()))?,
            proof: RangeProof::read_cfg(buf, &DIGESTS_MAX)?,
        })
    }
}

/// What an entry of the state is, for counting.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Accounts.
    pub accounts: u64,
    /// Storage slots.
    pub slots: u64,
    /// Codes.
    pub codes: u64,
    /// All entries, with the further chunks of code.
    pub entries: u64,
}

impl Counts {
    /// Counts one.
    pub const fn add(&mut self, value: &Value) {
        let counted = match value {
            Value::Account(_) => Some(&mut self.accounts),
            Value::Slot(_) => Some(&mut self.slots),
            Value::CodeHead { .. } => Some(&mut self.codes),
            Value::CodeChunk(_) => None,
        };
        if let Some(counted) = counted {
            *counted = counted.saturating_add(1);
        }
        self.entries = self.entries.saturating_add(1);
    }
}

impl Write for Counts {
    fn write(&self, buf: &mut impl BufMut) {
        for count in [self.accounts, self.slots, self.codes, self.entries] {
            count.write(buf);
        }
    }
}

impl FixedSize for Counts {
    const SIZE: usize = 4 * u64::SIZE;
}

impl Read for Counts {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, CodecError> {
        Ok(Self {
            accounts: u64::read(buf)?,
            slots: u64::read(buf)?,
            codes: u64::read(buf)?,
            entries: u64::read(buf)?,
        })
    }
}
