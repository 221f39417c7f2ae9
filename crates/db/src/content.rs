//! Sealed content. It and its key are all that an erasure removes, and all that it has to.

use alloy_primitives::B256;
use rusqlite::{OptionalExtension as _, params};

use crate::{Error, Tx, View, access::signed};

/// A sealed part with the key that opens it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The record's key, wrapped under the master key.
    pub wrapped_key: Vec<u8>,
    /// The sealed bytes.
    pub sealed: Vec<u8>,
}

impl Tx<'_> {
    pub(crate) fn insert_content(
        &self,
        seq: u64,
        wrapped_key: &[u8],
        parts: &[Vec<u8>],
    ) -> Result<(), Error> {
        self.0
            .0
            .prepare_cached("INSERT INTO record_keys (record, wrapped) VALUES (?1, ?2)")?
            .execute(params![signed(seq)?, wrapped_key])?;
        let mut insert = self
            .0
            .0
            .prepare_cached("INSERT INTO contents (record, part, sealed) VALUES (?1, ?2, ?3)")?;
        for (part, sealed) in (0_i64..).zip(parts) {
            insert.execute(params![signed(seq)?, part, sealed])?;
        }
        Ok(())
    }

    /// Removes a record's key, its content and the digest of its request. Returns the time of the erasure,
    /// which is that of the first call. The promise, and what is on chain, stay. Follow it with
    /// [`crate::Db::checkpoint`] (the [`crate::Writer`] has both in one call).
    pub fn erase(&self, id: &B256, now_ms: u64) -> Result<Option<u64>, Error> {
        let Some(record) = self.record_by_id(id)? else {
            return Ok(None);
        };
        if record.erased_ms.is_some() {
            return Ok(record.erased_ms);
        }
        let seq = signed(record.seq)?;
        for sql in [
            "DELETE FROM record_keys WHERE record = ?1",
            "DELETE FROM contents WHERE record = ?1",
        ] {
            self.0.0.prepare_cached(sql)?.execute([seq])?;
        }
        self.0
            .0
            .prepare_cached("UPDATE records SET digest = NULL, erased_ms = ?2 WHERE seq = ?1")?
            .execute(params![seq, signed(now_ms)?])?;
        Ok(Some(now_ms))
    }
}

impl View<'_> {
    /// Part `part` of a record's content: 0 is the document, 1 the first attachment. None if there is no such
    /// part or it was erased.
    pub fn sealed(&self, seq: u64, part: u32) -> Result<Option<Sealed>, Error> {
        let sealed = self
            .0
            .prepare_cached(
                "SELECT k.wrapped, c.sealed FROM contents c JOIN record_keys k ON k.record = c.record \
                 WHERE c.record = ?1 AND c.part = ?2",
            )?
            .query_row(params![signed(seq)?, part], |row| {
                Ok(Sealed { wrapped_key: row.get(0)?, sealed: row.get(1)? })
            })
            .optional()?;
        Ok(sealed)
    }
}
