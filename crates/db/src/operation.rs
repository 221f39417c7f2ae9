//! Operations: the promise that a contract call happens once.

use alloy_primitives::{Address, B256, U256};
use rusqlite::{OptionalExtension as _, Row, params};

use crate::{
    Cursor, Error, Failure, State, Tx, View,
    access::{signed, unsigned, word},
    cursor::cursor_row,
    relay::Outcome,
};

/// An operation to be promised.
#[derive(Debug, Clone)]
pub struct NewOperation {
    /// Its key on chain.
    pub key: B256,
    /// Whose idempotency key it is.
    pub tenant: String,
    /// The client's name for this request.
    pub idempotency_key: String,
    /// Digest of the canonical request: what "the same body" means.
    pub digest: B256,
    /// What is to be called.
    pub call: Call,
    /// What makes it another call under the same key.
    pub call_hash: B256,
    /// The line of its account that it stands in, if its order matters.
    pub line: Option<String>,
    /// 0 to 9, the higher the sooner.
    pub priority: u8,
    /// Unix time of acceptance.
    pub created_ms: u64,
}

/// A contract call, as its account signs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Call {
    /// The account that calls.
    pub account: Address,
    /// Whom.
    pub target: Address,
    /// Wei sent with it.
    pub value: U256,
    /// What with.
    pub data: Vec<u8>,
    /// What it gets.
    pub gas: u64,
    /// The last second in which it may run, Unix.
    pub deadline: u64,
}

/// What became of an insertion.
#[derive(Debug, Clone)]
pub enum InsertedOperation {
    /// The promise is new.
    New(OperationEntry),
    /// The same request was promised before.
    Existing(OperationRow),
    /// The key was used for another request.
    Mismatch(OperationRow),
}

/// What the operations machine needs to know of an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OperationEntry {
    /// Order of acceptance.
    pub seq: u64,
    /// Its key on chain.
    pub key: B256,
    /// Whose it is.
    pub account: Address,
    /// What makes it another call under the same key.
    pub call_hash: B256,
    /// What its call gets.
    pub gas: u64,
    /// Bytes of its calldata.
    pub size: u64,
    /// The last second in which it may run, Unix.
    pub deadline: u64,
    /// The key of the one before it in its line.
    pub follows: Option<B256>,
    /// 0 to 9, the higher the sooner.
    pub priority: u8,
    /// Largest relay it may ride in; lowered when one with it came to grief.
    pub relay_max: u16,
    /// Whether its account's key has signed it.
    pub signed: bool,
    /// Whether a transaction was signed that brings it.
    pub submitted: bool,
    /// Whether it is known to have run, by a transaction still to be found.
    pub searched: bool,
}

/// An operation as it is signed and brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bill {
    /// Its key on chain.
    pub key: B256,
    /// The call.
    pub call: Call,
    /// The key of the one before it in its line.
    pub follows: Option<B256>,
    /// 65 bytes, once it is signed.
    pub signature: Option<Vec<u8>>,
}

/// An operation as the journal has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OperationRow {
    /// Order of acceptance.
    pub seq: u64,
    /// Its key on chain.
    pub key: B256,
    /// Whose it is.
    pub tenant: String,
    /// The client's name for the request.
    pub idempotency_key: String,
    /// Digest of the canonical request.
    pub digest: B256,
    /// The account that calls.
    pub account: Address,
    /// Whom.
    pub target: Address,
    /// The line it stands in.
    pub line: Option<String>,
    /// Where it is on its way.
    pub state: State,
    /// Unix time of acceptance.
    pub created_ms: u64,
    /// Unix time of the first transaction that was to bring it.
    pub submitted_ms: Option<u64>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// Where it ran, if it did.
    pub ran: Option<Ran>,
}

/// Where an operation ran, and how that went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    /// The transaction.
    pub tx_hash: B256,
    /// The height of its block.
    pub height: u64,
    /// That block's time, Unix, in milliseconds.
    pub block_ms: u64,
    /// What it did.
    pub outcome: Outcome,
}

