//! Signed transactions that bring operations, and what finalized blocks settle of these. The bytes of a transaction are written
//! before it is sent and never change.

use alloy_primitives::{Address, B256};
use rusqlite::params;

use crate::{
    Batch, BatchEnd, Cursor, Error, Failure, Tx, View,
    access::{signed, unsigned, word},
};

/// Everything the operations machine writes. Each is one SQL transaction, applied by [`Tx::apply_operation`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OperationWrite {
    /// The signature of an operation, by `seq`, before it rides.
    Signature(u64, Vec<u8>),
    /// A signed transaction that brings operations, before it is sent.
    Relay(NewRelay),
    /// What a finalized block settled, a search found, or its signer or owner decided.
    Settle(OperationSettlement),
}

/// A transaction that was signed and is about to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRelay {
    /// The account that sends it.
    pub relayer: Address,
    /// Its nonce.
    pub nonce: u64,
    /// Its hash.
    pub hash: B256,
    /// Its signed bytes.
    pub raw: Vec<u8>,
    /// The operations in it, by `seq`, in the order of the call.
    pub operations: Vec<u64>,
    /// Unix time of the signing.
    pub created_ms: u64,
}

/// The effects of a finalized block on operations.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OperationSettlement {
    /// The block; None when a search found them.
    pub cursor: Option<Cursor>,
    /// Transactions in which operations of ours ran.
    pub executions: Vec<Execution>,
    /// Operations that ran.
    pub outcomes: Vec<SettledOutcome>,
    /// Operations, by `seq`, that can never run.
    pub failures: Vec<(u64, Failure)>,
    /// Our transactions that came to an end.
    pub relays: Vec<(Address, u64, BatchEnd)>,
    /// Operations, by `seq`, that may only ride in smaller relays from now on.
    pub relay_max: Vec<(u64, u16)>,
    /// Operations, by `seq`, whose predecessor ended without running, and whom they follow now. They must be signed anew.
    pub relinked: Vec<(u64, Option<B256>)>,
    /// Operations, by `seq`, that ran in a transaction still to be found.
    pub searched: Vec<u64>,
}

impl OperationSettlement {
    /// Whether it says no more than how far the stream came.
    pub fn is_cursor_only(&self) -> bool {
        *self
            == Self {
                cursor: self.cursor,
                ..Self::default()
            }
    }
}

/// A finalized transaction in which operations ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Execution {
    /// Its hash.
    pub tx_hash: B256,
    /// The height of its block.
    pub height: u64,
    /// The hash of its block.
    pub block_hash: B256,
    /// The time of its block, Unix, in milliseconds.
    pub block_ms: u64,
    /// The receipt (CBOR) of the transaction; none where a network gives no certificates.
    pub receipt: Option<Vec<u8>>,
}

/// What an operation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// Position of its log among the transaction's logs.
    pub log_index: u64,
    /// Whether the call returned.
    pub succeeded: bool,
    /// What it returned or reverted with.
    pub result: Vec<u8>,
}

/// An operation that ran.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettledOutcome {
    /// The operation.
    pub seq: u64,
    /// The transaction: an index into the settlement's executions.
    pub execution: usize,
    /// What it did.
    pub outcome: Outcome,
    /// Why that counts as failed; it must be there if the call did not return.
    pub failure: Option<Failure>,
}

