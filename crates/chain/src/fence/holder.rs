//! Whether this process may sign with its key, by what the witnesses say. Pure: time is an input.

use super::{
    EXPIRY, HELD_PATIENCE, LEASE,
    message::{Answer, Claim, Run, Verdict},
    within,
};
use commonware_utils::{Faults as _, N3f1, ordered::Set};
use std::{collections::BTreeMap, fmt, time::SystemTime};
use types::PublicKey;

/// Claims whose answers still count.
const CLAIMS_KEPT: usize = 16;

/// Why a node must not sign, and ended.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FenceError {
    /// Another process has the key, and is up.
    #[error(
        "another process signs with this validator's key: run {theirs} of its data directory (this is run {ours}), seen by {} \
         validators ({witnesses}). Stop one of them, and never run a copy: of the two, only the original may go on",
        .witnesses.count()
    )]
    Held {
        /// Generation of the other.
        theirs: u64,
        /// Ours.
        ours: u64,
        /// Who sees it.
        witnesses: Witnesses,
    },
    /// A later run has taken over.
    #[error(
        "another process took over this validator's key: run {theirs} of its data directory (this is run {ours}), at block \
         {height}, seen by {} validators ({witnesses}). Stop one of them. Whichever is started again while those validators are \
         up gives up its share, and signs again when an epoch gives it another",
        .witnesses.count()
    )]
    Superseded {
        /// Generation of the other.
        theirs: u64,
        /// Ours.
        ours: u64,
        /// How far the other had come.
        height: u64,
        /// Who saw it.
        witnesses: Witnesses,
    },
}

/// Validators that say the same.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Witnesses(Vec<PublicKey>);

impl Witnesses {
    /// How many.
    pub const fn count(&self) -> usize {
        self.0.len()
    }
}

impl fmt::Display for Witnesses {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, key) in self.0.iter().enumerate() {
            if place > 0 {
                formatter.write_str(", ")?;
            }
            for byte in key.as_ref().iter().take(4) {
                write!(formatter, "{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// From when to when this process may sign.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    from: SystemTime,
    /// None: for ever.
    until: Option<SystemTime>,
}

impl Lease {
    const FOR_EVER: Self = Self {
        from: SystemTime::UNIX_EPOCH,
        until: None,
    };

    /// Whether it holds at a time. A clock that was set back ends it.
    pub fn holds(&self, now: SystemTime) -> bool {
        self.from <= now && self.until.is_none_or(|until| now < until)
    }
}

/// How things stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Too few answers.
    Waiting,
    /// It may sign.
    Granted(Lease),
    /// Another process has the key, and is up.
    Held,
    /// Its data are older than what was done with the key.
    Superseded,
    /// It must end.
    Fenced(FenceError),
}

#[derive(Clone, Copy, Debug)]
struct Heard {
    at: SystemTime,
    serial: u64,
    verdict: Verdict,
}

/// What a process knows of its own key.
#[derive(Clone, Debug)]
pub struct Holder {
    run: Run,
    began: Option<u64>,
    /// The other validators. Whoever is connected is asked, so that an epoch with others need not wait for answers; these count.
    witnesses: Set<PublicKey>,
    /// How many of them must grant; none as long as they are not known.
    needed: Option<usize>,
    /// How many of them may lie.
    faults: usize,
    serial: u64,
    /// When the last claims were sent.
    sent: BTreeMap<u64, SystemTime>,
    /// The last answer of each.
    heard: BTreeMap<PublicKey, Heard>,
    /// When the last claim was sent that each granted.
    granted: BTreeMap<PublicKey, SystemTime>,
    /// Whether it began to sign, or was allowed to.
    entered: bool,
    held_since: Option<SystemTime>,
}

impl Holder {
    /// A process that knows nobody yet. `began` as in [`Claim`].
    pub fn new(run: Run, began: Option<u64>) -> Self {
        Self {
            run,
            began,
            witnesses: Set::default(),
            needed: None,
            faults: 0,
            serial: 0,
            sent: BTreeMap::new(),
            heard: BTreeMap::new(),
            granted: BTreeMap::new(),
            entered: false,
            held_since: None,
        }
    }

