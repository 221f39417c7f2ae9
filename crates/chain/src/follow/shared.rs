//! What a follower knows of its upstreams, and what came from them: one lock, held for moments.

use super::{page::Checked, shelf::Shelf, upstream::Lie};
use crate::{alias::Finalization, feed::Feed};
use bytes::{BufMut as _, Bytes, BytesMut};
use commonware_consensus::marshal::resolver::handler;
use commonware_utils::channel::mpsc;
use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};
use tracing::{info, warn};
use types::Digest;

/// How long an upstream that lied is left alone.
const LEFT_ALONE: Duration = Duration::from_secs(60);
/// How often people are told again that an upstream is of no use.
const REMIND: Duration = Duration::from_secs(60);
/// One upstream is asked for many blocks at a time, the others for the next only, which shows whether it holds any back. After so
/// long without a block from it, it is another's turn.
const LEAD: Duration = Duration::from_secs(1);
/// After so long the engine is told again of what waits for it.
const AGAIN: Duration = Duration::from_secs(2);
/// A follower that is further behind than this is catching up.
const BEHIND: u64 = 16;

/// An upstream, as its follower sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UpstreamStatus {
    /// What people know it by.
    pub name: String,
    /// The last final block it has shown to have; none before it answered.
    pub height: Option<u64>,
    /// Why it is of no use now; none if it answers.
    pub complaint: Option<String>,
}

/// The upstreams of a follower. Cheap to clone; clones share them.
#[derive(Clone)]
pub struct Upstreams(pub(super) Arc<Shared>);

impl Upstreams {
    /// Each, in the order in which they were given.
    pub fn status(&self) -> Vec<UpstreamStatus> {
        let state = self.0.lock();
        state.standings.iter().map(Standing::status).collect()
    }

    /// How many answer.
    pub fn answering(&self) -> usize {
        let state = self.0.lock();
        let answering = |standing: &&Standing| standing.answers();
        state.standings.iter().filter(answering).count()
    }

    /// The highest final block that an upstream proved there is; 0 before one has.
    pub fn head(&self) -> u64 {
        self.0.lock().head
    }

    /// Whether the chain is further than this node, by more than goes by in a moment, or it is not known yet how far it is.
    pub fn is_behind(&self) -> bool {
        let heard = self
            .0
            .lock()
            .standings
            .iter()
            .any(|each| each.height.is_some());
        !heard || self.head() > self.0.feed.height().saturating_add(BEHIND)
    }
}

/// What all tasks of a follower share.
pub(super) struct Shared {
    state: Mutex<State>,
    pub feed: Feed,
    /// Wakes whoever answers the engine.
    bell: mpsc::Sender<()>,
}

struct State {
    shelf: Shelf,
    standings: Vec<Standing>,
    /// The highest block that was proved to be final.
    head: u64,
    /// Who is asked for many blocks, and when it last brought one.
    lead: Option<(usize, SystemTime)>,
    /// The last certificate that the engine was told of, over which height, and when.
    told: Option<(Finalization, u64, SystemTime)>,
}

/// How it goes with one upstream.
struct Standing {
    name: String,
    height: Option<u64>,
    /// Failures in a row.
    failures: u32,
    complaint: Option<String>,
    /// When people were told of it.
    told: Option<SystemTime>,
    left_until: Option<SystemTime>,
}

impl Standing {
    const fn answers(&self) -> bool {
        self.height.is_some() && self.complaint.is_none()
    }

    fn status(&self) -> UpstreamStatus {
        UpstreamStatus {
            name: self.name.clone(),
            height: self.height,
            complaint: self.complaint.clone(),
        }
    }
}

/// What to ask an upstream for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ask {
    /// The first block.
    pub from: u64,
    /// How many; 0: only how far it is.
    pub count: u64,
}

/// What the engine is given.
pub(super) struct Answer {
    pub value: Bytes,
    pub source: usize,
    /// Whether there is a certificate over just this block.
    pub certified: bool,
}

