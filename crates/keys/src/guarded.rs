//! A key that signs what its policy allows, and nothing else.
//!
//! What is judged is what is signed: the request is read from the transaction itself, and there is no way to have a digest signed.
//! Each use goes to the audit log before the signature is handed out, and so does each refusal.

use std::{
    collections::BTreeSet,
    error::Error,
    sync::{Mutex, MutexGuard},
};

use alloy_consensus::{SignableTransaction as _, Transaction as _, TypedTransaction};
use alloy_primitives::{Address, B256, Signature, U256};
use serde::{Deserialize, Serialize};

use crate::{
    Key, Message, SignError,
    policy::{Data, Person, Policy, Request, Spent, Use, Verdict},
};

/// Somebody's agreement that one transaction be signed, as it is: with its nonce and its fees. Whoever calls has made sure who it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Approval {
    /// Who.
    pub by: Person,
    /// What is to be signed: [`digest`] of the transaction.
    pub digest: B256,
}

/// What came of a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// The signature was made, and is handed out when this is in the log.
    Signed,
    /// The policy refused.
    Refused {
        /// The rule.
        rule: String,
        /// Why.
        reason: String,
    },
    /// The policy wants more approvals.
    NeedsApprovals {
        /// The rule.
        rule: String,
        /// How many more.
        missing: usize,
    },
    /// It was allowed, and the signer failed. It counts as spent: the signer may have signed.
    Failed {
        /// Why.
        reason: String,
    },
}

/// One line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// When: Unix time in seconds.
    pub at: u64,
    /// The account whose key it is.
    pub key: Address,
    /// The policy by which it was judged: [`Policy::id`].
    pub policy: B256,
    /// What was to be signed.
    pub digest: B256,
    /// What that is.
    pub request: Request,
    /// Who had approved just this.
    pub approved: BTreeSet<Person>,
    /// What came of it.
    #[serde(flatten)]
    pub outcome: Outcome,
    /// What the limits count of it. After a restart, those of all entries make [`Spent`] again.
    pub spent: Option<Use>,
}

/// Where each use of a key is put down.
pub trait Audit {
    /// Puts down one use, durably. If that fails, no signature is handed out.
    fn record(
        &self,
        entry: &Entry,
    ) -> impl Future<Output = Result<(), Box<dyn Error + Send + Sync>>> + Send;
}

/// Why nothing was signed, or handed out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum GuardError {
    /// The policy refuses.
    #[error("the key's policy does not allow it (rule {rule:?}): {reason}")]
    Refused {
        /// The rule that it breaks.
        rule: String,
        /// Why.
        reason: String,
    },
    /// More people must approve.
    #[error(
        "the key's policy (rule {rule:?}) wants {missing} more approvals of it, from {}",
        list(from)
    )]
    NeedsApprovals {
        /// The rule that asks for it.
        rule: String,
        /// How many more.
        missing: usize,
        /// From among whom.
        from: Vec<Person>,
    },
    /// The signer failed.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// It could not be put down.
    #[error(
        "the use of the key cannot be put down in the audit log, so nothing is handed out: repair the log"
    )]
    Audit(#[source] Box<dyn Error + Send + Sync>),
}

/// A key with its policy.
#[derive(Debug)]
pub struct Guarded<A> {
    key: Key,
    policy: Policy,
    spent: Mutex<Spent>,
    audit: A,
}

impl<A: Audit> Guarded<A> {
    /// Puts a key under a policy. `spent` is what was signed before, out of the audit log.
    pub const fn new(key: Key, policy: Policy, spent: Spent, audit: A) -> Self {
        Self {
            key,
            policy,
            spent: Mutex::new(spent),
            audit,
        }
    }

    /// The account.
    pub const fn address(&self) -> Address {
        self.key.address()
    }

    /// What was spent until now.
    pub fn spent(&self) -> Spent {
        self.locked().clone()
    }

