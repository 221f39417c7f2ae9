//! Signed transactions. The bytes are written before they are sent and never change.

use alloy_primitives::B256;
use rusqlite::params;

use crate::{
    Error, Tx, View,
    access::{signed, unsigned, word},
};

/// A transaction that was signed and is about to be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBatch {
    /// The relayer account's nonce in it.
    pub nonce: u64,
    /// Its hash.
    pub hash: B256,
    /// Its signed bytes.
    pub raw: Vec<u8>,
    /// The records in it, by `seq`, in the order of the call's arguments.
    pub records: Vec<u64>,
    /// Unix time of the signing.
    pub created_ms: u64,
}

/// A transaction whose end is not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// The relayer account's nonce in it.
    pub nonce: u64,
    /// Its hash.
    pub hash: B256,
    /// Its signed bytes.
    pub raw: Vec<u8>,
    /// The records in it, by `seq`.
    pub records: Vec<u64>,
}

impl Tx<'_> {
    pub(crate) fn insert_batch(&self, batch: &NewBatch) -> Result<(), Error> {
        self.0
            .0
            .prepare_cached(
                "INSERT INTO batches (nonce, hash, raw, created_ms) VALUES (?1, ?2, ?3, ?4)",
            )?
            .execute(params![
                signed(batch.nonce)?,
                batch.hash.as_slice(),
                batch.raw,
                signed(batch.created_ms)?
            ])?;
        let seq = self.0.0.last_insert_rowid();
        // A record that was settled while the signer worked stays settled.
        let mut submit = self.0.0.prepare_cached(
            "UPDATE records SET state = 'submitted' WHERE seq = ?1 AND state IN ('accepted', 'submitted')",
        )?;
        let mut insert = self.0.0.prepare_cached(
            "INSERT INTO batch_entries (batch, position, record) VALUES (?1, ?2, ?3)",
        )?;
        for (position, record) in (0_i64..).zip(&batch.records) {
            insert.execute(params![seq, position, signed(*record)?])?;
            submit.execute([signed(*record)?])?;
        }
        Ok(())
    }

    pub(crate) fn end_batch(&self, nonce: u64, end: &str) -> Result<(), Error> {
        let changed = self
            .0
            .0
            .prepare_cached("UPDATE batches SET state = ?2 WHERE nonce = ?1")?
            .execute(params![signed(nonce)?, end])?;
        if changed == 1 {
            Ok(())
        } else {
            Err(Error::rule(format!("no batch with nonce {nonce}")))
        }
    }
}

impl View<'_> {
    /// Every transaction whose end is not known, by nonce.
    pub fn pending_batches(&self) -> Result<Vec<Batch>, Error> {
        let mut statement = self.0.prepare(
            "SELECT seq, nonce, hash, raw FROM batches WHERE state = 'pending' ORDER BY nonce",
        )?;
        let mut entries = self
            .0
            .prepare("SELECT record FROM batch_entries WHERE batch = ?1 ORDER BY position")?;
        let mut rows = statement.query([])?;
        let mut batches = Vec::new();
        while let Some(row) = rows.next()? {
            let mut records = Vec::new();
            let mut record_rows = entries.query([row.get::<_, i64>(0)?])?;
            while let Some(record) = record_rows.next()? {
                records.push(unsigned(record.get(0)?)?);
            }
            batches.push(Batch {
                nonce: unsigned(row.get(1)?)?,
                hash: word(row.get_ref(2)?.as_blob()?)?,
                raw: row.get(3)?,
                records,
            });
        }
        Ok(batches)
    }

    /// One more than the highest nonce whose transaction came to an end; 0 if none did. Every lower nonce is used.
    pub fn nonce_floor(&self) -> Result<u64, Error> {
        let next: i64 = self.0.query_row(
            "SELECT coalesce(max(nonce) + 1, 0) FROM batches WHERE state <> 'pending'",
            [],
            |row| row.get(0),
        )?;
        unsigned(next)
    }
}
