//! The three ways in: [`Db`] writes (one per directory), [`Reader`] reads beside it, [`Tx`] and [`View`] are
//! what a caller sees inside one SQL transaction.

use std::{
    ops::Deref,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use rusqlite::{Connection, TransactionBehavior};

use crate::{
    Binding, Error, Options,
    instance::Instance,
    open::{self, FILE},
};

/// The database, opened for writing. Holds the directory's lock.
#[derive(Debug)]
pub struct Db {
    pub(crate) connection: Connection,
    path: PathBuf,
    _instance: Instance,
}

impl Db {
    /// Opens the database in `dir`, creating both if need be. Refuses a directory that is in use, belongs to
    /// something else than `binding`, or is damaged.
    pub fn open(dir: &Path, binding: &Binding, options: &Options) -> Result<Self, Error> {
        let (connection, instance) = open::open(dir, binding, options)?;
        Ok(Self {
            connection,
            path: dir.join(FILE),
            _instance: instance,
        })
    }

    /// Runs `write` in one SQL transaction. When this returns `Ok`, its effects are on disk; on `Err`, there
    /// are none.
    pub fn write<T>(
        &mut self,
        write: impl FnOnce(&Tx<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let value = write(&Tx(View(&transaction)))?;
        transaction.commit()?;
        Ok(value)
    }

    /// Runs `read` on one state of the database.
    pub fn read<T>(
        &mut self,
        read: impl FnOnce(&View<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        read_in(&mut self.connection, read)
    }

    /// Moves everything from the log into the file and empties the log, so that no older page image is left
    /// in it. Called after an erasure.
    pub fn checkpoint(&mut self) -> Result<(), Error> {
        let busy: i64 =
            self.connection
                .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
        if busy == 0 { Ok(()) } else { Err(Error::Busy) }
    }

    /// Readers of the same file.
    pub fn readers(&self) -> Readers {
        Readers {
            path: self.path.as_path().into(),
            idle: Arc::default(),
        }
    }
}

/// One read-only connection.
#[derive(Debug)]
pub struct Reader(Connection);

impl Reader {
    /// Runs `read` on one state of the database.
    pub fn read<T>(
        &mut self,
        read: impl FnOnce(&View<'_>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        read_in(&mut self.0, read)
    }
}

/// Read-only connections, opened when needed and kept. As many as callers read at once.
#[derive(Debug, Clone)]
pub struct Readers {
    path: Arc<Path>,
    idle: Arc<Mutex<Vec<Reader>>>,
}

impl Readers {
    /// Runs `read` on one state of the database. Blocks the calling thread on the disk.
    pub fn read<T>(&self, read: impl FnOnce(&View<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let mut reader = match idle {
            Some(reader) => reader,
            None => Reader(open::open_reader(&self.path)?),
        };
        let result = reader.read(read);
        if !matches!(&result, Err(error) if error.is_storage()) {
            self.idle
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(reader);
        }
        result
    }
}

fn read_in<T>(
    connection: &mut Connection,
    read: impl FnOnce(&View<'_>) -> Result<T, Error>,
) -> Result<T, Error> {
    let transaction = connection.transaction()?;
    let value = read(&View(&transaction))?;
    transaction.commit()?;
    Ok(value)
}

/// Reading inside a transaction: everything comes from one state of the database.
#[derive(Debug)]
pub struct View<'a>(pub(crate) &'a Connection);

/// Writing inside a transaction.
#[derive(Debug)]
pub struct Tx<'a>(pub(crate) View<'a>);

impl<'a> Deref for Tx<'a> {
    type Target = View<'a>;

    fn deref(&self) -> &View<'a> {
        &self.0
    }
}

/// SQLite's integers are signed; none of ours comes near the bound.
pub(crate) fn signed(value: u64) -> Result<i64, Error> {
    i64::try_from(value).map_err(|_| Error::rule(format!("{value} is out of range")))
}

pub(crate) fn unsigned(value: i64) -> Result<u64, Error> {
    u64::try_from(value).map_err(|_| Error::Corrupt {
        detail: format!("negative number {value}"),
    })
}

pub(crate) fn word(bytes: &[u8]) -> Result<alloy_primitives::B256, Error> {
    alloy_primitives::B256::try_from(bytes).map_err(|_| Error::Corrupt {
        detail: format!("a hash of {} bytes", bytes.len()),
    })
}
