use alloy_primitives::{Address, B256, U256, keccak256};

use crate::{
    BatchEnd, Binding, Call, Cursor, Db, Error, Execution, Failure, InsertedOperation,
    NewOperation, NewRelay, OperationEntry, OperationSettlement, OperationWrite, Options, Outcome,
    SettledOutcome, State,
};

const RELAYER: Address = Address::repeat_byte(0xbb);

fn fresh() -> (tempfile::TempDir, Db) {
    let dir = tempfile::tempdir().unwrap();
    let binding = Binding {
        chain_id: 1,
        genesis: B256::ZERO,
        organization: B256::ZERO,
        master_key: B256::ZERO,
    };
    let db = Db::open(dir.path(), &binding, &Options::default()).unwrap();
    (dir, db)
}

fn operation(tenant: &str, key: &str, line: Option<&str>) -> NewOperation {
    NewOperation {
        key: keccak256(format!("{tenant}/{key}")),
        tenant: tenant.to_owned(),
        idempotency_key: key.to_owned(),
        digest: keccak256(key),
        call: Call {
            account: Address::repeat_byte(1),
            target: Address::repeat_byte(2),
            value: U256::MAX,
            data: vec![1, 2, 3],
            gas: 50_000,
            deadline: 1_800_000_000,
        },
        call_hash: keccak256([1, 2, 3]),
        line: line.map(str::to_owned),
        priority: 5,
        created_ms: 7,
    }
}

fn promise(db: &mut Db, operation: &NewOperation) -> OperationEntry {
    match db.write(|tx| tx.insert_operation(operation)).unwrap() {
        InsertedOperation::New(entry) => entry,
        other => panic!("{other:?}"),
    }
}

fn apply(db: &mut Db, write: &OperationWrite) -> Result<(), Error> {
    db.write(|tx| tx.apply_operation(write))
}

fn submit(db: &mut Db, nonce: u64, operations: &[u64]) {
    for seq in operations {
        let signed = db.read(|view| view.bill(*seq)).unwrap().unwrap().signature;
        if signed.is_none() {
            apply(db, &OperationWrite::Signature(*seq, vec![9; 65])).unwrap();
        }
    }
    let relay = NewRelay {
        relayer: RELAYER,
        nonce,
        hash: B256::repeat_byte(nonce as u8),
        raw: vec![nonce as u8],
        operations: operations.to_vec(),
        created_ms: 8,
    };
    apply(db, &OperationWrite::Relay(relay)).unwrap();
}

fn ran(seq: u64, failure: Option<Failure>) -> OperationSettlement {
    OperationSettlement {
        cursor: Some(Cursor {
            height: 3,
            hash: B256::repeat_byte(3),
        }),
        executions: vec![Execution {
            tx_hash: B256::repeat_byte(4),
            height: 3,
            block_hash: B256::repeat_byte(3),
            block_ms: 3_000,
            receipt: Some(vec![5]),
        }],
        outcomes: vec![SettledOutcome {
            seq,
            execution: 0,
            outcome: Outcome {
                log_index: 2,
                succeeded: failure.is_none(),
                result: vec![6],
            },
            failure,
        }],
        ..OperationSettlement::default()
    }
}

fn failure() -> Failure {
    Failure {
        code: "reverted".to_owned(),
        detail: "no".to_owned(),
    }
}

#[test]
fn a_key_is_one_promise() {
    let (_dir, mut db) = fresh();
    let first = operation("acme", "a", None);
    let entry = promise(&mut db, &first);
    assert!(!entry.signed && !entry.submitted && !entry.searched);
    assert_eq!((entry.seq, entry.size, entry.follows), (1, 3, None));
    let again = db.write(|tx| tx.insert_operation(&first)).unwrap();
    assert!(matches!(again, InsertedOperation::Existing(row) if row.seq == 1));
    let mut other = first.clone();
    other.digest = B256::ZERO;
    let mismatch = db.write(|tx| tx.insert_operation(&other)).unwrap();
    assert!(matches!(mismatch, InsertedOperation::Mismatch(row) if row.seq == 1));
    assert_eq!(promise(&mut db, &operation("beta", "a", None)).seq, 2);

    let bill = db.read(|view| view.bill(1)).unwrap().unwrap();
    assert_eq!((bill.call, bill.signature), (first.call, None));
    assert_eq!(db.read(|view| view.bill(9)).unwrap(), None);
    assert_eq!(db.read(|view| view.last_operation()).unwrap(), 2);
}