const ENTRY: &str = "SELECT seq, key, account, call_hash, gas, length(data), deadline, follows, priority, relay_max, \
     signature IS NOT NULL, state = 'submitted', searched FROM operations";

const ROW: &str = "SELECT o.seq, o.key, o.tenant, o.idempotency_key, o.digest, o.account, o.target, o.line, o.state, \
     o.created_ms, o.submitted_ms, o.failure_code, o.failure_detail, x.tx_hash, x.height, x.block_ms, u.log_index, \
     u.succeeded, u.result FROM operations o LEFT JOIN outcomes u ON u.operation = o.seq \
     LEFT JOIN executions x ON x.seq = u.execution";

impl Tx<'_> {
    /// Promises an operation, unless its tenant used its idempotency key before. In a line it follows the last one there.
    pub fn insert_operation(&self, operation: &NewOperation) -> Result<InsertedOperation, Error> {
        let existing = self.operation_by_key(&operation.tenant, &operation.idempotency_key)?;
        if let Some(existing) = existing {
            return Ok(if existing.digest == operation.digest {
                InsertedOperation::Existing(existing)
            } else {
                InsertedOperation::Mismatch(existing)
            });
        }
        let Call {
            account,
            target,
            value,
            data,
            gas,
            deadline,
        } = &operation.call;
        let follows = match &operation.line {
            Some(line) => self.last_in_line(account, line)?,
            None => None,
        };
        self.0
            .0
            .prepare_cached(
                "INSERT INTO operations (key, tenant, idempotency_key, digest, account, target, value, data, call_hash, gas, \
                 deadline, line, follows, priority, created_ms) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
            )?
            .execute(params![
                operation.key.as_slice(),
                operation.tenant,
                operation.idempotency_key,
                operation.digest.as_slice(),
                account.as_slice(),
                target.as_slice(),
                value.to_be_bytes::<32>(),
                data,
                operation.call_hash.as_slice(),
                signed(*gas)?,
                signed(*deadline)?,
                operation.line,
                follows.map(|key| key.to_vec()),
                operation.priority,
                signed(operation.created_ms)?,
            ])?;
        let seq = unsigned(self.0.0.last_insert_rowid())?;
        self.operation_entry(seq).map(InsertedOperation::New)
    }

    /// The last one that ran, or still may.
    fn last_in_line(&self, account: &Address, line: &str) -> Result<Option<B256>, Error> {
        let found: Option<Vec<u8>> = self
            .0
            .0
            .prepare_cached(
                "SELECT key FROM operations WHERE account = ?1 AND line = ?2 \
                 AND (state <> 'failed' OR EXISTS (SELECT 1 FROM outcomes WHERE operation = seq)) \
                 ORDER BY seq DESC LIMIT 1",
            )?
            .query_row(params![account.as_slice(), line], |row| row.get(0))
            .optional()?;
        found.as_deref().map(word).transpose()
    }

    pub(crate) fn set_signature(&self, seq: u64, signature: &[u8]) -> Result<(), Error> {
        self.change(
            "UPDATE operations SET signature = ?2 WHERE seq = ?1",
            params![signed(seq)?, signature],
            seq,
        )
    }

    /// It follows another one, or none, and must be signed anew.
    pub(crate) fn relink(&self, seq: u64, follows: Option<B256>) -> Result<(), Error> {
        self.change(
            "UPDATE operations SET follows = ?2, signature = NULL WHERE seq = ?1",
            params![signed(seq)?, follows.map(|key| key.to_vec())],
            seq,
        )
    }

    pub(crate) fn set_operation_final(&self, seq: u64) -> Result<(), Error> {
        self.change(
            "UPDATE operations SET state = 'final' WHERE seq = ?1",
            [signed(seq)?],
            seq,
        )
    }

    pub(crate) fn fail_operation(&self, seq: u64, failure: &Failure) -> Result<(), Error> {
        self.change(
            "UPDATE operations SET state = 'failed', failure_code = ?2, failure_detail = ?3 WHERE seq = ?1",
            params![signed(seq)?, failure.code, failure.detail],
            seq,
        )
    }

    pub(crate) fn set_relay_max(&self, seq: u64, relay_max: u16) -> Result<(), Error> {
        self.change(
            "UPDATE operations SET relay_max = ?2 WHERE seq = ?1",
            params![signed(seq)?, relay_max],
            seq,
        )
    }

    pub(crate) fn set_operation_searched(&self, seq: u64) -> Result<(), Error> {
        self.change(
            "UPDATE operations SET searched = 1 WHERE seq = ?1",
            [signed(seq)?],
            seq,
        )
    }

    fn change(&self, sql: &str, values: impl rusqlite::Params, seq: u64) -> Result<(), Error> {
        match self.0.0.prepare_cached(sql)?.execute(values)? {
            1 => Ok(()),
            _ => Err(Error::rule(format!("no operation {seq}"))),
        }
    }

    /// Sets how far the stream has been taken in. It never goes back.
    pub fn set_operation_cursor(&self, cursor: &Cursor) -> Result<(), Error> {
        self.0
            .0
            .prepare_cached(
                "INSERT INTO operation_cursor (one, height, hash) VALUES (1, ?1, ?2) \
                 ON CONFLICT (one) DO UPDATE SET height = excluded.height, hash = excluded.hash",
            )?
            .execute(params![signed(cursor.height)?, cursor.hash.as_slice()])?;
        Ok(())
    }
}

