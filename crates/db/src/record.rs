//! Records: the promise made by a 2xx reply.

use alloy_primitives::B256;
use rusqlite::{OptionalExtension as _, Row, params};

use crate::{
    Error, Tx, View,
    access::{signed, unsigned, word},
};

/// Where a record is on its way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Durable here; in no signed transaction yet.
    Accepted,
    /// In at least one signed transaction.
    Submitted,
    /// Claimed on chain with our commitment. Terminal.
    Final,
    /// It can never become final; the reason is stored. Terminal.
    Failed,
}

impl State {
    /// The name in the database and on the wire.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Accepted => "accepted",
            Self::Submitted => "submitted",
            Self::Final => "final",
            Self::Failed => "failed",
        }
    }

    /// Whether nothing more will happen.
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Final | Self::Failed)
    }

    pub(crate) fn parse(text: &str) -> Result<Self, Error> {
        [Self::Accepted, Self::Submitted, Self::Final, Self::Failed]
            .into_iter()
            .find(|state| state.as_str() == text)
            .ok_or_else(|| Error::Corrupt {
                detail: format!("state {text:?}"),
            })
    }
}

/// A record to be promised.
#[derive(Debug, Clone)]
pub struct NewRecord {
    /// `keccak256(organization ‖ key)`.
    pub id: B256,
    /// The key claimed on chain.
    pub key: B256,
    /// The commitment claimed under it.
    pub commitment: B256,
    /// Whose idempotency key it is.
    pub tenant: String,
    /// The client's name for this request.
    pub idempotency_key: String,
    /// Keyed digest of the canonical request: what "the same body" means.
    pub digest: B256,
    /// Unix time of acceptance.
    pub created_ms: u64,
    /// The record's content key, wrapped.
    pub wrapped_key: Vec<u8>,
    /// Sealed parts: the document, then the attachments.
    pub parts: Vec<Vec<u8>>,
}

/// What became of an insertion.
#[derive(Debug, Clone)]
pub enum Inserted {
    /// The promise is new.
    New(Entry),
    /// The same request was promised before.
    Existing(RecordRow),
    /// The key was used for another request.
    Mismatch(RecordRow),
}

/// What the journal machine needs to know of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Order of acceptance.
    pub seq: u64,
    /// Its id on chain.
    pub id: B256,
    /// Its key on chain.
    pub key: B256,
    /// Its commitment.
    pub commitment: B256,
    /// Largest batch it may ride in; halved when a batch with it reverted.
    pub batch_max: u16,
}

/// A record that is not settled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unsettled {
    /// The record.
    pub entry: Entry,
    /// Whether the chain is known to hold its claim, by a transaction still to be found.
    pub searched: bool,
}

/// Why a record failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Stable, for programs.
    pub code: String,
    /// For people.
    pub detail: String,
}

/// A record as the journal has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordRow {
    /// Order of acceptance.
    pub seq: u64,
    /// Its id on chain.
    pub id: B256,
    /// Whose it is.
    pub tenant: String,
    /// The client's name for the request.
    pub idempotency_key: String,
    /// Keyed digest of the canonical request; gone with the content.
    pub digest: Option<B256>,
    /// Its commitment.
    pub commitment: B256,
    /// Where it is on its way.
    pub state: State,
    /// Unix time of acceptance.
    pub created_ms: u64,
    /// Unix time of the erasure of its content.
    pub erased_ms: Option<u64>,
    /// Why it failed.
    pub failure: Option<Failure>,
    /// The block in which it was claimed, and that block's time, Unix, in milliseconds.
    pub claimed: Option<(u64, u64)>,
    /// The transaction that claimed it.
    pub tx_hash: Option<B256>,
}

/// A page of records, newest first.
#[derive(Debug, Clone)]
pub struct Page {
    /// The records.
    pub records: Vec<RecordRow>,
    /// Where the next page starts: before this `seq`. None on the last page.
    pub next: Option<u64>,
}

const ROW: &str = "SELECT r.seq, r.id, r.tenant, r.idempotency_key, r.digest, r.commitment, r.state, r.created_ms, \
     r.erased_ms, r.failure_code, r.failure_detail, a.height, a.block_ms, a.tx_hash FROM records r \
     LEFT JOIN claims c ON c.record = r.seq LEFT JOIN anchors a ON a.seq = c.anchor";