    /// Signs a transaction at a time (Unix, in seconds) for somebody, if the policy allows it with these approvals. Approvals of
    /// anything else do not count.
    ///
    /// # Errors
    /// What was allowed counts as spent whatever becomes of it then.
    pub async fn sign(
        &self,
        transaction: &TypedTransaction,
        asker: Person,
        approvals: &[Approval],
        now: u64,
    ) -> Result<Signature, GuardError> {
        let message = Message::preimage(transaction.encoded_for_signing());
        let digest = message.hash();
        let approvals = approvals
            .iter()
            .filter(|approval| approval.digest == digest);
        let approved: BTreeSet<_> = approvals.map(|approval| approval.by.clone()).collect();
        let request = request(transaction, asker);
        let (verdict, spent) = self.judge(&request, &approved, now);
        let (outcome, answer) = self.follow(verdict, &message).await;
        let entry = Entry {
            at: now,
            key: self.address(),
            policy: self.policy.id(),
            digest,
            request,
            approved,
            outcome,
            spent,
        };
        self.audit.record(&entry).await.map_err(GuardError::Audit)?;
        answer
    }

    /// Judges, and puts down at once what is allowed, so that two at a time cannot spend the same.
    fn judge(
        &self,
        request: &Request,
        approved: &BTreeSet<Person>,
        now: u64,
    ) -> (Verdict, Option<Use>) {
        let mut spent = self.locked();
        let verdict = self.policy.judge(&spent, request, approved, now);
        let used =
            (verdict == Verdict::Allowed).then(|| self.policy.spend(&mut spent, request, now));
        (verdict, used)
    }

    async fn follow(
        &self,
        verdict: Verdict,
        message: &Message,
    ) -> (Outcome, Result<Signature, GuardError>) {
        match verdict {
            Verdict::Allowed => match self.key.sign(message).await {
                Ok(signature) => (Outcome::Signed, Ok(signature)),
                Err(error) => {
                    let reason = error.to_string();
                    (Outcome::Failed { reason }, Err(error.into()))
                }
            },
            Verdict::Refused { rule, reason } => {
                let outcome = Outcome::Refused {
                    rule: rule.clone(),
                    reason: reason.clone(),
                };
                (outcome, Err(GuardError::Refused { rule, reason }))
            }
            Verdict::NeedsApprovals {
                rule,
                missing,
                from,
            } => {
                let outcome = Outcome::NeedsApprovals {
                    rule: rule.clone(),
                    missing,
                };
                let error = GuardError::NeedsApprovals {
                    rule,
                    missing,
                    from,
                };
                (outcome, Err(error))
            }
        }
    }

    fn locked(&self) -> MutexGuard<'_, Spent> {
        // Whoever panicked in there had either put one use down or not.
        self.spent
            .lock()
            .unwrap_or_else(|broken| broken.into_inner())
    }
}

/// What an approval of a transaction names.
pub fn digest(transaction: &TypedTransaction) -> B256 {
    Message::preimage(transaction.encoded_for_signing()).hash()
}

/// What a transaction asks for.
fn request(transaction: &TypedTransaction, asker: Person) -> Request {
    let price = |gas: u64, price: u128| U256::from(gas) * U256::from(price);
    let gas = transaction.gas_limit();
    let blobs = transaction.blob_gas_used().unwrap_or_default();
    let blob_price = transaction.max_fee_per_blob_gas().unwrap_or_default();
    Request {
        chain_id: transaction.chain_id(),
        to: transaction.to(),
        value: transaction.value(),
        data: Data::of(transaction.input()),
        gas,
        // Two products of 64 and 128 bits each: no overflow.
        fee: price(gas, transaction.max_fee_per_gas()) + price(blobs, blob_price),
        asker,
    }
}

fn list(people: &[Person]) -> String {
    let names: Vec<_> = people.iter().map(Person::to_string).collect();
    names.join(", ")
}

#[cfg(test)]
mod tests;
