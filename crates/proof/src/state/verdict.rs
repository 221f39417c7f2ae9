//! What a valid state proof proves.

use super::{Account, StateProof};
use crate::canonical::Value;
use crate::headers::Header;
use crate::receipt::Identity;
use crate::verify::{BlockProof, CertifiedBlock, object, rfc3339};
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use alloy_primitives::{Address, B256, U256, hex};
use core::fmt;

/// What was proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateVerdict {
    /// The identity everything below rests on.
    pub identity: Identity,
    /// Whether the caller asked for that identity. If not, it came from the proof itself: compare it with one you have
    /// from elsewhere before you believe anything.
    pub pinned: bool,
    /// The network's EVM chain id.
    pub chain_id: u64,
    /// The hash of the network's block 0.
    pub genesis: B256,
    /// The block after which the state was this.
    pub block: BlockProof,
    /// The block under the signature; the same one, or a descendant.
    pub certified: CertifiedBlock,
    /// The account.
    pub account: AccountProof,
    /// Slots of it, in the proof's order.
    pub storage: Vec<SlotProof>,
}

/// An account that was proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccountProof {
    /// Whose.
    pub address: Address,
    /// What it held; none: there was no such account.
    pub account: Option<Account>,
}

/// A storage slot that was proved.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SlotProof {
    /// Which.
    pub slot: U256,
    /// What it held; zero is what an absent slot holds.
    pub value: U256,
}

pub(super) fn verdict(
    proof: &StateProof,
    pinned: bool,
    block: &Header,
    certified: &Header,
    account: Option<Account>,
    storage: Vec<SlotProof>,
) -> StateVerdict {
    StateVerdict {
        identity: proof.network.identity,
        pinned,
        chain_id: proof.network.chain_id,
        genesis: proof.network.genesis,
        block: BlockProof {
            height: block.number,
            hash: block.hash,
            timestamp: block.timestamp,
        },
        certified: CertifiedBlock {
            height: certified.number,
            hash: certified.hash,
            epoch: proof.finalization.epoch,
            view: proof.finalization.view,
        },
        account: AccountProof {
            address: proof.address,
            account,
        },
        storage,
    }
}

impl StateVerdict {
    /// The verdict as canonical JSON; `"valid": true` sets it apart from a failure.
    pub fn to_json(&self) -> String {
        self.value().canonical()
    }

    /// The same, laid out for people.
    pub fn to_json_pretty(&self) -> String {
        self.value().pretty()
    }

    fn value(&self) -> Value {
        let block = [
            ("height", self.block.height.into()),
            ("hash", text(self.block.hash)),
            ("timestamp", self.block.timestamp.into()),
            ("time", rfc3339(self.block.timestamp).as_str().into()),
        ];
        let certified = [
            ("height", self.certified.height.into()),
            ("hash", text(self.certified.hash)),
            ("epoch", self.certified.epoch.into()),
            ("view", self.certified.view.into()),
        ];
        let account = match &self.account.account {
            Some(account) => object([
                // A nonce is 64 bits wide, which JSON's numbers are not.
                ("nonce", text(account.nonce)),
                ("balance", text(account.balance)),
                ("code_hash", text(account.code_hash)),
            ]),
            None => Value::Null,
        };
        let slot =
            |slot: &SlotProof| object([("slot", word(&slot.slot)), ("value", word(&slot.value))]);
        object([
            ("valid", true.into()),
            (
                "identity",
                hex::encode_prefixed(self.identity).as_str().into(),
            ),
            ("pinned", self.pinned.into()),
            ("chain_id", self.chain_id.into()),
            ("genesis", text(self.genesis)),
            ("block", object(block)),
            ("certified", object(certified)),
            (
                "address",
                hex::encode_prefixed(self.account.address).as_str().into(),
            ),
            ("account", account),
            (
                "storage",
                Value::Array(self.storage.iter().map(slot).collect()),
            ),
        ])
    }
}

impl fmt::Display for StateVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = if self.pinned {
            "pinned"
        } else {
            "from the proof itself: compare it with one you trust"
        };
        writeln!(f, "identity      {} ({origin})", self.identity)?;
        writeln!(
            f,
            "network       chain {}, genesis {}",
            self.chain_id, self.genesis
        )?;
        writeln!(
            f,
            "final         block {} in epoch {}, view {}",
            self.certified.height, self.certified.epoch, self.certified.view
        )?;
        let (height, time) = (self.block.height, rfc3339(self.block.timestamp));
        writeln!(
            f,
            "state after   block {height} of {time}, {}",
            self.block.hash
        )?;
        write!(f, "account       {}", self.account.address)?;
        match &self.account.account {
            None => write!(f, " does not exist")?,
            Some(account) => {
                write!(f, "\nnonce         {}", account.nonce)?;
                write!(f, "\nbalance       {} wei", account.balance)?;
                write!(f, "\ncode hash     {}", account.code_hash)?;
            }
        }
        for slot in &self.storage {
            write!(f, "\nslot          {:#x} is {:#x}", slot.slot, slot.value)?;
        }
        Ok(())
    }
}

fn text(value: impl fmt::Display) -> Value {
    Value::String(value.to_string())
}

fn word(value: &U256) -> Value {
    Value::String(format!("{}", B256::from(*value)))
}
