//! What a finalized block (or a claim found by search) settles, written as one step.

use alloy_primitives::B256;
use rusqlite::{OptionalExtension as _, params};

use crate::{
    Cursor, Error, Failure, NewBatch, State, Tx, View,
    access::{signed, unsigned, word},
};

/// Everything the records machine writes. Each is one SQL transaction, applied by [`Tx::apply`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// A signed transaction, before it is sent.
    Batch(NewBatch),
    /// What a finalized block settled, or a search found.
    Settle(Settlement),
}

/// The effects of a finalized block on the journal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settlement {
    /// The block; None when the claims come from a search.
    pub cursor: Option<Cursor>,
    /// Transactions that claimed records of ours.
    pub anchors: Vec<Anchor>,
    /// Records that are final now.
    pub claims: Vec<Claim>,
    /// Records, by `seq`, that can never be final.
    pub failures: Vec<(u64, Failure)>,
    /// Our transactions, by nonce, that came to an end.
    pub batches: Vec<(u64, BatchEnd)>,
    /// Records, by `seq`, that may only ride in smaller batches from now on.
    pub batch_max: Vec<(u64, u16)>,
    /// Records, by `seq`, whose claim is on chain in a transaction still to be found.
    pub searched: Vec<u64>,
}

impl Settlement {
    /// Whether it says no more than how far the stream came.
    pub fn is_cursor_only(&self) -> bool {
        *self
            == Self {
                cursor: self.cursor,
                ..Self::default()
            }
    }
}

/// How a signed transaction ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BatchEnd {
    /// Final and successful.
    Final,
    /// Final, and reverted.
    Reverted,
    /// It can never be final: another transaction used its nonce.
    Superseded,
}

impl BatchEnd {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Final => "final",
            Self::Reverted => "reverted",
            Self::Superseded => "superseded",
        }
    }
}

/// A finalized transaction that claimed records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Anchor {
    /// Its hash.
    pub tx_hash: B256,
    /// The height of its block.
    pub height: u64,
    /// The hash of its block.
    pub block_hash: B256,
    /// The time of its block, Unix, in milliseconds.
    pub block_ms: u64,
    /// Position of the `Recorded` log among the transaction's logs.
    pub log_index: u64,
    /// The receipt (CBOR) of the transaction; each record's adds its path.
    pub receipt: Vec<u8>,
}

/// One record in an anchor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The record.
    pub seq: u64,
    /// The transaction that claimed it: an index into the settlement's anchors.
    pub anchor: usize,
    /// Its place among the batch's leaves.
    pub leaf_index: u64,
    /// Its Merkle path.
    pub siblings: Vec<B256>,
}

/// A record's place in its anchor: what its receipt is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// The receipt (CBOR) of the transaction that claimed it.
    pub receipt: Vec<u8>,
    /// Position of the `Recorded` log among that transaction's logs.
    pub log_index: u64,
    /// Its place among the batch's leaves.
    pub leaf_index: u64,
    /// Its Merkle path.
    pub siblings: Vec<B256>,
}

impl Tx<'_> {
    /// Applies one write of the journal machine. The shell and the simulator both come through here.
    pub fn apply(&self, write: &Write) -> Result<(), Error> {
        match write {
            Write::Batch(batch) => self.insert_batch(batch),
            Write::Settle(settlement) => self.settle(settlement),
        }
    }

    fn settle(&self, settlement: &Settlement) -> Result<(), Error> {
        let anchors = settlement
            .anchors
            .iter()
            .map(|anchor| self.insert_anchor(anchor));
        let anchors = anchors.collect::<Result<Vec<i64>, Error>>()?;
        for claim in &settlement.claims {
            self.insert_claim(claim, &anchors)?;
            self.set_state(claim.seq, State::Final)?;
        }
        for (seq, failure) in &settlement.failures {
            self.fail(*seq, failure)?;
        }
        for (nonce, end) in &settlement.batches {
            self.end_batch(*nonce, end.as_str())?;
        }
        for (seq, batch_max) in &settlement.batch_max {
            self.set_batch_max(*seq, *batch_max)?;
        }
        for seq in &settlement.searched {
            self.set_searched(*seq)?;
        }
        match &settlement.cursor {
            Some(cursor) => self.set_cursor(cursor),
            None => Ok(()),
        }
    }

    /// Inserts an anchor; returns its place in the table.
    fn insert_anchor(&self, anchor: &Anchor) -> Result<i64, Error> {
        self.0
            .0
            .prepare_cached(
                "INSERT INTO anchors (tx_hash, height, block_hash, block_ms, log_index, receipt) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![
                anchor.tx_hash.as_slice(),
                signed(anchor.height)?,
                anchor.block_hash.as_slice(),
                signed(anchor.block_ms)?,
                signed(anchor.log_index)?,
                anchor.receipt,
            ])?;
        Ok(self.0.0.last_insert_rowid())
    }

    fn insert_claim(&self, claim: &Claim, anchors: &[i64]) -> Result<(), Error> {
        let anchor = anchors
            .get(claim.anchor)
            .ok_or_else(|| Error::rule("a claim without its anchor"))?;
        self.0
            .0
            .prepare_cached(
                "INSERT INTO claims (record, anchor, leaf_index, siblings) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![
                signed(claim.seq)?,
                anchor,
                signed(claim.leaf_index)?,
                claim.siblings.concat(),
            ])?;
        Ok(())
    }
}

impl View<'_> {
    /// What the receipt of a final record is made of.
    pub fn proven(&self, seq: u64) -> Result<Option<Proven>, Error> {
        let found = self
            .0
            .prepare_cached(
                "SELECT a.receipt, a.log_index, c.leaf_index, c.siblings \
                 FROM claims c JOIN anchors a ON a.seq = c.anchor WHERE c.record = ?1",
            )?
            .query_row([signed(seq)?], |row| {
                Ok((
                    row.get(0)?,
                    row.get::<_, i64>(1)?,
                    row.get::<_, i64>(2)?,
                    row.get::<_, Vec<u8>>(3)?,
                ))
            })
            .optional()?;
        let Some((receipt, log_index, leaf_index, siblings)) = found else {
            return Ok(None);
        };
        Ok(Some(Proven {
            receipt,
            log_index: unsigned(log_index)?,
            leaf_index: unsigned(leaf_index)?,
            siblings: siblings.chunks(32).map(word).collect::<Result<_, _>>()?,
        }))
    }
}
