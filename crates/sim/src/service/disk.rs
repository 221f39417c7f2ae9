//! The gateway's disk: a real SQLite journal that outlives the simulated process, and loses whatever a killed process
//! had not committed.

use db::{Binding, Db, Error, Options};
use std::{
    fs,
    path::PathBuf,
    sync::{Mutex, MutexGuard, PoisonError},
};
use tempfile::TempDir;

/// A data directory. The process that is running is known by the number of its life.
pub struct Disk(Mutex<State>);

struct State {
    root: TempDir,
    dir: PathBuf,
    life: u64,
    db: Option<Db>,
}

impl Disk {
    /// An empty directory.
    #[expect(
        clippy::expect_used,
        reason = "without a temporary directory there is no simulation"
    )]
    pub fn new() -> Self {
        let root = tempfile::tempdir().expect("a temporary directory");
        let dir = root.path().join("0");
        Self(Mutex::new(State {
            root,
            dir,
            life: 0,
            db: None,
        }))
    }

    /// A process starts and opens the journal. Gives the number of its life.
    pub fn boot(&self, binding: &Binding) -> Result<u64, Error> {
        let mut state = self.lock();
        let db = Db::open(&state.dir, binding, &Options::default())?;
        state.db = Some(db);
        state.life += 1;
        Ok(state.life)
    }

    /// The process is killed: the journal is what the files hold at this moment. A connection that is closed in order
    /// tidies up behind itself, which a killed process does not, so the files are copied before.
    #[expect(
        clippy::expect_used,
        reason = "the simulation's own files; going on would prove nothing"
    )]
    pub fn kill(&self) {
        let mut state = self.lock();
        let Some(db) = state.db.take() else { return };
        let next = state.root.path().join(state.life.to_string());
        fs::create_dir(&next).expect("a new directory");
        for entry in fs::read_dir(&state.dir).expect("the data directory") {
            let name = entry.expect("an entry of it").file_name();
            let text = name.to_string_lossy();
            // The lock and the shared memory belong to the process.
            if !text.ends_with(".lock") && !text.ends_with("-shm") {
                fs::copy(state.dir.join(&name), next.join(&name)).expect("a copy");
            }
        }
        drop(db);
        fs::remove_dir_all(&state.dir).expect("the old directory goes");
        state.dir = next;
    }

    /// Whether a process is running.
    pub fn is_on(&self) -> bool {
        self.lock().db.is_some()
    }

    /// Works on the journal; none if the process of that life was killed.
    pub fn with<T>(&self, life: u64, work: impl FnOnce(&mut Db) -> T) -> Option<T> {
        let mut state = self.lock();
        if state.life != life {
            return None;
        }
        state.db.as_mut().map(work)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