#[test]
fn an_operation_goes_its_way() {
    let (_dir, mut db) = fresh();
    let key = operation("acme", "a", None).key;
    promise(&mut db, &operation("acme", "a", None));
    promise(&mut db, &operation("acme", "b", None));
    submit(&mut db, 4, &[1, 2]);
    let row = |db: &mut Db| db.read(|view| view.operation(&key)).unwrap().unwrap();
    let submitted = row(&mut db);
    assert_eq!(
        (submitted.state, submitted.submitted_ms),
        (State::Submitted, Some(8))
    );
    let pending = db.read(|view| view.pending_relays(&RELAYER)).unwrap();
    assert_eq!(
        (pending[0].nonce, pending[0].records.as_slice()),
        (4, [1, 2].as_slice())
    );
    assert_eq!(db.read(|view| view.relay_floor(&RELAYER)).unwrap(), 0);

    let mut settlement = ran(1, None);
    settlement.relays.push((RELAYER, 4, BatchEnd::Final));
    settlement.failures.push((2, failure()));
    apply(&mut db, &OperationWrite::Settle(settlement)).unwrap();
    let done = row(&mut db);
    assert_eq!(done.state, State::Final);
    let ran = done.ran.unwrap();
    assert_eq!(
        (ran.height, ran.block_ms, ran.outcome.log_index),
        (3, 3_000, 2)
    );
    assert!(ran.outcome.succeeded);
    assert!(
        db.read(|view| view.unsettled_operations())
            .unwrap()
            .is_empty()
    );
    assert!(
        db.read(|view| view.pending_relays(&RELAYER))
            .unwrap()
            .is_empty()
    );
    assert_eq!(db.read(|view| view.relay_floor(&RELAYER)).unwrap(), 5);
    let cursor = db.read(|view| view.operation_cursor()).unwrap().unwrap();
    assert_eq!(cursor.height, 3);
}

#[test]
fn what_must_not_be_is_refused() {
    let (_dir, mut db) = fresh();
    promise(&mut db, &operation("acme", "a", None));
    let refuse = |db: &mut Db, write: &OperationWrite| {
        assert!(
            matches!(apply(db, write), Err(Error::Rule { .. })),
            "{write:?}"
        );
    };
    // Final without an effect, or with one that failed.
    let mut no_effect = ran(1, None);
    no_effect.outcomes[0].outcome.succeeded = false;
    refuse(&mut db, &OperationWrite::Settle(no_effect));
    refuse(&mut db, &OperationWrite::Settle(ran(7, None)));
    refuse(&mut db, &OperationWrite::Signature(7, vec![0; 65]));
    refuse(&mut db, &OperationWrite::Signature(1, vec![0; 64]));
    submit(&mut db, 1, &[1]);
    refuse(&mut db, &OperationWrite::Signature(1, vec![8; 65]));
    apply(&mut db, &OperationWrite::Settle(ran(1, Some(failure())))).unwrap();
    // What ended does not end again, nor go on.
    refuse(&mut db, &OperationWrite::Settle(ran(1, None)));
    let back = OperationSettlement {
        cursor: Some(Cursor {
            height: 2,
            hash: B256::ZERO,
        }),
        ..OperationSettlement::default()
    };
    refuse(&mut db, &OperationWrite::Settle(back));
}

#[test]
fn a_line_passes_over_what_did_not_run() {
    let (_dir, mut db) = fresh();
    let key = |name: &str| operation("acme", name, None).key;
    let line = |db: &mut Db, name: &str| promise(db, &operation("acme", name, Some("x"))).follows;
    assert_eq!(line(&mut db, "a"), None);
    assert_eq!(line(&mut db, "b"), Some(key("a")));
    assert_eq!(line(&mut db, "c"), Some(key("b")));
    let elsewhere = promise(&mut db, &operation("acme", "d", Some("y")));
    assert_eq!(elsewhere.follows, None);
    submit(&mut db, 1, &[3]);
    let settlement = OperationSettlement {
        failures: vec![(2, failure())],
        relinked: vec![(3, Some(key("a")))],
        ..OperationSettlement::default()
    };
    apply(&mut db, &OperationWrite::Settle(settlement)).unwrap();
    let bill = db.read(|view| view.bill(3)).unwrap().unwrap();
    assert_eq!((bill.follows, bill.signature), (Some(key("a")), None));
    // The last one ran although it reverted; the one before it did not.
    assert_eq!(line(&mut db, "e"), Some(key("c")));
    let settlement = OperationSettlement {
        failures: vec![(3, failure()), (5, failure())],
        ..OperationSettlement::default()
    };
    apply(&mut db, &OperationWrite::Settle(settlement)).unwrap();
    assert_eq!(line(&mut db, "f"), Some(key("a")));
    apply(&mut db, &OperationWrite::Signature(6, vec![9; 65])).unwrap();
    apply(&mut db, &OperationWrite::Settle(ran(6, Some(failure())))).unwrap();
    assert_eq!(line(&mut db, "g"), Some(key("f")));
}
