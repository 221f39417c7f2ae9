use std::{fs, path::Path};

use alloy_primitives::{B256, keccak256};
use proptest::prelude::*;
use tempfile::TempDir;

use super::*;

fn binding() -> Binding {
    Binding {
        chain_id: 4242,
        genesis: B256::repeat_byte(1),
        organization: B256::repeat_byte(2),
        master_key: B256::repeat_byte(3),
    }
}

fn open(dir: &Path) -> Result<Db, Error> {
    Db::open(dir, &binding(), &Options::default())
}

fn fresh() -> (TempDir, Db) {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path()).unwrap();
    (dir, db)
}

fn record(tenant: &str, key: &str, body: &str) -> NewRecord {
    let id = keccak256(format!("{tenant}/{key}"));
    NewRecord {
        id,
        key: keccak256(key),
        commitment: keccak256(body),
        tenant: tenant.to_owned(),
        idempotency_key: key.to_owned(),
        digest: keccak256(format!("digest {body}")),
        created_ms: 1_700_000_000_000,
        wrapped_key: format!("wrapped key of {tenant}/{key}").into_bytes(),
        parts: vec![
            format!("sealed document {body}").into_bytes(),
            b"sealed attachment".to_vec(),
        ],
    }
}

fn insert(db: &mut Db, key: &str) -> Entry {
    match db
        .write(|tx| tx.insert_record(&record("acme", key, key)))
        .unwrap()
    {
        Inserted::New(entry) => entry,
        other => panic!("{other:?}"),
    }
}

fn batch(nonce: u64, records: &[u64]) -> Write {
    let raw = format!("signed {nonce}").into_bytes();
    Write::Batch(NewBatch {
        nonce,
        hash: keccak256(&raw),
        raw,
        records: records.to_vec(),
        created_ms: 5,
    })
}

fn settle(height: u64) -> Settlement {
    Settlement {
        cursor: Some(Cursor {
            height,
            hash: B256::with_last_byte(height as u8),
        }),
        ..Settlement::default()
    }
}

fn claimed(height: u64, nonce: u64, records: &[u64]) -> Write {
    let tx_hash = keccak256(format!("signed {nonce}"));
    Write::Settle(Settlement {
        anchors: vec![Anchor {
            tx_hash,
            height,
            block_hash: B256::with_last_byte(height as u8),
            block_ms: 1_700_000_001_000,
            log_index: 0,
            receipt: b"receipt".to_vec(),
        }],
        claims: records
            .iter()
            .enumerate()
            .map(|(at, seq)| Claim {
                seq: *seq,
                anchor: 0,
                leaf_index: at as u64,
                siblings: vec![B256::ZERO; 2],
            })
            .collect(),
        batches: vec![(nonce, BatchEnd::Final)],
        ..settle(height)
    })
}

fn apply(db: &mut Db, write: &Write) -> Result<(), Error> {
    db.write(|tx| tx.apply(write))
}

fn row(db: &mut Db, tenant: &str, key: &str) -> RecordRow {
    db.read(|view| view.record_by_key(tenant, key))
        .unwrap()
        .unwrap()
}

#[test]
fn one_key_has_one_record_per_tenant() {
    let (_dir, mut db) = fresh();
    let first = insert(&mut db, "a");
    let again = db
        .write(|tx| tx.insert_record(&record("acme", "a", "a")))
        .unwrap();
    assert!(
        matches!(again, Inserted::Existing(row) if row.seq == first.seq && row.commitment == first.commitment)
    );
    let other = db
        .write(|tx| tx.insert_record(&record("acme", "a", "b")))
        .unwrap();
    assert!(matches!(other, Inserted::Mismatch(row) if row.seq == first.seq));
    let tenant = db
        .write(|tx| tx.insert_record(&record("other", "a", "b")))
        .unwrap();
    assert!(matches!(tenant, Inserted::New(entry) if entry.seq != first.seq));
}