    /// Learns who validates now. `me` is left out.
    pub fn set_committee(&mut self, committee: &Set<PublicKey>, me: &PublicKey) {
        if committee.is_empty() {
            return;
        }
        let others = committee.iter().filter(|key| *key != me).cloned();
        self.witnesses = Set::from_iter_dedup(others);
        self.faults = usize::try_from(N3f1::max_faults(committee.len())).unwrap_or(0);
        self.needed = Some(committee.len().saturating_sub(self.faults + 1));
    }

    fn is_witness(&self, key: &PublicKey) -> bool {
        self.witnesses.position(key).is_some()
    }

    /// Whose answers count.
    pub const fn witnesses(&self) -> &Set<PublicKey> {
        &self.witnesses
    }

    /// This run.
    pub const fn run(&self) -> Run {
        self.run
    }

    /// The next claim. What was heard too long ago is forgotten.
    pub fn claim(&mut self, height: u64, now: SystemTime) -> Claim {
        self.heard.retain(|_, heard| within(heard.at, now, EXPIRY));
        self.granted.retain(|_, sent| within(*sent, now, LEASE));
        self.serial += 1;
        self.sent.insert(self.serial, now);
        while self.sent.len() > CLAIMS_KEPT {
            self.sent.pop_first();
        }
        Claim {
            run: self.run,
            serial: self.serial,
            began: self.began,
            height,
        }
    }

    /// Hears an answer. Gives another run that wanted the key, if a witness says so.
    pub fn answer(&mut self, from: &PublicKey, answer: &Answer, now: SystemTime) -> Option<Run> {
        if answer.instance != self.run.instance {
            // For another process with our key, that this one shares its connections with.
            return None;
        }
        let Answer {
            serial, verdict, ..
        } = *answer;
        let sent = *self.sent.get(&serial)?;
        if self
            .heard
            .get(from)
            .is_some_and(|last| last.serial > serial)
        {
            // It came late.
            return None;
        }
        let at = now;
        let heard = Heard {
            at,
            serial,
            verdict,
        };
        self.heard.insert(from.clone(), heard);
        if verdict == Verdict::Granted {
            self.granted.insert(from.clone(), sent);
        } else {
            self.granted.remove(from);
        }
        answer.rival.filter(|_| self.is_witness(from))
    }

    /// Whether a witness has answered.
    pub fn is_heard(&self) -> bool {
        self.heard.keys().any(|key| self.is_witness(key))
    }

    /// Begins to sign, with its secrets: from now on it ends when it is superseded.
    pub const fn enter(&mut self) {
        self.entered = true;
    }

    /// Gives up its secrets: it can break no promise any more.
    pub fn disown(&mut self) {
        self.began = None;
    }

    /// Whether it can break no promise of an earlier run.
    pub const fn is_bare(&self) -> bool {
        self.began.is_none() && !self.entered
    }

    /// The witnesses whose answer not long ago was such.
    fn say<T>(&self, now: SystemTime, such: impl Fn(&Verdict) -> Option<T>) -> Vec<(PublicKey, T)> {
        let recent = self
            .heard
            .iter()
            .filter(|(key, heard)| self.is_witness(key) && within(heard.at, now, EXPIRY));
        let recent = recent.filter_map(|(key, heard)| Some((key.clone(), such(&heard.verdict)?)));
        recent.collect()
    }

    fn superseded(&self, now: SystemTime) -> Vec<(PublicKey, (u64, u64))> {
        self.say(now, |verdict| match verdict {
            Verdict::Superseded { generation, height } => Some((*generation, *height)),
            Verdict::Granted | Verdict::Held(_) => None,
        })
    }