const ENTRY: &str = "SELECT seq, id, record_key, commitment, batch_max, searched FROM records";

impl Tx<'_> {
    /// Promises `record`, unless its tenant used its idempotency key before.
    pub fn insert_record(&self, record: &NewRecord) -> Result<Inserted, Error> {
        if let Some(existing) = self.record_by_key(&record.tenant, &record.idempotency_key)? {
            // After an erasure the digest is gone too: whatever the body, the effect is the one that was had.
            let same = existing.digest.is_none_or(|digest| digest == record.digest);
            return Ok(if same {
                Inserted::Existing(existing)
            } else {
                Inserted::Mismatch(existing)
            });
        }
        self.0.0
            .prepare_cached(
                "INSERT INTO records (id, tenant, idempotency_key, digest, record_key, commitment, created_ms) \
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
            )?
            .execute(params![
                record.id.as_slice(),
                record.tenant,
                record.idempotency_key,
                record.digest.as_slice(),
                record.key.as_slice(),
                record.commitment.as_slice(),
                signed(record.created_ms)?,
            ])?;
        let seq = unsigned(self.0.0.last_insert_rowid())?;
        self.insert_content(seq, &record.wrapped_key, &record.parts)?;
        self.entry(seq)
            .map(|unsettled| Inserted::New(unsettled.entry))
    }

    pub(crate) fn set_state(&self, seq: u64, state: State) -> Result<(), Error> {
        let changed = self
            .0
            .0
            .prepare_cached("UPDATE records SET state = ?2 WHERE seq = ?1")?
            .execute(params![signed(seq)?, state.as_str()])?;
        existing(seq, changed)
    }

    pub(crate) fn fail(&self, seq: u64, failure: &Failure) -> Result<(), Error> {
        let changed = self.0.0
            .prepare_cached(
                "UPDATE records SET state = 'failed', failure_code = ?2, failure_detail = ?3 WHERE seq = ?1",
            )?
            .execute(params![signed(seq)?, failure.code, failure.detail])?;
        existing(seq, changed)
    }

    pub(crate) fn set_batch_max(&self, seq: u64, batch_max: u16) -> Result<(), Error> {
        let changed = self
            .0
            .0
            .prepare_cached("UPDATE records SET batch_max = ?2 WHERE seq = ?1")?
            .execute(params![signed(seq)?, batch_max])?;
        existing(seq, changed)
    }

    pub(crate) fn set_searched(&self, seq: u64) -> Result<(), Error> {
        let changed = self
            .0
            .0
            .prepare_cached("UPDATE records SET searched = 1 WHERE seq = ?1")?
            .execute([signed(seq)?])?;
        existing(seq, changed)
    }
}