#[test]
fn a_record_goes_its_way_and_survives_reopening() {
    let (dir, mut db) = fresh();
    let (a, b) = (insert(&mut db, "a"), insert(&mut db, "b"));
    apply(&mut db, &batch(0, &[a.seq, b.seq])).unwrap();
    assert_eq!(row(&mut db, "acme", "a").state, State::Submitted);
    drop(db);

    let mut db = open(dir.path()).unwrap();
    let (unsettled, batches, next) = db
        .read(|view| {
            Ok((
                view.unsettled()?,
                view.pending_batches()?,
                view.nonce_floor()?,
            ))
        })
        .unwrap();
    assert_eq!(
        unsettled,
        [a, b].map(|entry| Unsettled {
            entry,
            searched: false
        })
    );
    assert_eq!(batches.len(), 1);
    assert_eq!(
        (batches[0].records.as_slice(), batches[0].raw.as_slice()),
        (&[a.seq, b.seq][..], &b"signed 0"[..])
    );
    assert_eq!(next, 0, "it has not ended");

    apply(&mut db, &claimed(7, 0, &[a.seq, b.seq])).unwrap();
    assert_eq!(db.read(|view| view.nonce_floor()).unwrap(), 1);
    let found = row(&mut db, "acme", "b");
    assert_eq!(
        (found.state, found.claimed),
        (State::Final, Some((7, 1_700_000_001_000)))
    );
    let proven = db.read(|view| view.proven(b.seq)).unwrap().unwrap();
    assert_eq!((proven.leaf_index, proven.siblings.len()), (1, 2));
    assert_eq!(db.read(|view| view.cursor()).unwrap().unwrap().height, 7);
    assert!(
        db.read(|view| Ok((
            view.unsettled()?.is_empty(),
            view.pending_batches()?.is_empty()
        )))
        .unwrap()
        .0
    );
}

#[test]
fn undeclared_edges_are_refused_and_leave_no_trace() {
    let (_dir, mut db) = fresh();
    let (a, b) = (insert(&mut db, "a"), insert(&mut db, "b"));
    apply(&mut db, &batch(0, &[a.seq])).unwrap();
    apply(&mut db, &claimed(3, 0, &[a.seq])).unwrap();
    let failure = Failure {
        code: "id_conflict".to_owned(),
        detail: String::new(),
    };
    let failing = Settlement {
        failures: vec![(a.seq, failure.clone())],
        ..settle(4)
    };
    let unproven = Settlement {
        claims: vec![Claim {
            seq: b.seq,
            anchor: 0,
            leaf_index: 0,
            siblings: vec![],
        }],
        ..settle(4)
    };
    let unknown = Settlement {
        failures: vec![(99, failure.clone())],
        ..settle(4)
    };
    for (name, write) in [
        ("final to failed", Write::Settle(failing)),
        ("claimed twice", claimed(4, 0, &[a.seq])),
        ("final without an anchor", Write::Settle(unproven)),
        ("no such record", Write::Settle(unknown)),
        ("no such record in a batch", batch(1, &[99])),
        ("a nonce signed twice", batch(0, &[b.seq])),
        (
            "a batch ended twice",
            Write::Settle(Settlement {
                batches: vec![(0, BatchEnd::Superseded)],
                ..settle(4)
            }),
        ),
        (
            "no such batch",
            Write::Settle(Settlement {
                batches: vec![(9, BatchEnd::Final)],
                ..settle(4)
            }),
        ),
        ("the cursor back", Write::Settle(settle(2))),
    ] {
        let error = apply(&mut db, &write).expect_err(name);
        assert!(matches!(error, Error::Rule { .. }), "{name}: {error}");
        assert_eq!(
            db.read(|view| view.cursor()).unwrap().unwrap().height,
            3,
            "{name}"
        );
        assert_eq!(row(&mut db, "acme", "b").state, State::Accepted, "{name}");
    }
    for sql in [
        "UPDATE records SET state = 'final' WHERE seq = 2",
        "UPDATE records SET state = 'submitted' WHERE seq = 1",
        "UPDATE records SET state = 'accepted' WHERE seq = 1",
        "UPDATE records SET commitment = id",
        "UPDATE batches SET raw = x'00'",
        "DELETE FROM records",
    ] {
        assert!(db.connection.execute(sql, []).is_err(), "{sql}");
    }
    let reverted = Settlement {
        batches: vec![(1, BatchEnd::Reverted)],
        batch_max: vec![(b.seq, 1)],
        ..settle(5)
    };
    apply(&mut db, &batch(1, &[b.seq])).unwrap();
    apply(&mut db, &Write::Settle(reverted)).unwrap();
    assert_eq!(
        db.read(|view| view.unsettled()).unwrap()[0].entry.batch_max,
        1
    );
    apply(
        &mut db,
        &Write::Settle(Settlement {
            failures: vec![(b.seq, failure.clone())],
            ..settle(6)
        }),
    )
    .unwrap();
    assert_eq!(row(&mut db, "acme", "b").failure, Some(failure));
}

