//! What the vector formats share: quantities, accounts.

use alloy_primitives::{Address, Bytes, U256};
use serde::{Deserialize, Deserializer, de::Error as _};
use std::collections::BTreeMap;

/// An account as vectors write it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct Allocation {
    #[serde(default, deserialize_with = "quantity")]
    pub nonce: u64,
    #[serde(default)]
    pub balance: U256,
    #[serde(default)]
    pub code: Bytes,
    #[serde(default)]
    pub storage: BTreeMap<U256, U256>,
}

/// The accounts of a state.
pub(crate) type Allocations = BTreeMap<Address, Allocation>;

/// A number in hex, leading zeros allowed.
pub(crate) fn quantity<'de, D: Deserializer<'de>>(input: D) -> Result<u64, D::Error> {
    let wide = U256::deserialize(input)?;
    u64::try_from(wide).map_err(|_| D::Error::custom(format!("{wide} does not fit in 64 bits")))
}

/// A number in hex that need not be there.
pub(crate) fn quantity_option<'de, D: Deserializer<'de>>(
    input: D,
) -> Result<Option<u64>, D::Error> {
    quantity(input).map(Some)
}