impl View<'_> {
    /// The operation that a tenant made under an idempotency key.
    pub fn operation_by_key(
        &self,
        tenant: &str,
        idempotency_key: &str,
    ) -> Result<Option<OperationRow>, Error> {
        let sql = format!("{ROW} WHERE o.tenant = ?1 AND o.idempotency_key = ?2");
        let mut statement = self.0.prepare_cached(&sql)?;
        let found = statement
            .query_row(params![tenant, idempotency_key], |row| {
                Ok(operation_row(row))
            })
            .optional()?;
        found.transpose()
    }

    /// The operation with that key on chain.
    pub fn operation(&self, key: &B256) -> Result<Option<OperationRow>, Error> {
        let sql = format!("{ROW} WHERE o.key = ?1");
        let mut statement = self.0.prepare_cached(&sql)?;
        let found = statement
            .query_row([key.as_slice()], |row| Ok(operation_row(row)))
            .optional()?;
        found.transpose()
    }

    /// An operation as it is signed and brought.
    pub fn bill(&self, seq: u64) -> Result<Option<Bill>, Error> {
        let mut statement = self.0.prepare_cached(
            "SELECT key, account, target, value, data, gas, deadline, follows, signature FROM operations WHERE seq = ?1",
        )?;
        let found = statement
            .query_row([signed(seq)?], |row| Ok(bill_row(row)))
            .optional()?;
        found.transpose()
    }

    /// Every operation that is not settled, in order of acceptance.
    pub fn unsettled_operations(&self) -> Result<Vec<OperationEntry>, Error> {
        let sql = format!("{ENTRY} WHERE state IN ('accepted', 'submitted') ORDER BY seq");
        let mut statement = self.0.prepare(&sql)?;
        let mut rows = statement.query([])?;
        let mut unsettled = Vec::new();
        while let Some(row) = rows.next()? {
            unsettled.push(entry_row(row)?);
        }
        Ok(unsettled)
    }

    /// The last operation accepted; 0 if there is none.
    pub fn last_operation(&self) -> Result<u64, Error> {
        let sql = "SELECT coalesce(max(seq), 0) FROM operations";
        unsigned(self.0.query_row(sql, [], |row| row.get(0))?)
    }

    /// The last finalized block whose effects on operations are in this database; None in a new one.
    pub fn operation_cursor(&self) -> Result<Option<Cursor>, Error> {
        let sql = "SELECT height, hash FROM operation_cursor";
        let mut statement = self.0.prepare_cached(sql)?;
        let found = statement
            .query_row([], |row| Ok(cursor_row(row)))
            .optional()?;
        found.transpose()
    }

    fn operation_entry(&self, seq: u64) -> Result<OperationEntry, Error> {
        let mut statement = self.0.prepare_cached(&format!("{ENTRY} WHERE seq = ?1"))?;
        let mut rows = statement.query([signed(seq)?])?;
        rows.next()?
            .ok_or_else(|| Error::rule(format!("no operation {seq}")))
            .and_then(entry_row)
    }
}