fn contains(dir: &Path, needle: &[u8]) -> Vec<String> {
    let files = fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files
        .filter(|path| {
            fs::read(path)
                .unwrap()
                .windows(needle.len())
                .any(|window| window == needle)
        })
        .map(|path| path.display().to_string())
        .collect()
}

#[test]
fn erased_content_is_in_no_file() {
    let (dir, mut db) = fresh();
    // Large enough for overflow pages, and for pages that end up on the free list.
    let secret = b"a sealed shipment, sealed 0123456789 ".repeat(3000);
    let mut new = record("acme", "a", "a");
    new.parts = vec![secret.clone(), secret.clone()];
    new.wrapped_key = b"the wrapped key of the record".to_vec();
    insert(&mut db, "before");
    db.write(|tx| tx.insert_record(&new)).unwrap();
    insert(&mut db, "after");
    let needles: [&[u8]; 3] = [&secret[..37], &secret[70_000..70_037], &new.wrapped_key];
    for needle in needles {
        assert!(
            !contains(dir.path(), needle).is_empty(),
            "the test must be able to see it"
        );
    }
    let reader = db.readers();
    assert!(reader.read(|view| view.sealed(2, 1)).unwrap().is_some());

    assert_eq!(db.write(|tx| tx.erase(&new.id, 77)).unwrap(), Some(77));
    db.checkpoint().unwrap();
    for needle in needles.into_iter().chain([new.digest.as_slice()]) {
        assert_eq!(contains(dir.path(), needle), Vec::<String>::new());
    }
    assert_eq!(reader.read(|view| view.sealed(2, 0)).unwrap(), None);
    assert!(
        reader.read(|view| view.sealed(3, 0)).unwrap().is_some(),
        "the others' content stays"
    );
    assert_eq!(
        db.write(|tx| tx.erase(&new.id, 99)).unwrap(),
        Some(77),
        "erasing again changes nothing"
    );
    assert_eq!(db.write(|tx| tx.erase(&B256::ZERO, 99)).unwrap(), None);
    let replay = db.write(|tx| tx.insert_record(&new)).unwrap();
    assert!(
        matches!(replay, Inserted::Existing(row) if row.erased_ms == Some(77)),
        "the promise stays"
    );
}

