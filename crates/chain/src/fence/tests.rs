use super::{
    BEAT, EXPIRY, FenceError, HELD_PATIENCE, LEASE,
    holder::{Holder, Standing},
    message::{Answer, Claim, MAX_MESSAGE_BYTES, Message, Run, Verdict},
    witness::Witness,
};
use commonware_codec::{DecodeExt as _, Encode as _};
use commonware_cryptography::{Signer as _, ed25519};
use commonware_utils::ordered::Set;
use proptest::prelude::*;
use std::time::{Duration, SystemTime};
use types::PublicKey;

fn key(seed: u64) -> PublicKey {
    ed25519::PrivateKey::from_seed(seed).public_key()
}

fn at(ms: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(1_000) + Duration::from_millis(ms)
}

fn run(instance: u64, generation: u64) -> Run {
    Run {
        instance,
        generation,
    }
}

fn claim(run: Run, began: Option<u64>, height: u64) -> Claim {
    Claim {
        run,
        serial: 1,
        began,
        height,
    }
}

fn superseded(generation: u64, height: u64) -> Verdict {
    Verdict::Superseded { generation, height }
}

#[test]
fn messages_survive_the_wire() {
    let answer = |verdict, rival| {
        Message::Answer(Answer {
            instance: 1,
            serial: 2,
            verdict,
            rival,
        })
    };
    let messages = [
        Message::Claim(claim(run(1, 2), Some(3), 4)),
        Message::Claim(claim(run(1, 2), None, 4)),
        answer(Verdict::Granted, Some(run(9, 8))),
        answer(Verdict::Held(run(7, 6)), Some(run(9, 8))),
        answer(superseded(u64::MAX, 5), Some(run(9, 8))),
        Message::Release(3),
    ];
    for message in messages {
        let encoded = message.encode();
        assert!(encoded.len() <= MAX_MESSAGE_BYTES);
        assert_eq!(Message::decode(encoded.clone()).unwrap(), message);
        assert!(Message::decode(encoded.slice(..encoded.len() - 1)).is_err());
    }
    assert!(Message::decode(bytes::Bytes::from_static(&[3])).is_err());
}

#[test]
fn a_key_is_given_to_one_run_at_a_time() {
    let (mut witness, key) = (Witness::default(), key(0));
    let mut judge = |claim: Claim, ms| witness.judge(&key, &claim, at(ms));
    let expiry = u64::try_from(EXPIRY.as_millis()).unwrap();
    let first = |height| claim(run(1, 5), Some(0), height);
    let copy = |began| claim(run(2, 6), Some(began), began);
    assert_eq!(judge(first(10), 0).verdict, Verdict::Granted);
    assert_eq!(judge(copy(10), 100).verdict, Verdict::Held(run(1, 5)));
    // The original hears of it, for a while.
    assert_eq!(judge(first(11), 200).rival, Some(run(2, 6)));
    assert_eq!(judge(first(12), 20_000).rival, None);
    assert_eq!(
        judge(copy(12), 20_000 + expiry - 1).verdict,
        Verdict::Held(run(1, 5))
    );
    // A backup of before the last block that the original claimed.
    assert_eq!(judge(copy(11), 20_000 + expiry).verdict, superseded(5, 12));
    assert_eq!(judge(copy(12), 20_000 + expiry).verdict, Verdict::Granted);
    // The original comes back from a partition; so does a run of the same count.
    assert_eq!(judge(first(12), 30_000).verdict, superseded(6, 12));
    let twin = claim(run(3, 6), Some(12), 12);
    assert_eq!(judge(twin, 60_000).verdict, superseded(6, 12));
    // Who has no secrets needs only to count higher.
    let bare = claim(run(3, 7), None, 0);
    assert_eq!(judge(bare, 60_000).verdict, Verdict::Granted);
}

#[test]
fn a_run_that_ends_in_order_is_followed_at_once() {
    let (mut witness, key) = (Witness::default(), key(0));
    witness.judge(&key, &claim(run(1, 5), Some(0), 10), at(0));
    let next = claim(run(2, 6), Some(10), 10);
    // Nobody but itself.
    witness.release(&key, 2);
    assert_eq!(
        witness.judge(&key, &next, at(1)).verdict,
        Verdict::Held(run(1, 5))
    );
    witness.release(&key, 1);
    assert_eq!(witness.judge(&key, &next, at(1)).verdict, Verdict::Granted);
}

#[test]
fn a_clock_set_back_holds_a_key_no_longer_than_another() {
    let (mut witness, key) = (Witness::default(), key(0));
    witness.judge(&key, &claim(run(1, 5), Some(0), 10), at(1_000_000));
    let next = claim(run(2, 6), Some(10), 10);
    assert_eq!(
        witness.judge(&key, &next, at(0)).verdict,
        Verdict::Held(run(1, 5))
    );
    let later = at(0) + EXPIRY;
    assert_eq!(witness.judge(&key, &next, later).verdict, Verdict::Granted);
}

#[test]
fn a_witness_remembers_so_many_keys() {
    let mut witness = Witness::default();
    for seed in 0..300 {
        witness.judge(&key(seed), &claim(run(1, 1), None, 0), at(seed));
    }
    assert_eq!(witness.len(), 256);
}