impl Shared {
    /// Nothing has come yet.
    pub fn new(
        names: impl IntoIterator<Item = String>,
        feed: Feed,
        bell: mpsc::Sender<()>,
    ) -> Self {
        let standings = names.into_iter().map(|name| Standing {
            name,
            height: None,
            failures: 0,
            complaint: None,
            told: None,
            left_until: None,
        });
        let state = State {
            shelf: Shelf::default(),
            standings: standings.collect(),
            head: 0,
            lead: None,
            told: None,
        };
        Self {
            state: Mutex::new(state),
            feed,
            bell,
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The highest block that was proved to be final.
    pub fn head(&self) -> u64 {
        self.lock().head
    }

    /// How long an upstream is left alone from now on, if it is.
    pub fn left(&self, index: usize, now: SystemTime) -> Option<Duration> {
        let state = self.lock();
        let until = state.standings.get(index)?.left_until?;
        until
            .duration_since(now)
            .ok()
            .filter(|left| !left.is_zero())
    }

    /// What to ask an upstream for now: many blocks in a row at one of them, the next one at the others.
    pub fn ask(&self, index: usize, many: u64, now: SystemTime) -> Ask {
        let processed = self.feed.height();
        let mut state = self.lock();
        state.shelf.clear_to(processed);
        let Some(from) = state.shelf.wanted(processed) else {
            let from = processed.saturating_add(1);
            return Ask { from, count: 0 };
        };
        let passed = |since| now.duration_since(since).unwrap_or_default();
        let leads = match state.lead {
            None => true,
            Some((leader, since)) => leader == index || passed(since) > LEAD,
        };
        if leads && state.lead.is_none_or(|(leader, _)| leader != index) {
            state.lead = Some((index, now));
        }
        let count = if leads { many } else { 1 };
        Ask { from, count }
    }

    /// An upstream answered, and what it said holds. Gives the certificate that the engine is to be told of, if any.
    pub fn answered(
        &self,
        index: usize,
        head: u64,
        checked: Checked,
        now: SystemTime,
    ) -> Option<Finalization> {
        let processed = self.feed.height();
        let mut state = self.lock();
        let State {
            shelf,
            standings,
            head: highest,
            lead,
            told,
        } = &mut *state;
        if let Some(standing) = standings.get_mut(index) {
            if standing.complaint.take().is_some() {
                info!(upstream = standing.name, "an upstream answers again");
            }
            standing.failures = 0;
            standing.told = None;
            standing.height = standing.height.max(Some(head));
        }
        *highest = (*highest).max(head);
        let top = checked.items.last().map_or(0, |item| item.height);
        *highest = (*highest).max(top);
        let mut news = false;
        for item in checked.items {
            news |= item.height > processed && shelf.put(item);
        }
        if news {
            if let Some((leader, since)) = lead
                && *leader == index
            {
                *since = now;
            }
            let _ = self.bell.try_send(());
        }
        if let Some(last) = checked.last
            && news
            && told.as_ref().is_none_or(|(_, height, _)| *height < top)
        {
            *told = Some((last.clone(), top, now));
            return Some(last);
        }
        // It may have been busy.
        if let Some((last, height, at)) = told
            && *height > processed
            && now.duration_since(*at).unwrap_or_default() > AGAIN
        {
            *at = now;
            return Some(last.clone());
        }
        None
    }

    /// An upstream was of no use. Gives how often in a row.
    pub fn failed(&self, index: usize, complaint: String, now: SystemTime) -> u32 {
        let mut state = self.lock();
        state.give_up_lead(index);
        let Some(standing) = state.standings.get_mut(index) else {
            return 1;
        };
        standing.failures = standing.failures.saturating_add(1);
        let due = standing.told.is_none_or(|told| {
            let since = now.duration_since(told).unwrap_or_default();
            since >= REMIND
        });
        if due {
            warn!(
                upstream = standing.name,
                "an upstream is of no use: {complaint}"
            );
            standing.told = Some(now);
        }
        standing.complaint = Some(complaint);
        standing.failures
    }

    /// An upstream said what cannot be true: it is left alone, and nothing of what it sent is used any more.
    pub fn lied(&self, index: usize, lie: &Lie, now: SystemTime) {
        let mut state = self.lock();
        state.give_up_lead(index);
        state.shelf.clear_of(index);
        // What it proved is true nevertheless.
        if let Some((_, _, at)) = &mut state.told {
            *at = SystemTime::UNIX_EPOCH;
        }
        let Some(standing) = state.standings.get_mut(index) else {
            return;
        };
        warn!(
            upstream = standing.name,
            "an upstream lies, and is left alone for {} s: {lie}",
            LEFT_ALONE.as_secs()
        );
        standing.complaint = Some(format!("it lied and is left alone for a while: {lie}"));
        standing.left_until = now.checked_add(LEFT_ALONE);
        standing.told = Some(now);
    }

    /// The engine found that what came from an upstream does not hold.
    pub fn forged(&self, index: usize, key: &handler::Key<Digest>, now: SystemTime) {
        let height = match key {
            handler::Key::Finalized { height } => height.get(),
            handler::Key::Block(digest) => {
                let state = self.lock();
                state.shelf.with(digest).map_or(0, |item| item.height)
            }
            handler::Key::Notarized { .. } => 0,
        };
        self.lied(index, &Lie::Forged(height), now);
    }

    /// What there is for a question of the engine.
    pub fn answer(&self, key: &handler::Key<Digest>) -> Option<Answer> {
        let state = self.lock();
        match key {
            handler::Key::Finalized { height } => {
                let item = state.shelf.at(height.get())?;
                let certificate = item.certificate.as_ref()?;
                let length = certificate.len().saturating_add(item.block.len());
                let mut value = BytesMut::with_capacity(length);
                value.put_slice(certificate);
                value.put_slice(&item.block);
                Some(Answer {
                    value: value.freeze(),
                    source: item.source,
                    certified: true,
                })
            }
            handler::Key::Block(digest) => {
                let item = state.shelf.with(digest)?;
                Some(Answer {
                    value: item.block.0.clone(),
                    source: item.source,
                    certified: item.certificate.is_some(),
                })
            }
            // Nobody asks: there are no votes here.
            handler::Key::Notarized { .. } => None,
        }
    }
}

impl State {
    fn give_up_lead(&mut self, index: usize) {
        if self.lead.is_some_and(|(leader, _)| leader == index) {
            self.lead = None;
        }
    }
}
