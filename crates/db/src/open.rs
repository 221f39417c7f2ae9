//! Opening the file: whose it is, which version it has, whether it is sound.

use std::{path::Path, time::Duration};

use alloy_primitives::B256;
use rusqlite::{Connection, OpenFlags, OptionalExtension as _, params};

use crate::{Error, instance::Instance};

/// Name of the database in the data directory.
pub const FILE: &str = "gateway.sqlite3";

/// `ASHG`, in the file's header: tells our database from any other SQLite file.
const APPLICATION_ID: i64 = 0x4153_4847;

/// Each entry brings the schema from version `index` to `index + 1`. Entries are never changed, only added.
const MIGRATIONS: &[&str] = &[
    include_str!("schema/0001_journal.sql"),
    include_str!("schema/0002_operations.sql"),
];

/// Files up to this size are checked at every opening, their indexes against their tables too: an index that lost an
/// entry would make a record that is there one that is not.
const CHECKED_BYTES_MAX: i64 = 256 << 20;

/// What a data directory belongs to. Written at creation, compared at every opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The EVM chain id of the network.
    pub chain_id: u64,
    /// The network's genesis block hash.
    pub genesis: B256,
    /// The organization on chain under which record ids are made.
    pub organization: B256,
    /// Fingerprint of the master key under which content is sealed.
    pub master_key: B256,
}

/// Limits of the file.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Largest size of the database file; beyond it writes answer [`Error::Full`]. None: as far as the disk goes.
    pub bytes_max: Option<u64>,
}

pub(crate) fn open(
    dir: &Path,
    binding: &Binding,
    options: &Options,
) -> Result<(Connection, Instance), Error> {
    std::fs::create_dir_all(dir).map_err(|error| Error::Disk {
        detail: format!("{}: {error}", dir.display()),
    })?;
    let instance = Instance::acquire(dir)?;
    let path = dir.join(FILE);
    let mut connection = Connection::open_with_flags(
        &path,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_CREATE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    restrict(&path)?;
    configure(&connection)?;
    if let Some(bytes_max) = options.bytes_max {
        limit(&connection, bytes_max)?;
    }
    migrate(&mut connection, &path)?;
    check(&connection)?;
    bind(&mut connection, &path, binding)?;
    Ok((connection, instance))
}

/// A connection that only reads; it never sees an uncommitted write.
pub(crate) fn open_reader(path: &Path) -> Result<Connection, Error> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX,
    )?;
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Writes the database of a data directory, as it is at one moment, into a file of its own that is durable on return. Whoever
/// works on the directory goes on meanwhile.
///
/// # Errors
/// [`Error`] of SQLite or the disk. The target must not exist.
pub fn snapshot(dir: &Path, to: &Path) -> Result<(), Error> {
    let disk = |error: std::io::Error| Error::Disk {
        detail: format!("{}: {error}", to.display()),
    };
    let connection = open_reader(&dir.join(FILE))?;
    let target = to.to_str().ok_or_else(|| Error::Disk {
        detail: format!("{} is no UTF-8", to.display()),
    })?;
    // So that nobody else can read it while it is written. SQLite takes an empty file for a database to be made.
    let file = std::fs::File::create_new(to).map_err(disk)?;
    restrict(to)?;
    connection.execute("VACUUM INTO ?1", params![target])?;
    file.sync_all().map_err(disk)
}

/// The database holds tenants' names and keys: not for other users of the machine.
fn restrict(path: &Path) -> Result<(), Error> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(
            |error| Error::Disk {
                detail: format!("{}: {error}", path.display()),
            },
        )?;
    }
    Ok(())
}

fn configure(connection: &Connection) -> Result<(), Error> {
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.set_prepared_statement_cache_capacity(64);
    let journal: String =
        connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
    if journal != "wal" {
        return Err(Error::Disk {
            detail: format!("write-ahead log unavailable (journal mode {journal})"),
        });
    }
    connection.execute_batch(
        "PRAGMA synchronous = FULL;
         PRAGMA foreign_keys = ON;
         PRAGMA secure_delete = ON;
         PRAGMA trusted_schema = OFF;
         PRAGMA cell_size_check = ON;",
    )?;
    Ok(())
}

