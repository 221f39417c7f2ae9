//! The account's nonces: which are used for certain, which comes next, and what to make of what nodes say.
//!
//! A nonce at or above the floor that is not in flight was never signed: every transaction that was signed is in
//! flight until the stream shows its nonce used, and then the floor is above it.

use super::{
    Carrier, Judgement, Moves, NonceRead,
    flight::{Doubt, Flight},
};

/// What is known about the account's nonces.
#[derive(Debug)]
pub(super) struct Nonces {
    /// Every lower nonce is used: the verified stream showed it.
    floor: u64,
    /// The nonce of the next transaction; none before the chain was looked at, because the journal may be an old backup.
    next: Option<u64>,
    read: Read,
}

/// The one read that may be under way.
#[derive(Debug)]
enum Read {
    Idle,
    Wanted,
    /// A node was asked; after that time another one is.
    Asked {
        until_ms: u64,
    },
    /// A node answered, of a height that the stream has not reached. After that time another one is asked.
    Answered {
        word: NonceRead,
        until_ms: u64,
    },
}

impl Nonces {
    pub(super) const fn new(floor: u64) -> Self {
        Self {
            floor,
            next: None,
            read: Read::Wanted,
        }
    }

    pub(super) const fn floor(&self) -> u64 {
        self.floor
    }

    pub(super) const fn is_known(&self) -> bool {
        self.next.is_some()
    }

    /// The nonce for a new transaction, once it is known.
    pub(super) fn next(&self, flight: &Flight) -> Option<u64> {
        self.next
            .map(|next| flight.first_free(next.max(self.floor)))
    }

    /// Nothing was signed with it after all.
    pub(super) fn give_back(&mut self, nonce: u64) {
        self.next = self.next.map(|next| next.min(nonce));
    }

    /// The verified stream showed a transaction with that nonce.
    pub(super) fn used(&mut self, nonce: u64) {
        self.floor = self.floor.max(nonce.saturating_add(1));
    }

    /// Asks a node soon.
    pub(super) const fn want_read(&mut self) {
        if matches!(self.read, Read::Idle) {
            self.read = Read::Wanted;
        }
    }

    pub(super) const fn deadline(&self) -> Option<u64> {
        match &self.read {
            Read::Asked { until_ms } | Read::Answered { until_ms, .. } => Some(*until_ms),
            Read::Idle | Read::Wanted => None,
        }
    }

    fn is_read_due(&self, now_ms: u64) -> bool {
        matches!(self.read, Read::Wanted)
            || self.deadline().is_some_and(|until_ms| until_ms <= now_ms)
    }
}

impl Carrier {
    /// Which try of a read is due, if one is wanted or the node asked last is of no help.
    pub(crate) fn read(&mut self, now_ms: u64) -> Option<u32> {
        if !self.nonces.is_read_due(now_ms) {
            return None;
        }
        self.nonces.read = Read::Asked {
            until_ms: now_ms.saturating_add(self.pace.read_ms),
        };
        self.read_attempt = self.read_attempt.wrapping_add(1);
        Some(self.read_attempt)
    }

    /// Takes a read's answer in. It counts once the stream has come to `height`.
    pub(crate) fn nonce_read(
        &mut self,
        now_ms: u64,
        read: Option<NonceRead>,
        height: u64,
    ) -> Judgement {
        self.nonces.read = match read {
            Some(word) => Read::Answered {
                word,
                until_ms: now_ms.saturating_add(self.pace.reconcile_ms),
            },
            // The next node is asked soon, but not at once: perhaps none can be reached.
            None => Read::Asked {
                until_ms: now_ms.saturating_add(self.pace.read_ms / 8),
            },
        };
        self.judge(height)
    }

    /// Acts on what a node said, once the stream has passed the height of it. Until then a transaction of ours may
    /// simply be in a block that has not come yet.
    ///
    /// The node may be wrong, or lie. Then transactions are doubted that are on their way, and their riders ride in a
    /// second one too: the contract makes that harmless. Or a nonce is skipped; then everything above waits until
    /// another node is asked, which is soon, because nothing becomes final. Nothing is lost in either case.
    pub(crate) fn judge(&mut self, height: u64) -> Judgement {
        let word = match &self.nonces.read {
            Read::Answered { word, .. } if word.height <= height => *word,
            _ => return Judgement::default(),
        };
        self.nonces.read = Read::Idle;
        self.base_fee = self.base_fee.max(word.base_fee);
        // What the node's mempool holds from `latest` on is on its way, and so is what of ours follows without a gap.
        let known = word.latest.max(word.pending).max(self.nonces.floor);
        let free = self.flight.first_free(known);
        let moves = self.doubt(|nonce, _| match nonce {
            nonce if nonce < word.latest => Some(Doubt::Used),
            nonce if nonce > free => Some(Doubt::Stranded),
            _ => None,
        });
        let gap = self.flight.nonces().any(|nonce| nonce > free);
        self.nonces.next = Some(free);
        Judgement {
            moves,
            gap: gap.then_some(free),
        }
    }

    /// Transactions that follow the floor without a gap can be included: whatever stranded them is over.
    pub(crate) fn unstrand(&mut self) -> Moves {
        let free = self.flight.first_free(self.nonces.floor);
        if !self.flight.is_stranded_below(free) {
            return Moves::default();
        }
        self.doubt(|nonce, doubt| doubt.filter(|doubt| nonce >= free || *doubt != Doubt::Stranded))
    }

    /// Judges every persisted transaction anew. The riders of a doubted one ride elsewhere too.
    fn doubt(&mut self, verdict: impl Fn(u64, Option<Doubt>) -> Option<Doubt>) -> Moves {
        let mut moves = Moves::default();
        for (nonce, transaction) in self
            .flight
            .iter_mut()
            .filter(|(_, transaction)| transaction.hash().is_some())
        {
            let before = transaction.doubt;
            transaction.doubt = verdict(nonce, before);
            match (before, transaction.doubt) {
                (None, Some(_)) => moves.alight.extend_from_slice(&transaction.riders),
                (Some(_), None) => {
                    transaction.send_now();
                    moves.ride.extend_from_slice(&transaction.riders);
                }
                _ => {}
            }
        }
        moves
    }
}