impl Tx<'_> {
    /// Applies one write of the operations machine. The shell and tests both come through here.
    pub fn apply_operation(&self, write: &OperationWrite) -> Result<(), Error> {
        match write {
            OperationWrite::Signature(seq, signature) => self.set_signature(*seq, signature),
            OperationWrite::Relay(relay) => self.insert_relay(relay),
            OperationWrite::Settle(settlement) => self.settle_operations(settlement),
        }
    }

    fn insert_relay(&self, relay: &NewRelay) -> Result<(), Error> {
        let connection = self.0.0;
        connection
            .prepare_cached(
                "INSERT INTO relays (relayer, nonce, hash, raw, created_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                relay.relayer.as_slice(),
                signed(relay.nonce)?,
                relay.hash.as_slice(),
                relay.raw,
                signed(relay.created_ms)?
            ])?;
        let seq = connection.last_insert_rowid();
        // An operation that was settled while the signer worked stays settled.
        let mut submit = connection.prepare_cached(
            "UPDATE operations SET state = 'submitted', submitted_ms = coalesce(submitted_ms, ?2) \
             WHERE seq = ?1 AND state IN ('accepted', 'submitted')",
        )?;
        let mut insert = connection.prepare_cached(
            "INSERT INTO relay_entries (relay, position, operation) VALUES (?1, ?2, ?3)",
        )?;
        for (position, operation) in (0_i64..).zip(&relay.operations) {
            insert.execute(params![seq, position, signed(*operation)?])?;
            submit.execute(params![signed(*operation)?, signed(relay.created_ms)?])?;
        }
        Ok(())
    }

    fn settle_operations(&self, settlement: &OperationSettlement) -> Result<(), Error> {
        let executions = settlement.executions.iter();
        let executions = executions.map(|execution| self.insert_execution(execution));
        let executions = executions.collect::<Result<Vec<i64>, Error>>()?;
        for settled in &settlement.outcomes {
            self.insert_outcome(settled, &executions)?;
            match &settled.failure {
                Some(failure) => self.fail_operation(settled.seq, failure)?,
                None => self.set_operation_final(settled.seq)?,
            }
        }
        for (seq, failure) in &settlement.failures {
            self.fail_operation(*seq, failure)?;
        }
        for (relayer, nonce, end) in &settlement.relays {
            self.end_relay(relayer, *nonce, *end)?;
        }
        for (seq, relay_max) in &settlement.relay_max {
            self.set_relay_max(*seq, *relay_max)?;
        }
        for (seq, follows) in &settlement.relinked {
            self.relink(*seq, *follows)?;
        }
        for seq in &settlement.searched {
            self.set_operation_searched(*seq)?;
        }
        match &settlement.cursor {
            Some(cursor) => self.set_operation_cursor(cursor),
            None => Ok(()),
        }
    }

    fn insert_execution(&self, execution: &Execution) -> Result<i64, Error> {
        self.0
            .0
            .prepare_cached(
                "INSERT INTO executions (tx_hash, height, block_hash, block_ms, receipt) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                execution.tx_hash.as_slice(),
                signed(execution.height)?,
                execution.block_hash.as_slice(),
                signed(execution.block_ms)?,
                execution.receipt,
            ])?;
        Ok(self.0.0.last_insert_rowid())
    }

    fn insert_outcome(&self, settled: &SettledOutcome, executions: &[i64]) -> Result<(), Error> {
        let execution = executions
            .get(settled.execution)
            .ok_or_else(|| Error::rule("an outcome without its transaction"))?;
        let Outcome {
            log_index,
            succeeded,
            result,
        } = &settled.outcome;
        self.0
            .0
            .prepare_cached(
                "INSERT INTO outcomes (operation, execution, log_index, succeeded, result) VALUES (?1, ?2, ?3, ?4, ?5)",
            )?
            .execute(params![
                signed(settled.seq)?,
                execution,
                signed(*log_index)?,
                succeeded,
                result
            ])?;
        Ok(())
    }

    fn end_relay(&self, relayer: &Address, nonce: u64, end: BatchEnd) -> Result<(), Error> {
        let changed = self
            .0
            .0
            .prepare_cached("UPDATE relays SET state = ?3 WHERE relayer = ?1 AND nonce = ?2")?
            .execute(params![relayer.as_slice(), signed(nonce)?, end.as_str()])?;
        match changed {
            1 => Ok(()),
            _ => Err(Error::rule(format!(
                "no relay of {relayer} with nonce {nonce}"
            ))),
        }
    }
}

impl View<'_> {
    /// A relayer's transactions whose end is not known, by nonce.
    pub fn pending_relays(&self, relayer: &Address) -> Result<Vec<Batch>, Error> {
        let mut statement = self.0.prepare(
            "SELECT seq, nonce, hash, raw FROM relays WHERE relayer = ?1 AND state = 'pending' ORDER BY nonce",
        )?;
        let mut entries = self
            .0
            .prepare("SELECT operation FROM relay_entries WHERE relay = ?1 ORDER BY position")?;
        let mut rows = statement.query([relayer.as_slice()])?;
        let mut relays = Vec::new();
        while let Some(row) = rows.next()? {
            let mut riders = Vec::new();
            let mut entry_rows = entries.query([row.get::<_, i64>(0)?])?;
            while let Some(entry) = entry_rows.next()? {
                riders.push(unsigned(entry.get(0)?)?);
            }
            relays.push(Batch {
                nonce: unsigned(row.get(1)?)?,
                hash: word(row.get_ref(2)?.as_blob()?)?,
                raw: row.get(3)?,
                records: riders,
            });
        }
        Ok(relays)
    }

    /// One more than a relayer's highest nonce whose transaction came to an end; 0 if none did.
    pub fn relay_floor(&self, relayer: &Address) -> Result<u64, Error> {
        let next: i64 = self.0.query_row(
            "SELECT coalesce(max(nonce) + 1, 0) FROM relays WHERE relayer = ?1 AND state <> 'pending'",
            [relayer.as_slice()],
            |row| row.get(0),
        )?;
        unsigned(next)
    }
}