    /// How things stand. When it must end it stays so.
    pub fn standing(&mut self, now: SystemTime) -> Standing {
        let superseded = self.superseded(now);
        if superseded.len() > self.faults && !self.is_bare() {
            if !self.entered {
                return Standing::Superseded;
            }
            return Standing::Fenced(FenceError::Superseded {
                theirs: said(
                    superseded.iter().map(|(_, (generation, _))| *generation),
                    self.faults,
                ),
                ours: self.run.generation,
                height: said(
                    superseded.iter().map(|(_, (_, height))| *height),
                    self.faults,
                ),
                witnesses: Witnesses(superseded.into_iter().map(|(key, _)| key).collect()),
            });
        }
        let held = self.say(now, |verdict| match verdict {
            Verdict::Held(run) => Some(run.generation),
            Verdict::Granted | Verdict::Superseded { .. } => None,
        });
        if held.len() > self.faults {
            let since = *self.held_since.get_or_insert(now);
            if now.duration_since(since).unwrap_or_default() < HELD_PATIENCE {
                return Standing::Held;
            }
            return Standing::Fenced(FenceError::Held {
                theirs: said(held.iter().map(|(_, generation)| *generation), self.faults),
                ours: self.run.generation,
                witnesses: Witnesses(held.into_iter().map(|(key, _)| key).collect()),
            });
        }
        self.held_since = None;
        match self.lease(now) {
            Some(lease) => {
                self.entered = true;
                Standing::Granted(lease)
            }
            None => Standing::Waiting,
        }
    }

    fn lease(&self, now: SystemTime) -> Option<Lease> {
        let needed = self.needed?;
        // The only validator: there is nobody to ask.
        let Some(last) = needed.checked_sub(1) else {
            return Some(Lease::FOR_EVER);
        };
        let granted = self.granted.iter();
        let granted = granted.filter(|(key, _)| self.is_witness(key));
        let mut granted: Vec<_> = granted.map(|(_, sent)| *sent).collect();
        granted.sort_unstable_by(|a, b| b.cmp(a));
        let from = *granted.get(last)?;
        let until = from.checked_add(LEASE);
        let lease = Lease { from, until };
        lease.holds(now).then_some(lease)
    }

    /// A greater generation to claim by, if some witness knows a later run that is not the rightful one: we can break no
    /// promise, or enough others grant to us. Without it that witness would refuse us for ever.
    pub fn raise(&mut self, now: SystemTime) -> Option<u64> {
        if !self.is_bare() && self.lease(now).is_none() {
            return None;
        }
        let known = self.superseded(now).into_iter();
        let known = known.map(|(_, (generation, _))| generation).max()?;
        let next = known.checked_add(1)?;
        (next > self.run.generation).then(|| {
            self.run.generation = next;
            next
        })
    }

    /// What the witnesses answered, for people.
    pub fn summary(&self, now: SystemTime) -> String {
        let count = |wanted: fn(&Verdict) -> bool| {
            let said = self.say(now, |verdict| wanted(verdict).then_some(()));
            said.len()
        };
        let granted = count(|verdict| *verdict == Verdict::Granted);
        let held = count(|verdict| matches!(verdict, Verdict::Held(_)));
        let superseded = count(|verdict| matches!(verdict, Verdict::Superseded { .. }));
        let silent = self
            .witnesses
            .len()
            .saturating_sub(granted + held + superseded);
        format!(
            "{granted} grant it, {held} hold it for another process, {superseded} know a later one, {silent} do not answer"
        )
    }
}

/// The greatest that an honest witness says at least, if so many may lie.
fn said(values: impl Iterator<Item = u64>, faults: usize) -> u64 {
    let mut values: Vec<_> = values.collect();
    values.sort_unstable_by(|a, b| b.cmp(a));
    values.get(faults).copied().unwrap_or_default()
}
