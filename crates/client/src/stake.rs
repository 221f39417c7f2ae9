//! The REST nouns around `stake`: who stands to validate in a bonded network, and what it takes. Amounts are wei, as decimal
//! numbers in text; times are Unix seconds.

#[cfg(feature = "net")]
mod read;

use crate::governance::EpochStart;
use alloy_primitives::{Address, B256, U256};
use serde::{Deserialize, Serialize};

/// Whose bonds there are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Stake {
    /// Whether validators are chosen by bond. Genesis decided it; if not, there are no candidates, and `/v1/members` says who
    /// validates.
    pub bonded: bool,
    /// How many validate at most.
    pub seats: u64,
    /// What a validator must bond.
    #[serde(with = "wei")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub minimum: U256,
    /// Seconds from unbonding to withdrawal.
    pub unbonding_period: u64,
    /// In bonds.
    #[serde(with = "wei")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub bonded_total: U256,
    /// Unbonded and not withdrawn yet.
    #[serde(with = "wei")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub unbonding_total: U256,
    /// The highest bond first, the lower key first among equals; at most 128.
    pub candidates: Vec<Candidate>,
    /// From when on a change of bonds now would change who signs.
    pub changes_from: EpochStart,
}

/// A node key with a bond.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Candidate {
    /// The node's ed25519 network key.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub key: B256,
    /// Whose bond it is.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub owner: Address,
    /// How much it is.
    #[serde(with = "wei")]
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub bond: U256,
    /// Whether it has a seat as things stand. A key that is no ed25519 public key never has.
    pub elected: bool,
    /// Whether it signs, or from when on or until when: what the network is at.
    pub signs: String,
}

/// What an account has unbonded and not withdrawn.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unbonding {
    /// How much; zero if nothing.
    #[serde(with = "wei")]
    pub amount: U256,
    /// From when on it can be withdrawn.
    pub released_at: u64,
}

/// The body of `POST /v1/stake/bonds`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct BondRequest {
    /// The account that will sign, and pay.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub from: Address,
    /// The node's ed25519 network key, 32 bytes in hex: a free one, or one of the account's candidates.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub key: B256,
    /// What is added to the bond: wei as a decimal number, or hex with `0x`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub amount: U256,
}

/// The body of `POST /v1/stake/unbondings`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct UnbondRequest {
    /// The account that will sign: the owner of the bond.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub from: Address,
    /// The candidate's key.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub key: B256,
    /// What is taken from the bond, all of it or so much that the least bond is left: wei as a decimal number, or hex with `0x`.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub amount: U256,
}

/// The body of `POST /v1/stake/withdrawals`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct WithdrawRequest {
    /// The account that will sign, and is paid.
    #[cfg_attr(feature = "openapi", schema(value_type = String))]
    pub from: Address,
}

/// Wei in decimal: people read them, and 53 bits do not hold them.
mod wei {
    use alloy_primitives::U256;
    use serde::{Deserialize as _, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(wei: &U256, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(wei)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<U256, D::Error> {
        U256::deserialize(deserializer)
    }
}