fn limit(connection: &Connection, bytes_max: u64) -> Result<(), Error> {
    let page: i64 = connection.query_row("PRAGMA page_size", [], |row| row.get(0))?;
    let pages = i64::try_from(bytes_max)
        .unwrap_or(i64::MAX)
        .checked_div(page)
        .unwrap_or(1)
        .max(1);
    connection.query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
    Ok(())
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), Error> {
    let pragma = |connection: &Connection, name: &str| -> Result<i64, Error> {
        Ok(connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))?)
    };
    let found = pragma(connection, "user_version")?;
    let tables: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables > 0 && pragma(connection, "application_id")? != APPLICATION_ID {
        return Err(Error::NotOurs {
            path: path.to_owned(),
        });
    }
    let known = MIGRATIONS.len() as i64;
    let done = match usize::try_from(found) {
        Ok(done) if done <= MIGRATIONS.len() => done,
        _ => {
            return Err(Error::TooNew {
                path: path.to_owned(),
                found,
                known,
            });
        }
    };
    for (version, sql) in MIGRATIONS.iter().enumerate().skip(done) {
        let step = connection.transaction()?;
        step.execute_batch(sql)?;
        step.execute_batch(&format!(
            "PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = {};",
            version + 1
        ))?;
        step.commit()?;
    }
    Ok(())
}

fn check(connection: &Connection) -> Result<(), Error> {
    let bytes: i64 = connection.query_row(
        "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
        [],
        |row| row.get(0),
    )?;
    if bytes > CHECKED_BYTES_MAX {
        return Ok(());
    }
    let finding: String =
        connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if finding == "ok" {
        Ok(())
    } else {
        Err(Error::Corrupt { detail: finding })
    }
}

fn bind(connection: &mut Connection, path: &Path, binding: &Binding) -> Result<(), Error> {
    let transaction = connection.transaction()?;
    let read = |name: &str| -> Result<Option<Vec<u8>>, Error> {
        let value = transaction
            .query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| {
                row.get(0)
            })
            .optional()?;
        Ok(value)
    };
    let damaged = |name: &str| Error::Corrupt {
        detail: format!("meta.{name} is malformed"),
    };
    let word =
        |name: &str, bytes: Vec<u8>| B256::try_from(bytes.as_slice()).map_err(|_| damaged(name));
    let Some(chain_id) = read("chain_id")? else {
        for (name, value) in [
            ("chain_id", binding.chain_id.to_be_bytes().as_slice()),
            ("genesis", binding.genesis.as_slice()),
            ("organization", binding.organization.as_slice()),
            ("master_key", binding.master_key.as_slice()),
        ] {
            transaction.execute(
                "INSERT INTO meta (name, value) VALUES (?1, ?2)",
                params![name, value],
            )?;
        }
        return Ok(transaction.commit()?);
    };
    let found_chain_id = u64::from_be_bytes(chain_id.try_into().map_err(|_| damaged("chain_id"))?);
    let stored = |name: &'static str| {
        read(name)?
            .ok_or_else(|| damaged(name))
            .and_then(|bytes| word(name, bytes))
    };
    let found_genesis = stored("genesis")?;
    let path = path.to_owned();
    if (found_chain_id, found_genesis) != (binding.chain_id, binding.genesis) {
        return Err(Error::OtherNetwork {
            path,
            found_chain_id,
            found_genesis,
            chain_id: binding.chain_id,
            genesis: binding.genesis,
        });
    }
    let found = stored("organization")?;
    if found != binding.organization {
        return Err(Error::OtherOrganization {
            path,
            found,
            organization: binding.organization,
        });
    }
    if stored("master_key")? != binding.master_key {
        return Err(Error::OtherMasterKey { path });
    }
    Ok(())
}
