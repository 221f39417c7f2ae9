//! How far the verified stream of finalized blocks has been taken in.

use alloy_primitives::B256;
use rusqlite::{OptionalExtension as _, Row, params};

use crate::{
    Error, Tx, View,
    access::{signed, unsigned, word},
};

/// A finalized block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cursor {
    /// Its height.
    pub height: u64,
    /// Its hash.
    pub hash: B256,
}

impl Tx<'_> {
    /// Sets the cursor. It never goes back.
    pub fn set_cursor(&self, cursor: &Cursor) -> Result<(), Error> {
        self.0
            .0
            .prepare_cached(
                "INSERT INTO cursor (one, height, hash) VALUES (1, ?1, ?2) \
                 ON CONFLICT (one) DO UPDATE SET height = excluded.height, hash = excluded.hash",
            )?
            .execute(params![signed(cursor.height)?, cursor.hash.as_slice()])?;
        Ok(())
    }
}

impl Tx<'_> {
    /// Writes something, to see whether writing works.
    pub fn probe(&self, now_ms: u64) -> Result<(), Error> {
        self.0
            .0
            .prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES ('probed_ms', ?1)")?
            .execute(params![now_ms.to_be_bytes()])?;
        Ok(())
    }
}

impl View<'_> {
    /// The last finalized block whose effects are in this database; None in a new one.
    pub fn cursor(&self) -> Result<Option<Cursor>, Error> {
        let mut statement = self.0.prepare_cached("SELECT height, hash FROM cursor")?;
        let found = statement
            .query_row([], |row| Ok(cursor_row(row)))
            .optional()?;
        found.transpose()
    }
}

/// A height and a hash.
pub(crate) fn cursor_row(row: &Row<'_>) -> Result<Cursor, Error> {
    Ok(Cursor {
        height: unsigned(row.get(0)?)?,
        hash: word(row.get_ref(1)?.as_blob()?)?,
    })
}