fn entry_row(row: &Row<'_>) -> Result<OperationEntry, Error> {
    Ok(OperationEntry {
        seq: unsigned(row.get(0)?)?,
        key: word(row.get_ref(1)?.as_blob()?)?,
        account: address(row.get_ref(2)?.as_blob()?)?,
        call_hash: word(row.get_ref(3)?.as_blob()?)?,
        gas: unsigned(row.get(4)?)?,
        size: unsigned(row.get(5)?)?,
        deadline: unsigned(row.get(6)?)?,
        follows: row.get_ref(7)?.as_blob_or_null()?.map(word).transpose()?,
        priority: row.get(8)?,
        relay_max: row.get(9)?,
        signed: row.get(10)?,
        submitted: row.get(11)?,
        searched: row.get(12)?,
    })
}

fn bill_row(row: &Row<'_>) -> Result<Bill, Error> {
    Ok(Bill {
        key: word(row.get_ref(0)?.as_blob()?)?,
        call: Call {
            account: address(row.get_ref(1)?.as_blob()?)?,
            target: address(row.get_ref(2)?.as_blob()?)?,
            value: word(row.get_ref(3)?.as_blob()?)?.into(),
            data: row.get(4)?,
            gas: unsigned(row.get(5)?)?,
            deadline: unsigned(row.get(6)?)?,
        },
        follows: row.get_ref(7)?.as_blob_or_null()?.map(word).transpose()?,
        signature: row.get(8)?,
    })
}

fn operation_row(row: &Row<'_>) -> Result<OperationRow, Error> {
    let failure = match row.get::<_, Option<String>>(11)? {
        Some(code) => Some(Failure {
            code,
            detail: row.get::<_, Option<String>>(12)?.unwrap_or_default(),
        }),
        None => None,
    };
    let ran = match row.get_ref(13)?.as_blob_or_null()? {
        Some(hash) => Some(Ran {
            tx_hash: word(hash)?,
            height: unsigned(row.get(14)?)?,
            block_ms: unsigned(row.get(15)?)?,
            outcome: Outcome {
                log_index: unsigned(row.get(16)?)?,
                succeeded: row.get(17)?,
                result: row.get(18)?,
            },
        }),
        None => None,
    };
    Ok(OperationRow {
        seq: unsigned(row.get(0)?)?,
        key: word(row.get_ref(1)?.as_blob()?)?,
        tenant: row.get(2)?,
        idempotency_key: row.get(3)?,
        digest: word(row.get_ref(4)?.as_blob()?)?,
        account: address(row.get_ref(5)?.as_blob()?)?,
        target: address(row.get_ref(6)?.as_blob()?)?,
        line: row.get(7)?,
        state: State::parse(row.get_ref(8)?.as_str()?)?,
        created_ms: unsigned(row.get(9)?)?,
        submitted_ms: row.get::<_, Option<i64>>(10)?.map(unsigned).transpose()?,
        failure,
        ran,
    })
}

fn address(bytes: &[u8]) -> Result<Address, Error> {
    Address::try_from(bytes).map_err(|_| Error::Corrupt {
        detail: format!("an address of {} bytes", bytes.len()),
    })
}

#[cfg(test)]
mod tests;