#[test]
fn a_directory_in_use_or_of_something_else_is_refused() {
    let (dir, db) = fresh();
    let error = open(dir.path()).unwrap_err();
    assert!(matches!(&error, Error::InUse { .. }));
    assert!(
        error
            .to_string()
            .contains(&format!("process {}", std::process::id())),
        "{error}"
    );
    drop(db);
    let check = |change: fn(&mut Binding), expected: &str| {
        let mut binding = binding();
        change(&mut binding);
        let error = Db::open(dir.path(), &binding, &Options::default())
            .unwrap_err()
            .to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(
        |binding| binding.chain_id = 1,
        "belongs to the network with chain id 4242",
    );
    check(
        |binding| binding.genesis = B256::ZERO,
        "belongs to the network with chain id 4242",
    );
    check(
        |binding| binding.organization = B256::ZERO,
        "restore the relayer key",
    );
    check(
        |binding| binding.master_key = B256::ZERO,
        "restore the master key file",
    );
    open(dir.path()).unwrap();
}

#[test]
fn a_journal_of_the_first_version_is_brought_forward() {
    let (dir, mut db) = fresh();
    insert(&mut db, "a");
    db.connection
        .execute_batch(
            "DROP TABLE outcomes; DROP TABLE executions; DROP TABLE relay_entries; DROP TABLE relays; \
             DROP TABLE operations; DROP TABLE operation_cursor; PRAGMA user_version = 1",
        )
        .unwrap();
    drop(db);
    let mut db = open(dir.path()).unwrap();
    assert!(
        db.read(|view| view.record_by_key("acme", "a"))
            .unwrap()
            .is_some()
    );
    assert_eq!(db.read(|view| view.last_operation()).unwrap(), 0);
}

#[test]
fn files_of_other_versions_and_other_programs_are_refused() {
    let (dir, db) = fresh();
    db.connection
        .execute_batch("PRAGMA user_version = 3")
        .unwrap();
    drop(db);
    let error = open(dir.path()).unwrap_err();
    assert!(
        matches!(
            error,
            Error::TooNew {
                found: 3,
                known: 2,
                ..
            }
        ),
        "{error}"
    );

    let dir = tempfile::tempdir().unwrap();
    let other = rusqlite::Connection::open(dir.path().join("gateway.sqlite3")).unwrap();
    other
        .execute_batch("CREATE TABLE songs (name TEXT)")
        .unwrap();
    drop(other);
    assert!(matches!(
        open(dir.path()).unwrap_err(),
        Error::NotOurs { .. }
    ));
}

#[test]
fn a_damaged_file_is_refused_and_kept() {
    let (dir, mut db) = fresh();
    for at in 0..200 {
        insert(&mut db, &format!("key {at}"));
    }
    drop(db);
    let path = dir.path().join("gateway.sqlite3");
    let sound = fs::read(&path).unwrap();
    let mut damaged = sound.clone();
    for byte in &mut damaged[5 * 4096..9 * 4096] {
        *byte ^= 0x5a;
    }
    let not_sqlite = b"this is no database, it only has its name".repeat(100);
    let truncated = sound[..sound.len() / 2].to_vec();
    for bytes in [damaged, not_sqlite, truncated] {
        fs::write(&path, &bytes).unwrap();
        let error = open(dir.path()).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
        assert!(error.to_string().contains("restore a backup"), "{error}");
        assert_eq!(
            fs::read(&path).unwrap(),
            bytes,
            "a damaged file is evidence"
        );
    }
    fs::write(&path, &sound).unwrap();
    assert_eq!(
        open(dir.path())
            .unwrap()
            .read(|view| view.count_by_state())
            .unwrap(),
        [(State::Accepted, 200)]
    );
}

#[test]
fn an_index_that_does_not_match_its_table_is_damage() {
    let (dir, mut db) = fresh();
    insert(&mut db, "a");
    let id = row(&mut db, "acme", "a").id;
    drop(db);
    let path = dir.path().join("gateway.sqlite3");
    let sound = fs::read(&path).unwrap();
    let places: Vec<usize> = (0..sound.len() - id.len())
        .filter(|at| sound[*at..].starts_with(id.as_slice()))
        .collect();
    assert_eq!(places.len(), 2, "in the table and in its index");
    for at in places {
        let mut damaged = sound.clone();
        damaged[at] ^= 1;
        fs::write(&path, &damaged).unwrap();
        let error = open(dir.path()).unwrap_err();
        assert!(matches!(error, Error::Corrupt { .. }), "{error}");
    }
}

#[test]
fn a_full_disk_is_an_error_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let options = Options {
        bytes_max: Some(400_000),
    };
    let mut db = Db::open(dir.path(), &binding(), &options).unwrap();
    let mut kept = 0;
    let error = loop {
        let mut new = record("acme", &format!("key {kept}"), "a");
        new.parts = vec![vec![7; 20_000]];
        match db.write(|tx| tx.insert_record(&new)) {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
    };
    assert!(
        matches!(error, Error::Full { .. }) && error.is_retryable(),
        "{error}"
    );
    assert!(kept > 5);
    drop(db);
    let mut db = open(dir.path()).unwrap();
    assert_eq!(
        db.read(|view| view.count_by_state()).unwrap(),
        [(State::Accepted, kept)]
    );
    insert(&mut db, "there is room again");
}

#[test]
fn what_was_committed_is_in_the_files() {
    let (dir, mut db) = fresh();
    for at in 0..10 {
        insert(&mut db, &format!("key {at}"));
    }
    // What a crash leaves: the files as they are, without a clean close.
    let crashed = tempfile::tempdir().unwrap();
    for name in ["gateway.sqlite3", "gateway.sqlite3-wal"] {
        fs::copy(dir.path().join(name), crashed.path().join(name)).unwrap();
    }
    let mut db = open(crashed.path()).unwrap();
    assert_eq!(
        db.read(|view| view.count_by_state()).unwrap(),
        [(State::Accepted, 10)]
    );
}

#[test]
fn pages_neither_skip_nor_repeat_while_records_arrive() {
    let (_dir, mut db) = fresh();
    let mut expected: Vec<u64> = (0..25)
        .map(|at| insert(&mut db, &format!("key {at}")).seq)
        .collect();
    expected.reverse();
    db.write(|tx| tx.insert_record(&record("other", "x", "x")))
        .unwrap();
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = db
            .read(|view| view.records(Some("acme"), before, 10))
            .unwrap();
        seen.extend(page.records.iter().map(|row| row.seq));
        insert(&mut db, &format!("later {}", seen.len()));
        match page.next {
            Some(next) => before = Some(next),
            None => break,
        }
    }
    assert_eq!(seen, expected);
    assert_eq!(
        db.read(|view| view.records(None, None, 2))
            .unwrap()
            .records
            .len(),
        2
    );
}

