//! Group commit: one thread owns the database; the writes that wait while a commit is on its way to the disk
//! share the next one. A caller hears back after the commit, never before.

use std::thread::{self, JoinHandle};

use tokio::sync::{
    mpsc::{self, error::TrySendError},
    oneshot,
};

use crate::{Db, Error, Tx};

/// Most writes in one commit. Bounds the wait of the first of them.
const GROUP_MAX: usize = 256;

/// Sends writes to the thread that owns the database. Clone it freely; when the last one is gone the thread
/// finishes what waits and closes the database.
#[derive(Debug, Clone)]
pub struct Writer {
    jobs: mpsc::Sender<Box<dyn Job>>,
}

impl Writer {
    /// Starts the thread. At most `waiting_max` writes wait for it.
    pub fn start(db: Db, waiting_max: usize) -> Result<(Self, JoinHandle<()>), Error> {
        let (jobs, waiting) = mpsc::channel(waiting_max.max(1));
        let thread = thread::Builder::new()
            .name("db-writer".to_owned())
            .spawn(move || run(db, waiting))
            .map_err(|error| Error::Disk {
                detail: format!("cannot start the writer thread: {error}"),
            })?;
        Ok((Self { jobs }, thread))
    }

    /// Runs `write` and waits until it is on disk. Waits for a place in the queue if it is full.
    pub async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (job, reply) = Task::with_reply(write, false);
        self.jobs.send(job).await.map_err(|_| Error::Stopped)?;
        reply.await.map_err(|_| Error::Stopped)?
    }

    /// Like [`Self::write`], but answers [`Error::Busy`] at once if the queue is full.
    pub async fn try_write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (job, reply) = Task::with_reply(write, false);
        self.jobs.try_send(job).map_err(|error| match error {
            TrySendError::Full(_) => Error::Busy,
            TrySendError::Closed(_) => Error::Stopped,
        })?;
        reply.await.map_err(|_| Error::Stopped)?
    }

    /// Like [`Self::write`], and then empties the log, so that nothing of what `write` removed is left in it.
    pub async fn write_and_checkpoint<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Tx<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        let (job, reply) = Task::with_reply(write, true);
        self.jobs.send(job).await.map_err(|_| Error::Stopped)?;
        reply.await.map_err(|_| Error::Stopped)?
    }
}

/// A write, with the caller waiting for its result.
trait Job: Send {
    /// Runs inside the group's transaction, in a savepoint of its own.
    fn run(&mut self, tx: &Tx<'_>) -> Result<(), Error>;
    /// Whether the log must be emptied after the commit.
    fn checkpoints(&self) -> bool;
    /// Tells the caller: its own result, unless something `failed` that concerns it.
    fn finish(self: Box<Self>, failed: Option<Error>);
}

struct Task<T, W> {
    write: Option<W>,
    result: Result<T, Error>,
    checkpoints: bool,
    reply: oneshot::Sender<Result<T, Error>>,
}

impl<T, W> Task<T, W>
where
    T: Send + 'static,
    W: FnOnce(&Tx<'_>) -> Result<T, Error> + Send + 'static,
{
    fn with_reply(
        write: W,
        checkpoints: bool,
    ) -> (Box<dyn Job>, oneshot::Receiver<Result<T, Error>>) {
        let (reply, received) = oneshot::channel();
        (
            Box::new(Self {
                write: Some(write),
                result: Err(Error::Stopped),
                checkpoints,
                reply,
            }),
            received,
        )
    }
}

impl<T, W> Job for Task<T, W>
where
    T: Send + 'static,
    W: FnOnce(&Tx<'_>) -> Result<T, Error> + Send + 'static,
{
    fn run(&mut self, tx: &Tx<'_>) -> Result<(), Error> {
        let Some(write) = self.write.take() else {
            return Err(Error::rule("a write runs once"));
        };
        match write(tx) {
            Ok(value) => {
                self.result = Ok(value);
                Ok(())
            }
            Err(error) => {
                self.result = Err(error.clone());
                Err(error)
            }
        }
    }

    fn checkpoints(&self) -> bool {
        self.checkpoints
    }

    fn finish(self: Box<Self>, failed: Option<Error>) {
        // A caller that went away still had its write done: it was a promise only if it was heard.
        let _ = self.reply.send(failed.map_or(self.result, Err));
    }
}

fn run(mut db: Db, mut waiting: mpsc::Receiver<Box<dyn Job>>) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    loop {
        if waiting.blocking_recv_many(&mut group, GROUP_MAX) == 0 {
            // So that what is left is one whole file. Without it nothing is lost: the next opening reads the log.
            let _ = db.checkpoint();
            return;
        }
        let mut failed = commit(&mut db, &mut group).err();
        if failed.is_none() && group.iter().any(|job| job.checkpoints()) {
            failed = db.checkpoint().err();
            if failed.is_some() {
                // The commit stands; only those who asked for an empty log must hear that it is not.
                for job in group.drain(..) {
                    let heard = if job.checkpoints() {
                        failed.clone()
                    } else {
                        None
                    };
                    job.finish(heard);
                }
                continue;
            }
        }
        for job in group.drain(..) {
            job.finish(failed.clone());
        }
    }
}

/// Runs every job in its own savepoint, so that one refused by a rule does not spoil the others; a failure
/// of storage spoils all.
fn commit(db: &mut Db, group: &mut [Box<dyn Job>]) -> Result<(), Error> {
    db.write(|tx| {
        for job in group {
            tx.0.0.execute_batch("SAVEPOINT job")?;
            if let Err(error) = job.run(tx) {
                if error.is_storage() {
                    return Err(error);
                }
                tx.0.0.execute_batch("ROLLBACK TO job")?;
            }
            tx.0.0.execute_batch("RELEASE job")?;
        }
        Ok(())
    })
}
