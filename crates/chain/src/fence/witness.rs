//! Whose key is whose, as far as one node has heard. Pure: time is an input.

use super::{
    EXPIRY, SAY,
    message::{Answer, Claim, Instance, Run, Verdict},
    within,
};
use std::{collections::BTreeMap, time::SystemTime};
use types::PublicKey;

/// Keys remembered. Only nodes that are let in are heard, and there are fewer of those.
const KEYS_MAX: usize = 256;

/// Who was granted a key.
#[derive(Clone, Debug)]
struct Known {
    run: Run,
    /// Greatest height that this run, or those before it, claimed.
    height: u64,
    /// When it was heard last; none after it said that it ended.
    heard: Option<SystemTime>,
    /// Who else wanted the key, and when.
    rival: Option<(Run, SystemTime)>,
}

impl Known {
    /// Whether it was heard not long ago. Clocks may be set back: then it counts as heard now.
    fn is_up(&mut self, now: SystemTime) -> bool {
        let Some(heard) = &mut self.heard else {
            return false;
        };
        *heard = (*heard).min(now);
        within(*heard, now, EXPIRY)
    }
}

/// What a node knows of the others' keys.
#[derive(Clone, Debug, Default)]
pub struct Witness(BTreeMap<PublicKey, Known>);

impl Witness {
    /// Judges the claim of whoever has this key.
    pub fn judge(&mut self, key: &PublicKey, claim: &Claim, now: SystemTime) -> Answer {
        let answer = |verdict, rival| Answer {
            instance: claim.run.instance,
            serial: claim.serial,
            verdict,
            rival,
        };
        let Some(known) = self.0.get_mut(key) else {
            self.make_room();
            let known = Known {
                run: claim.run,
                height: claim.height,
                heard: Some(now),
                rival: None,
            };
            self.0.insert(key.clone(), known);
            return answer(Verdict::Granted, None);
        };
        if claim.run.instance == known.run.instance {
            // It may count itself higher, to pass one that was refused elsewhere.
            known.run.generation = known.run.generation.max(claim.run.generation);
            known.height = known.height.max(claim.height);
            known.heard = Some(now);
            let rival = known.rival.filter(|(_, seen)| within(*seen, now, SAY));
            return answer(Verdict::Granted, rival.map(|(run, _)| run));
        }
        let superseded = Verdict::Superseded {
            generation: known.run.generation,
            height: known.height,
        };
        if claim.run.generation <= known.run.generation {
            known.rival = Some((claim.run, now));
            return answer(superseded, None);
        }
        if known.is_up(now) {
            known.rival = Some((claim.run, now));
            return answer(Verdict::Held(known.run), None);
        }
        if claim.began.is_some_and(|began| began < known.height) {
            return answer(superseded, None);
        }
        known.run = claim.run;
        known.height = known.height.max(claim.height);
        known.heard = Some(now);
        known.rival = None;
        answer(Verdict::Granted, None)
    }

    /// Hears that a run signs nothing more.
    pub fn release(&mut self, key: &PublicKey, instance: Instance) {
        if let Some(known) = self.0.get_mut(key)
            && known.run.instance == instance
        {
            known.heard = None;
        }
    }

    /// Forgets whom it has not heard for longest.
    fn make_room(&mut self) {
        while self.0.len() >= KEYS_MAX {
            let oldest = self.0.iter().min_by_key(|(_, known)| known.heard);
            let Some(key) = oldest.map(|(key, _)| key.clone()) else {
                return;
            };
            self.0.remove(&key);
        }
    }

    /// How many keys it remembers.
    #[cfg(test)]
    pub fn len(&self) -> usize {
        self.0.len()
    }
}
