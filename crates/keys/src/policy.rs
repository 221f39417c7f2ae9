//! What a key may sign.
//!
//! A policy is a list of rules that somebody wrote in TOML, and a pure machine that holds a request against them. Nothing is allowed
//! that no rule allows. It has no clock and does no I/O: time is an argument, and what was spent is a value that the caller keeps
//! ([`Spent`]).
//!
//! ```toml
//! chains = [4242]                      # transactions of these networks only
//! gas_max = 2_000_000                  # per transaction
//! fee_max = "0.05ether"                # gas limit times the highest price
//! value_max = "2ether"
//!
//! [[allow]]                            # one of these must fit
//! name = "records"
//! to = "0x0000000000000000000000000000000000001001"
//! functions = ["record(bytes32[],bytes32[])", "0xa9059cbb"]   # or ["*"] for any
//!
//! [[allow]]
//! name = "pay the carrier"
//! to = "0x00000000000000000000000000000000000000aa"
//! transfers = true                     # value without data
//! value_max = "1ether"
//!
//! [[limit]]                            # all of these hold, in each time of that length
//! name = "a day"
//! window = "24h"
//! value = "10ether"
//! calls = 500
//!
//! [[hours]]                            # if there are any, it must be one of these, in UTC
//! name = "office"
//! days = ["mon", "tue", "wed", "thu", "fri"]
//! from = "06:00"
//! until = "20:00"
//!
//! [[approval]]                         # others must agree, each time that it fits
//! name = "much"
//! value_from = "1ether"
//! of = ["alice@acme.example", "bob@acme.example", "carol@acme.example"]
//! needed = 2
//! ```

mod rules;
mod spent;

use std::{collections::BTreeSet, fmt, str::FromStr};

use alloy_primitives::{Address, B256, Selector, U256, keccak256};
use serde::{Deserialize, Serialize};

use rules::Rules;

pub use rules::PolicyError;
pub use spent::{Spent, Use};

/// Somebody who asks or approves: 1 to 128 visible ASCII characters, as whoever vouches for them names them. Two names are two people.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Person(String);

/// A text that names nobody.
#[derive(Debug, thiserror::Error)]
#[error("a person's name has 1 to 128 visible ASCII characters, without spaces")]
pub struct PersonError;

impl FromStr for Person {
    type Err = PersonError;

    fn from_str(text: &str) -> Result<Self, PersonError> {
        let fits =
            (1..=128).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        fits.then(|| Self(text.to_owned())).ok_or(PersonError)
    }
}

impl TryFrom<String> for Person {
    type Error = PersonError;

    fn try_from(text: String) -> Result<Self, PersonError> {
        text.parse()
    }
}

impl From<Person> for String {
    fn from(person: Person) -> Self {
        person.0
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a transaction carries for the account it goes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Data {
    /// Nothing.
    None,
    /// A call of the function with this selector.
    Call(Selector),
    /// One to three bytes, which select no function.
    Short,
}

impl Data {
    /// What these bytes are.
    pub fn of(input: &[u8]) -> Self {
        match input {
            [] => Self::None,
            input => input
                .first_chunk::<4>()
                .map_or(Self::Short, |selector| Self::Call(selector.into())),
        }
    }
}

/// What somebody wants signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Which network it is for; none holds on all of them.
    pub chain_id: Option<u64>,
    /// Whom it goes to; none makes a contract.
    pub to: Option<Address>,
    /// Wei it sends.
    pub value: U256,
    /// What it carries.
    pub data: Data,
    /// Its gas limit.
    pub gas: u64,
    /// Most wei that its gas may cost.
    pub fee: U256,
    /// Who wants it.
    pub asker: Person,
}

/// What a policy says to a request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// It may be signed.
    Allowed,
    /// It may not.
    Refused {
        /// The rule that it breaks: its name, or the field.
        rule: String,
        /// Why.
        reason: String,
    },
    /// It may be signed when more people have approved it.
    NeedsApprovals {
        /// The rule that asks for it.
        rule: String,
        /// How many more.
        missing: usize,
        /// From among whom. The one who asks is not among them.
        from: Vec<Person>,
    },
}

/// What a key may sign.
#[derive(Clone, Debug)]
pub struct Policy {
    rules: Rules,
    id: B256,
}

impl Policy {
    /// Longest text of a policy, in bytes.
    pub const BYTES_MAX: usize = 256 << 10;

    /// Reads a policy.
    pub fn from_toml(text: &str) -> Result<Self, PolicyError> {
        let rules = Rules::from_toml(text)?;
        let id = keccak256(text);
        Ok(Self { rules, id })
    }

    /// Which policy it is: the keccak256 of its text.
    pub const fn id(&self) -> B256 {
        self.id
    }

    /// Says what may be done with a request at a time (Unix, in seconds), when these people have approved it and this was spent. It
    /// changes nothing: what is signed must be put down with [`Self::spend`].
    pub fn judge(
        &self,
        spent: &Spent,
        request: &Request,
        approved: &BTreeSet<Person>,
        now: u64,
    ) -> Verdict {
        let rules = &self.rules;
        let checked = rules
            .allows(request)
            .and_then(|()| rules.open_at(now))
            .and_then(|()| rules.within_limits(spent, request, now));
        match checked {
            Err(refusal) => refusal,
            Ok(()) => rules.approved(request, approved),
        }
    }

    /// Puts down a request that was allowed, and forgets what no limit counts any more.
    pub fn spend(&self, spent: &mut Spent, request: &Request, now: u64) -> Use {
        let one = Use {
            at: spent.time(now),
            value: request.value,
        };
        if let Some(longest) = self.rules.longest_window() {
            spent.add(one, longest);
        }
        one
    }
}

#[cfg(test)]
mod tests;
