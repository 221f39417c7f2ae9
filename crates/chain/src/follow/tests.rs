use super::{
    page::Checked,
    shared::{Ask, Shared, Upstreams},
    shelf::{Item, Shelf},
    upstream::Lie,
};
use crate::feed::{Feed, Finalized};
use alloy_primitives::Bytes;
use commonware_consensus::{marshal::resolver::handler::Key, types::Height};
use commonware_utils::channel::mpsc;
use std::{
    sync::Arc,
    time::{Duration, SystemTime},
};
use types::{Block, Digest};

fn item(height: u64, source: usize, certified: bool) -> Item {
    let digest = Digest::from([u8::try_from(height % 251).unwrap(); 32]);
    Item {
        height,
        digest,
        certificate: certified.then(|| Bytes::from_static(&[1, 2])),
        block: Bytes::from_static(&[3]),
        source,
    }
}

#[test]
fn a_shelf_wants_the_first_block_it_lacks() {
    let mut shelf = Shelf::default();
    assert_eq!(shelf.wanted(7), Some(8));
    for height in [8, 9, 11] {
        assert!(shelf.put(item(height, height as usize, true)));
    }
    assert!(!shelf.put(item(9, 0, true)), "the first stays");
    assert_eq!(shelf.wanted(7), Some(10));
    shelf.clear_of(9);
    assert_eq!(shelf.wanted(7), Some(9));
    shelf.clear_to(8);
    assert!(shelf.at(8).is_none() && shelf.with(&item(8, 0, true).digest).is_none());
    assert_eq!(shelf.with(&item(11, 0, true).digest).unwrap().height, 11);
}

#[test]
fn a_shelf_has_bounds() {
    let mut shelf = Shelf::default();
    for height in 1..=1_024 {
        assert_eq!(shelf.wanted(0), Some(height));
        shelf.put(item(height, 0, true));
    }
    assert_eq!(shelf.wanted(0), None);
    assert_eq!(shelf.wanted(1), Some(1_025));
    let mut shelf = Shelf::default();
    shelf.put(Item {
        block: vec![0; 64 << 20].into(),
        ..item(1, 0, true)
    });
    assert_eq!(shelf.wanted(0), None);
    shelf.clear_to(1);
    assert_eq!(shelf.wanted(1), Some(2));
}

fn at(milliseconds: u64) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(milliseconds)
}

fn brought(items: Vec<Item>) -> Checked {
    Checked { items, last: None }
}

/// A follower at block 0 with two upstreams.
fn follower() -> (Arc<Shared>, mpsc::Receiver<()>) {
    let genesis: Arc<Block> = Arc::new(crate::sample::block(0, Vec::new()));
    let feed = Feed::new(Finalized::new(genesis, Vec::new(), Vec::new()));
    let (bell, rung) = mpsc::channel(1);
    let names = ["a", "b"].map(str::to_owned);
    (Arc::new(Shared::new(names, feed, bell)), rung)
}

#[test]
fn one_is_asked_for_many_and_loses_its_turn_when_it_brings_nothing() {
    let (shared, _rung) = follower();
    let first = shared.feed.height() + 1;
    let many = Ask {
        from: first,
        count: 256,
    };
    let one = Ask {
        from: first,
        count: 1,
    };
    assert_eq!(shared.ask(0, 256, at(0)), many);
    assert_eq!(shared.ask(1, 256, at(500)), one);
    assert_eq!(shared.ask(0, 256, at(900)), many);
    assert_eq!(shared.ask(1, 256, at(1_001)), many);
    assert_eq!(shared.ask(0, 256, at(1_002)), one);
    shared.answered(1, first, brought(vec![item(first, 1, true)]), at(2_000));
    let next = |count| Ask {
        from: first + 1,
        count,
    };
    assert_eq!(shared.ask(0, 256, at(2_900)), next(1));
    shared.failed(1, "gone".to_owned(), at(2_950));
    assert_eq!(shared.ask(0, 256, at(2_960)), next(256));
}

#[test]
fn what_a_liar_sent_is_not_used_and_it_is_named() {
    let (shared, mut rung) = follower();
    let first = shared.feed.height() + 1;
    let upstreams = Upstreams(Arc::clone(&shared));
    assert!(upstreams.is_behind(), "nobody has answered");
    shared.answered(0, first, brought(vec![item(first, 0, true)]), at(0));
    shared.answered(1, first, brought(vec![item(first + 1, 1, false)]), at(0));
    assert_eq!(rung.try_recv(), Ok(()));
    assert_eq!(upstreams.answering(), 2);
    let by_height = |height| Key::Finalized {
        height: Height::new(height),
    };
    let answer = shared.answer(&by_height(first)).unwrap();
    assert_eq!(
        (answer.value.as_ref(), answer.source),
        ([1, 2, 3].as_slice(), 0)
    );
    assert!(
        shared.answer(&by_height(first + 1)).is_none(),
        "no certificate"
    );
    let by_hash = Key::Block(item(first + 1, 1, false).digest);
    assert!(!shared.answer(&by_hash).unwrap().certified);

    shared.forged(0, &by_height(first), at(10));
    assert!(shared.answer(&by_height(first)).is_none());
    assert!(shared.answer(&by_hash).is_some(), "the other's are kept");
    assert_eq!(shared.left(0, at(10)), Some(Duration::from_secs(60)));
    assert_eq!(shared.left(0, at(60_010)), None);
    assert_eq!(shared.left(1, at(10)), None);
    let [liar, honest] = <[_; 2]>::try_from(upstreams.status()).unwrap();
    let forged = Lie::Forged(first).to_string();
    assert!(liar.complaint.unwrap().contains(&forged));
    assert_eq!((honest.name.as_str(), honest.complaint), ("b", None));
    assert_eq!(upstreams.answering(), 1);
    // It tells the truth again.
    shared.answered(0, first, brought(Vec::new()), at(60_020));
    assert_eq!(upstreams.answering(), 2);
}