#[test]
fn a_group_keeps_what_it_can_and_answers_each() {
    let (dir, db) = fresh();
    let readers = db.readers();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let (writer, thread) = Writer::start(db, 10_000).unwrap();
    runtime.block_on(async {
        let mut tasks = Vec::new();
        for at in 0..1000_u64 {
            let writer = writer.clone();
            tasks.push(tokio::spawn(async move {
                if at % 10 == 3 {
                    let refused = writer.write(|tx| tx.apply(&batch(0, &[1_000_000]))).await;
                    assert!(matches!(refused, Err(Error::Rule { .. })), "{refused:?}");
                    return false;
                }
                let inserted = writer
                    .try_write(|tx| tx.insert_record(&record("acme", "one", "one")))
                    .await
                    .unwrap();
                matches!(inserted, Inserted::New(_))
            }));
        }
        let mut new = 0;
        for task in tasks {
            new += u32::from(task.await.unwrap());
        }
        assert_eq!(new, 1);
        writer
            .write_and_checkpoint(|tx| tx.erase(&record("acme", "one", "one").id, 5))
            .await
            .unwrap();
    });
    assert_eq!(
        readers.read(|view| view.count_by_state()).unwrap(),
        [(State::Accepted, 1)]
    );
    assert!(contains(dir.path(), b"sealed document").is_empty());
    drop((writer, readers));
    thread.join().unwrap();
    open(dir.path()).unwrap();
}

#[test]
fn a_full_queue_says_busy() {
    let (_dir, db) = fresh();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    let (writer, thread) = Writer::start(db, 1).unwrap();
    let (release, held) = std::sync::mpsc::channel::<()>();
    let (entered, inside) = std::sync::mpsc::channel();
    runtime.block_on(async {
        let blocked = tokio::spawn({
            let writer = writer.clone();
            async move {
                writer
                    .write(move |_| {
                        let _ = entered.send(());
                        let _ = held.recv();
                        Ok(())
                    })
                    .await
            }
        });
        tokio::task::yield_now().await;
        inside.recv().unwrap();
        let waiting = tokio::spawn({
            let writer = writer.clone();
            async move { writer.write(|_| Ok(())).await }
        });
        tokio::task::yield_now().await;
        assert!(matches!(
            writer.try_write(|_| Ok(())).await,
            Err(Error::Busy)
        ));
        release.send(()).unwrap();
        blocked.await.unwrap().unwrap();
        waiting.await.unwrap().unwrap();
    });
    drop(writer);
    thread.join().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn any_text_is_kept_exactly(tenant in ".{0,40}", key in ".{0,40}", body in ".{0,40}") {
        let (_dir, mut db) = fresh();
        let new = record(&tenant, &key, &body);
        db.write(|tx| tx.insert_record(&new)).unwrap();
        let found = row(&mut db, &tenant, &key);
        prop_assert_eq!((found.tenant, found.idempotency_key), (tenant, key));
        let sealed = db.read(|view| view.sealed(found.seq, 0)).unwrap().unwrap();
        prop_assert_eq!(&sealed.sealed, &new.parts[0]);
    }
}