impl View<'_> {
    /// The record with that id on chain.
    pub fn record_by_id(&self, id: &B256) -> Result<Option<RecordRow>, Error> {
        self.record_where("r.id = ?1", params![id.as_slice()])
    }

    /// The record a tenant made under an idempotency key.
    pub fn record_by_key(
        &self,
        tenant: &str,
        idempotency_key: &str,
    ) -> Result<Option<RecordRow>, Error> {
        self.record_where(
            "r.tenant = ?1 AND r.idempotency_key = ?2",
            params![tenant, idempotency_key],
        )
    }

    /// A tenant's records (all tenants' if `None`), newest first, at most `limit`, starting before `before`.
    pub fn records(
        &self,
        tenant: Option<&str>,
        before: Option<u64>,
        limit: u16,
    ) -> Result<Page, Error> {
        let before = before.map_or(Ok(i64::MAX), signed)?;
        let mut records = Vec::new();
        let filter = if tenant.is_some() {
            "r.tenant = ?3"
        } else {
            "?3 IS NULL"
        };
        let sql = format!("{ROW} WHERE r.seq < ?1 AND {filter} ORDER BY r.seq DESC LIMIT ?2");
        let mut statement = self.0.prepare_cached(&sql)?;
        // One more than asked for tells whether there is a next page.
        let mut rows = statement.query(params![before, i64::from(limit) + 1, tenant])?;
        while let Some(row) = rows.next()? {
            records.push(record_row(row)?);
        }
        let more = records.len() > usize::from(limit);
        records.truncate(usize::from(limit));
        let next = if more {
            records.last().map(|last: &RecordRow| last.seq)
        } else {
            None
        };
        Ok(Page { records, next })
    }

    /// Every record that is not settled, in order of acceptance.
    pub fn unsettled(&self) -> Result<Vec<Unsettled>, Error> {
        let sql = format!("{ENTRY} WHERE state IN ('accepted', 'submitted') ORDER BY seq");
        let mut statement = self.0.prepare(&sql)?;
        let mut rows = statement.query([])?;
        let mut unsettled = Vec::new();
        while let Some(row) = rows.next()? {
            unsettled.push(entry_row(row)?);
        }
        Ok(unsettled)
    }

    /// The last record accepted; 0 if there is none.
    pub fn last_seq(&self) -> Result<u64, Error> {
        let last = self
            .0
            .query_row("SELECT coalesce(max(seq), 0) FROM records", [], |row| {
                row.get(0)
            })?;
        unsigned(last)
    }

    /// How many records are in each state. Reads the whole index: for start-up and tests.
    pub fn count_by_state(&self) -> Result<Vec<(State, u64)>, Error> {
        let mut statement = self
            .0
            .prepare("SELECT state, count(*) FROM records GROUP BY state")?;
        let mut rows = statement.query([])?;
        let mut counts = Vec::new();
        while let Some(row) = rows.next()? {
            counts.push((
                State::parse(row.get_ref(0)?.as_str()?)?,
                unsigned(row.get(1)?)?,
            ));
        }
        Ok(counts)
    }

    fn entry(&self, seq: u64) -> Result<Unsettled, Error> {
        let mut statement = self.0.prepare_cached(&format!("{ENTRY} WHERE seq = ?1"))?;
        let mut rows = statement.query([signed(seq)?])?;
        rows.next()?
            .ok_or_else(|| Error::rule(format!("no record {seq}")))
            .and_then(entry_row)
    }

    fn record_where(
        &self,
        filter: &str,
        values: impl rusqlite::Params,
    ) -> Result<Option<RecordRow>, Error> {
        let mut statement = self.0.prepare_cached(&format!("{ROW} WHERE {filter}"))?;
        let found = statement
            .query_row(values, |row| Ok(record_row(row)))
            .optional()?;
        found.transpose()
    }
}

fn existing(seq: u64, changed: usize) -> Result<(), Error> {
    if changed == 1 {
        Ok(())
    } else {
        Err(Error::rule(format!("no record {seq}")))
    }
}

fn entry_row(row: &Row<'_>) -> Result<Unsettled, Error> {
    let entry = Entry {
        seq: unsigned(row.get(0)?)?,
        id: word(row.get_ref(1)?.as_blob()?)?,
        key: word(row.get_ref(2)?.as_blob()?)?,
        commitment: word(row.get_ref(3)?.as_blob()?)?,
        batch_max: row.get(4)?,
    };
    Ok(Unsettled {
        entry,
        searched: row.get(5)?,
    })
}

fn record_row(row: &Row<'_>) -> Result<RecordRow, Error> {
    let failure = match row.get::<_, Option<String>>(9)? {
        Some(code) => Some(Failure {
            code,
            detail: row.get::<_, Option<String>>(10)?.unwrap_or_default(),
        }),
        None => None,
    };
    let claimed = match (
        row.get::<_, Option<i64>>(11)?,
        row.get::<_, Option<i64>>(12)?,
    ) {
        (Some(height), Some(block_ms)) => Some((unsigned(height)?, unsigned(block_ms)?)),
        _ => None,
    };
    Ok(RecordRow {
        seq: unsigned(row.get(0)?)?,
        id: word(row.get_ref(1)?.as_blob()?)?,
        tenant: row.get(2)?,
        idempotency_key: row.get(3)?,
        digest: row.get_ref(4)?.as_blob_or_null()?.map(word).transpose()?,
        commitment: word(row.get_ref(5)?.as_blob()?)?,
        state: State::parse(row.get_ref(6)?.as_str()?)?,
        created_ms: unsigned(row.get(7)?)?,
        erased_ms: row.get::<_, Option<i64>>(8)?.map(unsigned).transpose()?,
        failure,
        claimed,
        tx_hash: row.get_ref(13)?.as_blob_or_null()?.map(word).transpose()?,
    })
}