/// A process of validator 0 of so many.
fn holder(validators: u64, generation: u64, began: Option<u64>) -> Holder {
    let mut holder = Holder::new(run(1, generation), began);
    let committee = Set::from_iter_dedup((0..validators).map(key));
    holder.set_committee(&committee, &key(0));
    holder
}

/// Claims, and hears these answers of validators 1, 2, … at once.
fn hear(holder: &mut Holder, now: SystemTime, verdicts: &[Verdict]) {
    let claim = holder.claim(0, now);
    for (from, verdict) in (1..).zip(verdicts) {
        let answer = Answer {
            instance: claim.run.instance,
            serial: claim.serial,
            verdict: *verdict,
            rival: None,
        };
        holder.answer(&key(from), &answer, now);
    }
}

const GRANTED: Verdict = Verdict::Granted;

#[test]
fn a_quorum_without_itself_lets_it_sign_for_a_while() {
    let mut holder = holder(4, 1, Some(0));
    assert_eq!(holder.standing(at(0)), Standing::Waiting);
    hear(&mut holder, at(0), &[GRANTED]);
    assert_eq!(holder.standing(at(0)), Standing::Waiting);
    hear(&mut holder, at(100), &[GRANTED, GRANTED]);
    let Standing::Granted(lease) = holder.standing(at(100)) else {
        panic!("two of three grant it");
    };
    assert!(lease.holds(at(100)) && !lease.holds(at(99)));
    assert!(!lease.holds(at(100) + LEASE));
    assert_eq!(holder.standing(at(100) + LEASE), Standing::Waiting);
}

#[test]
fn the_only_validator_asks_nobody() {
    let mut holder = holder(1, 1, Some(0));
    assert!(matches!(holder.standing(at(0)), Standing::Granted(_)));
    // Who validates is not known.
    let mut holder = Holder::new(run(1, 1), Some(0));
    assert_eq!(holder.standing(at(0)), Standing::Waiting);
}

#[test]
fn grants_from_before_an_epoch_count_in_it() {
    let mut holder = holder(4, 1, Some(0));
    let claim = holder.claim(0, at(0));
    for from in 4..7 {
        let answer = Answer {
            instance: claim.run.instance,
            serial: claim.serial,
            verdict: GRANTED,
            rival: Some(run(2, 2)),
        };
        // Who does not validate yet gives no alert.
        assert_eq!(holder.answer(&key(from), &answer, at(0)), None);
    }
    assert_eq!(holder.standing(at(0)), Standing::Waiting);
    let next = Set::from_iter_dedup((3..7).map(key));
    holder.set_committee(&next, &key(0));
    assert!(matches!(holder.standing(at(0)), Standing::Granted(_)));
}

#[test]
fn only_validators_count_and_only_for_this_run() {
    let mut holder = holder(4, 1, Some(0));
    let claim = holder.claim(0, at(0));
    let answer = Answer {
        instance: claim.run.instance,
        serial: claim.serial,
        verdict: GRANTED,
        rival: None,
    };
    holder.answer(&key(9), &answer, at(0));
    holder.answer(&key(0), &answer, at(0));
    let other = Answer {
        instance: 2,
        ..answer
    };
    holder.answer(&key(1), &other, at(0));
    let early = Answer {
        serial: 2,
        ..answer
    };
    holder.answer(&key(2), &early, at(0));
    holder.answer(&key(3), &answer, at(0));
    assert_eq!(holder.standing(at(0)), Standing::Waiting);
}

#[test]
fn who_begins_superseded_goes_on_without_secrets() {
    let mut holder = holder(4, 5, Some(7));
    hear(&mut holder, at(0), &[superseded(9, 80), superseded(9, 90)]);
    assert_eq!(holder.raise(at(0)), None);
    assert_eq!(holder.standing(at(0)), Standing::Superseded);
    holder.disown();
    assert_eq!(holder.raise(at(0)), Some(10));
    assert_eq!(holder.standing(at(0)), Standing::Waiting);
    let claim = holder.claim(0, at(0));
    assert_eq!((claim.run.generation, claim.began), (10, None));
}

#[test]
fn who_signs_and_is_superseded_ends() {
    let mut holder = holder(4, 5, Some(7));
    hear(&mut holder, at(0), &[GRANTED, GRANTED]);
    assert!(matches!(holder.standing(at(0)), Standing::Granted(_)));
    hear(&mut holder, at(100), &[superseded(6, 8), superseded(6, 9)]);
    let Standing::Fenced(FenceError::Superseded {
        theirs,
        ours,
        height,
        witnesses,
    }) = holder.standing(at(100))
    else {
        panic!("two of three say so");
    };
    assert_eq!((theirs, ours, height, witnesses.count()), (6, 5, 8, 2));
}

