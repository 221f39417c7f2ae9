//! The machine's writes and its recovery. The shell and the simulator both come through here, so that what is
//! simulated is what runs.

use alloy_primitives::Address;
use db::{Cursor, Db, Error, View, Write};

use crate::{
    operation,
    record::{Config, Machine, Recovered},
};

/// Performs an `Effect::Persist`. When it returns, the write is on disk. On an error nothing is, and the machine, which
/// has gone on, must be dropped and [`recover`]ed.
pub fn apply(write: &Write, db: &mut Db) -> Result<(), Error> {
    db.write(|tx| tx.apply(write))
}

/// Makes the machine that continues where the journal ends.
pub fn recover(config: Config, view: &View<'_>) -> Result<Machine, Error> {
    Ok(Machine::recover(config, rows(view)?))
}

/// Makes the operations machine that continues where the journal ends.
pub fn recover_operations(
    config: operation::Config,
    relayers: &[Address],
    view: &View<'_>,
) -> Result<operation::Machine, Error> {
    let cursor = view.operation_cursor()?.ok_or_else(|| Error::Rule {
        detail: "the journal of operations has no cursor".to_owned(),
    })?;
    let relayers = relayers.iter().map(|account| {
        Ok(operation::RecoveredRelayer {
            account: *account,
            pending: view.pending_relays(account)?,
            nonce_floor: view.relay_floor(account)?,
        })
    });
    let rows = operation::Recovered {
        unsettled: view.unsettled_operations()?,
        last_seq: view.last_operation()?,
        relayers: relayers.collect::<Result<_, Error>>()?,
        cursor,
    };
    Ok(operation::Machine::recover(config, rows))
}

/// Sets where a new journal starts: a final block, so that the history before it need not be read. Does nothing to a
/// journal that has a cursor; returns the cursor.
pub fn start_at(start: Cursor, db: &mut Db) -> Result<Cursor, Error> {
    db.write(|tx| match tx.cursor()? {
        Some(cursor) => Ok(cursor),
        None => tx.set_cursor(&start).map(|()| start),
    })
}

fn rows(view: &View<'_>) -> Result<Recovered, Error> {
    let cursor = view.cursor()?.ok_or_else(|| Error::Rule {
        detail: "the journal has no cursor".to_owned(),
    })?;
    Ok(Recovered {
        unsettled: view.unsettled()?,
        last_seq: view.last_seq()?,
        pending: view.pending_batches()?,
        nonce_floor: view.nonce_floor()?,
        cursor,
    })
}
