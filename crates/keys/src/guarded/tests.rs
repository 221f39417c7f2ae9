use alloy_consensus::{TxEip1559, TxEip2930, TxEip7702, TxLegacy};
use alloy_primitives::{TxKind, bytes};

use super::*;
use crate::{SecretKey, remote};

const POLICY: &str = r#"
chains = [4242]
gas_max = 100_000
fee_max = "100gwei"
value_max = "100"

[[allow]]
name = "records"
to = "0x00000000000000000000000000000000000000aa"
functions = ["0x01020304"]

[[limit]]
name = "three"
window = "1h"
calls = 3

[[approval]]
name = "value"
value_from = "1"
of = ["bob", "carol"]
needed = 2
"#;

/// A log in memory, or one that is full.
#[derive(Debug, Default)]
struct Log {
    entries: Mutex<Vec<Entry>>,
    full: bool,
}

impl Audit for Log {
    async fn record(&self, entry: &Entry) -> Result<(), Box<dyn Error + Send + Sync>> {
        if self.full {
            return Err("no space left".into());
        }
        self.entries.lock().unwrap().push(entry.clone());
        Ok(())
    }
}

fn guarded(full: bool) -> Guarded<Log> {
    let log = Log {
        full,
        ..Log::default()
    };
    let policy = Policy::from_toml(POLICY).unwrap();
    Guarded::new(secret().into(), policy, Spent::default(), log)
}

fn secret() -> SecretKey {
    SecretKey::from_bytes(&[7; 32]).unwrap()
}

fn person(name: &str) -> Person {
    name.parse().unwrap()
}

fn call() -> TxEip1559 {
    TxEip1559 {
        chain_id: 4242,
        gas_limit: 50_000,
        max_fee_per_gas: 1_000_000,
        to: TxKind::Call(Address::with_last_byte(0xaa)),
        input: bytes!("01020304ff"),
        ..TxEip1559::default()
    }
}

fn approval(by: &str, transaction: &TypedTransaction) -> Approval {
    Approval {
        by: person(by),
        digest: digest(transaction),
    }
}

impl Guarded<Log> {
    async fn ask(
        &self,
        transaction: impl Into<TypedTransaction>,
        approvals: &[Approval],
    ) -> Result<Signature, GuardError> {
        let transaction = transaction.into();
        self.sign(&transaction, person("alice"), approvals, 1_000_000)
            .await
    }

    fn logged(&self) -> Vec<Entry> {
        self.audit.entries.lock().unwrap().clone()
    }
}