#[test]
fn who_finds_its_key_in_use_ends() {
    let mut holder = holder(4, 6, Some(7));
    let held = Verdict::Held(run(2, 5));
    let mut ms = 0;
    while Duration::from_millis(ms) < HELD_PATIENCE {
        hear(&mut holder, at(ms), &[held, held, GRANTED]);
        assert_eq!(holder.standing(at(ms)), Standing::Held);
        ms += 300;
    }
    hear(&mut holder, at(ms), &[held, held, GRANTED]);
    let Standing::Fenced(error) = holder.standing(at(ms)) else {
        panic!("it was patient enough");
    };
    let said = error.to_string();
    assert!(
        said.contains("run 5") && said.contains("2 validators"),
        "{said}"
    );
}

#[test]
fn a_lying_minority_neither_stops_nor_starts_anything() {
    let lies = [
        GRANTED,
        superseded(u64::MAX, u64::MAX),
        Verdict::Held(run(2, 5)),
    ];
    for lie in lies {
        let mut signing = holder(4, 5, Some(7));
        for beat in 0..100 {
            hear(&mut signing, at(beat * 300), &[lie, GRANTED, GRANTED]);
            let standing = signing.standing(at(beat * 300));
            assert!(matches!(standing, Standing::Granted(_)), "{standing:?}");
        }
        let mut alone = holder(4, 5, Some(7));
        for beat in 0..100 {
            hear(&mut alone, at(beat * 300), &[lie]);
            assert_eq!(alone.standing(at(beat * 300)), Standing::Waiting);
        }
    }
}

#[test]
fn who_is_granted_by_enough_passes_a_refused_copy_elsewhere() {
    let mut holder = holder(4, 5, Some(7));
    hear(&mut holder, at(0), &[superseded(6, 7), GRANTED, GRANTED]);
    assert_eq!(holder.raise(at(0)), Some(7));
    assert_eq!(holder.raise(at(0)), None);
}

/// What the network between a process and a witness is like at a time.
#[derive(Clone, Copy, Debug)]
struct Weather {
    reaches: bool,
    delay_ms: u64,
}

fn weather() -> impl Strategy<Value = Weather> {
    (prop::bool::weighted(0.6), 0..900_u64)
        .prop_map(|(reaches, delay_ms)| Weather { reaches, delay_ms })
}

/// Steps for which the weather stays.
const SPELL: usize = 8;

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    /// Whatever is lost or late, two runs never sign at the same time, as long as one witness that both must ask is honest.
    #[test]
    fn two_runs_never_sign_at_once(
        validators in prop::sample::select(vec![4_u64, 5, 7]),
        liar in any::<bool>(),
        copy_starts in 0..40_usize,
        restored in any::<bool>(),
        spells in prop::collection::vec(prop::collection::vec(weather(), 12), 20),
    ) {
        // With four validators there is one witness that both must ask, and with seven there are two.
        let liars = u64::from(liar && validators == 7);
        let others = validators - 1;
        let mut witnesses: Vec<_> = (0..others).map(|_| Witness::default()).collect();
        let committee = Set::from_iter_dedup((0..validators).map(key));
        let mut runs = [
            Holder::new(run(1, 1), Some(0)),
            Holder::new(run(2, 2), Some(if restored { 0 } else { u64::MAX })),
        ];
        for holder in &mut runs {
            holder.set_committee(&committee, &key(0));
        }
        // Due at a step: to the witness, then back.
        let mut claims: Vec<(u64, usize, usize, Claim)> = Vec::new();
        let mut answers: Vec<(u64, usize, usize, Answer)> = Vec::new();
        let step_ms = u64::try_from(BEAT.as_millis()).unwrap() / 3;
        let mut leases = [None, None];
        for step in 0..spells.len() * SPELL {
            let ms = step as u64 * step_ms;
            let now = at(ms);
            let spell = &spells[step / SPELL];
            for (index, holder) in runs.iter_mut().enumerate() {
                if step % 3 != 0 || (index == 1 && step < copy_starts) {
                    continue;
                }
                let claim = holder.claim(step as u64, now);
                for place in 0..witnesses.len() {
                    let weather = spell[index * 6 + place % 6];
                    if weather.reaches {
                        claims.push((ms + weather.delay_ms, index, place, claim));
                    }
                }
            }
            let (due, later): (Vec<_>, _) = claims.into_iter().partition(|(due, ..)| *due <= ms);
            claims = later;
            for (_, index, place, claim) in due {
                let mut answer = witnesses[place].judge(&key(0), &claim, now);
                if (place as u64) < liars {
                    answer.verdict = GRANTED;
                }
                let weather = spell[index * 6 + place % 6];
                answers.push((ms + weather.delay_ms, index, place, answer));
            }
            let (due, later): (Vec<_>, _) = answers.into_iter().partition(|(due, ..)| *due <= ms);
            answers = later;
            for (_, index, place, answer) in due {
                runs[index].answer(&key(place as u64 + 1), &answer, now);
            }
            for (lease, holder) in leases.iter_mut().zip(&mut runs) {
                *lease = match holder.standing(now) {
                    Standing::Granted(lease) => Some(lease),
                    _ => None,
                };
            }
            let signing = leases.iter().flatten().filter(|lease| lease.holds(now)).count();
            prop_assert!(signing < 2, "both sign at {ms} ms");
        }
    }
}
