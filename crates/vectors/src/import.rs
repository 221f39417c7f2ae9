//! A whole chain as Ethereum's clients exchange it: `genesis.json`, and blocks in RLP one after the other.

use crate::{
    body,
    chain::{Chain, Taken},
    fork::{Activation, Fork, Network, Schedule},
    json::{Allocations, quantity},
    refusal::Refusal,
    world::World,
};
use alloy_consensus::{EMPTY_OMMER_ROOT_HASH, Header, constants::EMPTY_ROOT_HASH};
use alloy_primitives::{Address, B64, B256, Bytes, U256};
use serde::Deserialize;
use serde_json::Value;
use std::{collections::BTreeMap, sync::Arc};
use types::{GenesisAccount, StateKey, StateValue, Transaction, TransactionReceipt};

/// When forks come, as geth's chain configuration names them. The merge is between the two lists.
const BY_NUMBER: [(&str, Fork); 13] = [
    ("homesteadBlock", Fork::Homestead),
    ("daoForkBlock", Fork::Dao),
    ("eip150Block", Fork::TangerineWhistle),
    ("eip158Block", Fork::SpuriousDragon),
    ("byzantiumBlock", Fork::Byzantium),
    ("constantinopleBlock", Fork::Constantinople),
    ("petersburgBlock", Fork::Petersburg),
    ("istanbulBlock", Fork::Istanbul),
    ("muirGlacierBlock", Fork::MuirGlacier),
    ("berlinBlock", Fork::Berlin),
    ("londonBlock", Fork::London),
    ("arrowGlacierBlock", Fork::ArrowGlacier),
    ("grayGlacierBlock", Fork::GrayGlacier),
];
const BY_TIME: [(&str, Fork); 9] = [
    ("shanghaiTime", Fork::Shanghai),
    ("cancunTime", Fork::Cancun),
    ("pragueTime", Fork::Prague),
    ("osakaTime", Fork::Osaka),
    ("bpo1Time", Fork::Bpo1),
    ("bpo2Time", Fork::Bpo2),
    ("bpo3Time", Fork::Bpo3),
    ("bpo4Time", Fork::Bpo4),
    ("bpo5Time", Fork::Bpo5),
];

/// A chain that was executed.
#[derive(Clone, Debug)]
pub struct Import {
    /// EIP-155 chain id.
    pub chain_id: u64,
    /// The header of block 0.
    pub genesis: Header,
    /// The state after block 0.
    pub accounts: BTreeMap<Address, GenesisAccount>,
    /// The blocks after it, without a gap.
    pub blocks: Vec<ImportedBlock>,
}

/// A block, and what it did.
#[derive(Clone, Debug)]
pub struct ImportedBlock {
    /// Its header.
    pub header: Header,
    /// Its transactions.
    pub transactions: Vec<Arc<Transaction>>,
    /// Its transaction receipts; before Byzantium with state roots.
    pub receipts: Vec<TransactionReceipt>,
    /// All that it changed, in the order of keys; storage that went with its account is there slot by slot.
    pub changes: Vec<(StateKey, StateValue)>,
}