#[tokio::test]
async fn what_is_allowed_is_signed_and_put_down() {
    let key = guarded(false);
    let signature = key.ask(call(), &[]).await.unwrap();
    let signed = call().into_signed(signature);
    assert_eq!(signed.recover_signer().unwrap(), secret().address());
    let [entry] = &key.logged()[..] else { panic!() };
    assert_eq!(entry.outcome, Outcome::Signed);
    assert_eq!(entry.digest, call().signature_hash());
    assert_eq!(entry.request.fee, U256::from(50_000_000_000_u64));
    assert_eq!(entry.request.asker, person("alice"));
    assert_eq!(entry.spent.into_iter().collect::<Spent>(), key.spent());
    let text = serde_json::to_string(entry).unwrap();
    assert_eq!(&serde_json::from_str::<Entry>(&text).unwrap(), entry);
    assert!(text.contains(r#""outcome":"signed""#), "{text}");
}

#[tokio::test]
async fn what_is_not_allowed_is_not_signed_whatever_form_it_has() {
    let key = guarded(false);
    let to = TxKind::Call(Address::with_last_byte(0xaa));
    let input = bytes!("01020304");
    let (gas_limit, gas_price) = (50_000, 1_000_000);
    let everywhere = TxLegacy {
        to,
        input: input.clone(),
        gas_limit,
        gas_price,
        ..TxLegacy::default()
    };
    let here = TxLegacy {
        chain_id: Some(4242),
        ..everywhere.clone()
    };
    let dear = TxEip2930 {
        chain_id: 4242,
        to,
        input: input.clone(),
        gas_limit,
        gas_price: 1 << 70,
        ..TxEip2930::default()
    };
    let delegating = TxEip7702 {
        chain_id: 1,
        to: Address::with_last_byte(0xaa),
        input,
        gas_limit,
        max_fee_per_gas: 1,
        ..TxEip7702::default()
    };
    let made = TxEip1559 {
        to: TxKind::Create,
        ..call()
    };
    let other = TxEip1559 {
        input: bytes!("01020305"),
        ..call()
    };
    let refused: [(TypedTransaction, &str); 5] = [
        (everywhere.into(), "chains"),
        (dear.into(), "fee_max"),
        (delegating.into(), "chains"),
        (made.into(), "allow"),
        (other.into(), "allow"),
    ];
    let count = refused.len();
    for (transaction, expected) in refused {
        let error = key.ask(transaction, &[]).await.unwrap_err();
        assert!(
            matches!(&error, GuardError::Refused { rule, .. } if rule == expected),
            "{error}"
        );
    }
    key.ask(here, &[]).await.unwrap();
    let logged = key.logged();
    assert_eq!(logged.len(), count + 1);
    assert!(logged[..count].iter().all(|entry| {
        matches!(entry.outcome, Outcome::Refused { .. }) && entry.spent.is_none()
    }));
}

#[tokio::test]
async fn approvals_count_for_one_transaction_only() {
    let key = guarded(false);
    let paying = TxEip1559 {
        value: U256::ONE,
        ..call()
    };
    let (this, next) = (
        paying.clone().into(),
        TxEip1559 {
            nonce: 1,
            ..paying.clone()
        }
        .into(),
    );
    let both = [approval("bob", &this), approval("carol", &this)];
    let error = key.ask(paying.clone(), &both[..1]).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "the key's policy (rule \"value\") wants 1 more approvals of it, from carol"
    );
    let twice = [both[0].clone(), both[0].clone(), approval("alice", &this)];
    assert!(key.ask(paying.clone(), &twice).await.is_err());
    let one_of_each = [both[0].clone(), approval("carol", &next)];
    assert!(key.ask(paying.clone(), &one_of_each).await.is_err());
    key.ask(paying, &both).await.unwrap();
    assert!(matches!(
        key.ask(next, &both).await,
        Err(GuardError::NeedsApprovals { missing: 2, .. })
    ));
    let logged = key.logged();
    let outcomes: Vec<_> = logged
        .iter()
        .map(|entry| entry.outcome == Outcome::Signed)
        .collect();
    assert_eq!(outcomes, [false, false, false, true, false]);
    assert_eq!(logged[3].approved, ["bob", "carol"].map(person).into());
}

#[tokio::test]
async fn without_a_log_nothing_is_handed_out() {
    let key = guarded(true);
    let error = key.ask(call(), &[]).await.unwrap_err();
    assert!(matches!(error, GuardError::Audit(_)), "{error}");
    assert_eq!(
        key.spent().uses().count(),
        1,
        "it was signed, though nobody saw it"
    );
    let other = TxEip1559 {
        to: TxKind::Create,
        ..call()
    };
    assert!(matches!(
        key.ask(other, &[]).await,
        Err(GuardError::Audit(_))
    ));
}

#[tokio::test]
async fn limits_hold_among_those_who_ask_at_once() {
    let key = guarded(false);
    let asked = (0..20).map(|nonce| key.ask(TxEip1559 { nonce, ..call() }, &[]));
    let answers = futures::future::join_all(asked).await;
    assert_eq!(answers.iter().filter(|answer| answer.is_ok()).count(), 3);
    assert_eq!(key.logged().len(), 20);
    let spent: Spent = key
        .logged()
        .iter()
        .filter_map(|entry| entry.spent)
        .collect();
    assert_eq!(spent, key.spent());
    // A restart changes nothing.
    let again = Guarded::new(
        secret().into(),
        Policy::from_toml(POLICY).unwrap(),
        spent,
        Log::default(),
    );
    assert!(again.ask(call(), &[]).await.is_err());
}

#[tokio::test]
async fn a_signer_that_fails_has_spent() {
    // Nobody listens there any more.
    let socket = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", socket.local_addr().unwrap());
    drop(socket);
    let gone = remote::Remote::new(&url, remote::Reach::Loopback, remote::TIMEOUT_DEFAULT).unwrap();
    let key = Guarded {
        key: Key::remote(secret().address(), gone.signer("0x".to_owned())),
        ..guarded(false)
    };
    let error = key.ask(call(), &[]).await.unwrap_err();
    assert!(
        matches!(error, GuardError::Sign(SignError::Remote(_))),
        "{error}"
    );
    let [entry] = &key.logged()[..] else { panic!() };
    assert!(
        matches!(&entry.outcome, Outcome::Failed { reason } if reason.contains("did not answer"))
    );
    assert!(entry.spent.is_some() && key.spent().uses().count() == 1);
}