/// Why a chain cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// `genesis.json` is not what geth takes.
    #[error("not a genesis.json: {0}")]
    Genesis(#[from] serde_json::Error),
    /// The blocks are not RLP.
    #[error("not blocks in RLP: {0}")]
    Rlp(#[from] alloy_rlp::Error),
    /// A block is not the child of the one before it.
    #[error("block {number} does not continue the chain")]
    SideChain {
        /// Its number.
        number: u64,
    },
    /// A block breaks a rule of its fork.
    #[error("block {number}: {reason}")]
    Refused {
        /// Its place, counted from 1.
        number: usize,
        /// Which rule.
        reason: String,
    },
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Genesis {
    config: Config,
    nonce: U256,
    #[serde(deserialize_with = "quantity")]
    timestamp: u64,
    extra_data: Bytes,
    #[serde(deserialize_with = "quantity")]
    gas_limit: u64,
    difficulty: U256,
    mix_hash: B256,
    coinbase: Address,
    alloc: Allocations,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Config {
    chain_id: u64,
    terminal_total_difficulty: Option<u64>,
    #[serde(default)]
    blob_schedule: BTreeMap<String, Schedule>,
    /// When the forks come.
    #[serde(flatten)]
    rest: BTreeMap<String, Value>,
}

/// Executes a chain by the rules that its genesis names. Block 0 is one of Frontier's or Homestead's.
///
/// # Errors
/// [`ImportError`] when the files are damaged, or a block is not valid.
pub fn import(genesis: &[u8], rlp: &[u8]) -> Result<Import, ImportError> {
    let genesis: Genesis = serde_json::from_slice(genesis)?;
    let mut world = Arc::new(World::new(&genesis.alloc));
    let header = genesis.header(world.root());
    let chain_id = genesis.config.chain_id;
    let mut chain = Chain::new(
        genesis.config.network(),
        chain_id,
        header.clone(),
        World::clone(&world),
    );
    let mut blocks = Vec::new();
    for (index, block) in body::items(rlp)?.into_iter().enumerate() {
        let refused = |reason: Refusal| ImportError::Refused {
            number: index.saturating_add(1),
            reason: reason.to_string(),
        };
        let Taken {
            hash,
            header,
            transactions,
            receipts,
        } = chain.import(block.whole).map_err(refused)?;
        let after = chain.world().filter(|_| chain.head() == hash);
        let after = after.ok_or(ImportError::SideChain {
            number: header.number,
        })?;
        blocks.push(ImportedBlock {
            header,
            transactions: transactions.into_iter().map(Arc::new).collect(),
            receipts,
            changes: after.changes_since(&world),
        });
        world = Arc::clone(after);
    }
    let accounts = genesis.alloc.into_iter().map(|(address, account)| {
        let account = GenesisAccount {
            balance: account.balance,
            nonce: account.nonce,
            code: account.code,
            storage: account.storage,
        };
        (address, account)
    });
    Ok(Import {
        chain_id,
        genesis: header,
        accounts: accounts.collect(),
        blocks,
    })
}

impl Genesis {
    fn header(&self, state_root: B256) -> Header {
        Header {
            ommers_hash: EMPTY_OMMER_ROOT_HASH,
            beneficiary: self.coinbase,
            state_root,
            transactions_root: EMPTY_ROOT_HASH,
            receipts_root: EMPTY_ROOT_HASH,
            difficulty: self.difficulty,
            gas_limit: self.gas_limit,
            timestamp: self.timestamp,
            extra_data: self.extra_data.clone(),
            mix_hash: self.mix_hash,
            nonce: B64::from(self.nonce.saturating_to::<u64>()),
            ..Header::default()
        }
    }
}

impl Config {
    fn network(&self) -> Network {
        let stated = |name: &str| self.rest.get(name).and_then(Value::as_u64);
        let mut then = Vec::new();
        for (name, fork) in BY_NUMBER {
            then.extend(stated(name).map(|number| (Activation::Number(number), fork)));
        }
        let merge = self.terminal_total_difficulty.map(U256::from);
        then.extend(merge.map(|total| (Activation::Difficulty(total), Fork::Paris)));
        for (name, fork) in BY_TIME {
            then.extend(stated(name).map(|time| (Activation::Time(time), fork)));
        }
        let mut network = Network::new(Fork::Frontier, then);
        for (name, schedule) in &self.blob_schedule {
            let named = BY_TIME
                .iter()
                .find(|(time, _)| time.strip_suffix("Time") == Some(name));
            if let Some((_, fork)) = named {
                network.schedule(*fork, *schedule);
            }
        }
        network
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn genesis() -> Vec<u8> {
        let genesis = json!({
            "config": {
                "chainId": 7,
                "homesteadBlock": 0,
                "londonBlock": 27,
                "terminalTotalDifficulty": 4_732_352,
                "shanghaiTime": 390,
                "bpo1Time": 510,
                "blobSchedule": {"bpo1": {"target": 10, "max": 15, "baseFeeUpdateFraction": 8_346_193}},
                "ethash": {},
            },
            "nonce": "0x0",
            "timestamp": "0x0",
            "extraData": "0x",
            "gasLimit": "0x5f5e100",
            "difficulty": "0x20000",
            "mixHash": B256::ZERO,
            "coinbase": Address::ZERO,
            "alloc": {
                "0100000000000000000000000000000000000000": {"balance": "0x1"},
            },
        });
        serde_json::to_vec(&genesis).unwrap()
    }

    #[test]
    fn a_genesis_names_its_forks() {
        let genesis: Genesis = serde_json::from_slice(&genesis()).unwrap();
        let network = genesis.config.network();
        let merged = U256::from(4_732_352);
        for (number, timestamp, total, fork) in [
            (1, 10, U256::ZERO, Fork::Homestead),
            (27, 270, U256::ZERO, Fork::London),
            (36, 360, merged, Fork::Paris),
            (39, 390, merged, Fork::Shanghai),
            (51, 510, merged, Fork::Bpo1),
        ] {
            assert_eq!(network.fork(number, timestamp, total), fork);
        }
        assert_eq!(network.blobs(Fork::Bpo1).max_blob_count, 15);
    }

    #[test]
    fn what_is_no_chain_is_refused() {
        let none = import(&genesis(), &[]).unwrap();
        assert!(none.blocks.is_empty());
        assert_eq!(none.accounts.len(), 1);
        assert_ne!(none.genesis.state_root, EMPTY_ROOT_HASH);
        let error = |genesis: &[u8], rlp: &[u8]| import(genesis, rlp).unwrap_err();
        assert!(matches!(error(b"{}", &[]), ImportError::Genesis(_)));
        assert!(matches!(error(&genesis(), &[0xc2, 0]), ImportError::Rlp(_)));
        let refused = error(&genesis(), &[0xc0]).to_string();
        assert!(refused.starts_with("block 1: "), "{refused}");
    }
}
