//! The judge of records. What the contract must do, what a record is called and what a receipt must say is restated
//! here by hand, from the interface's description; nothing of the gateway's or the contract's Rust code is used.

use crate::witness::{Fact, Name, Notes};
use alloy_consensus::{Transaction as _, TxEnvelope, transaction::SignerRecoverable as _};
use alloy_eips::eip2718::Decodable2718 as _;
use alloy_primitives::{Address, B256, Bytes, Log, U256, address, keccak256};
use chain::Node;
use proof::{Receipt, receipt::Identity};
use std::collections::BTreeMap;
use types::{StateKey, StateValue, TransactionReceipt};

/// Where `Records` stands.
const RECORDS: Address = address!("0x4153484c41520000000000000000000000000001");

/// What the chain did with records.
#[derive(Default)]
pub struct Records {
    /// Everything that was claimed, by id.
    claims: BTreeMap<B256, Claim>,
    /// Final calls of `Records`, by account and nonce.
    calls: BTreeMap<(Address, u64), B256>,
}

struct Claim {
    commitment: B256,
    height: u64,
    block: B256,
    times: u32,
}

/// One entry of a call.
struct Entry {
    id: B256,
    commitment: B256,
}

impl Records {
    /// Takes in a final block. What is wrong with it.
    pub fn block(
        &mut self,
        height: u64,
        block: B256,
        transactions: &[Bytes],
        receipts: &[TransactionReceipt],
    ) -> Vec<String> {
        let mut wrong = Vec::new();
        for (raw, receipt) in transactions.iter().zip(receipts) {
            if let Err(reason) = self.transaction(height, block, raw, receipt) {
                wrong.push(format!(
                    "block {height}, transaction {}: {reason}",
                    keccak256(raw)
                ));
            }
        }
        wrong
    }

    fn transaction(
        &mut self,
        height: u64,
        block: B256,
        raw: &Bytes,
        receipt: &TransactionReceipt,
    ) -> Result<(), String> {
        let transaction =
            TxEnvelope::decode_2718(&mut raw.as_ref()).map_err(|error| error.to_string())?;
        let spoken: Vec<&Log> = receipt
            .logs()
            .iter()
            .filter(|log| log.address == RECORDS)
            .collect();
        if transaction.to() != Some(RECORDS) {
            return if spoken.is_empty() {
                Ok(())
            } else {
                Err("Records spoke unasked".to_owned())
            };
        }
        let sender = transaction
            .recover_signer()
            .map_err(|error| error.to_string())?;
        self.calls
            .insert((sender, transaction.nonce()), keccak256(raw));
        if !receipt.is_success() {
            return Err("a call of Records reverted".to_owned());
        }
        let organization = sender.into_word();
        let entries = entries(organization, transaction.input()).ok_or("malformed calldata")?;
        // The contract, restated: what must be claimed and said, given all that was claimed before.
        let mut expected = Vec::new();
        let (mut leaves, mut claimed) = (Vec::new(), vec![0_u8; entries.len().div_ceil(8)]);
        for (at, Entry { id, commitment }) in entries.iter().enumerate() {
            match self.claims.get(id) {
                Some(claim) if claim.commitment != *commitment => {
                    expected.push(conflicted(organization, *id, claim.commitment, *commitment));
                }
                Some(_) => {}
                None => {
                    let claim = Claim {
                        commitment: *commitment,
                        height,
                        block,
                        times: 0,
                    };
                    self.claims.insert(*id, claim);
                    leaves.push(leaf(*id, *commitment));
                    claimed[at / 8] |= 1 << (at % 8);
                }
            }
        }
        if let Some(root) = root(&leaves) {
            let all = leaves.len() == entries.len();
            let claimed = if all { &[] } else { claimed.as_slice() };
            expected.push(recorded(organization, root, leaves.len(), claimed));
        }
        self.count(&entries, &spoken)?;
        let said: Vec<_> = spoken
            .iter()
            .map(|log| (log.topics().to_vec(), log.data.data.to_vec()))
            .collect();
        if said == expected {
            Ok(())
        } else {
            Err(format!("Records said {said:?}, not {expected:?}"))
        }
    }

    /// Counts the claims that the logs name, whatever they ought to name.
    fn count(&mut self, entries: &[Entry], spoken: &[&Log]) -> Result<(), String> {
        let signature = keccak256("Recorded(bytes32,bytes32,uint256,bytes)");
        for log in spoken
            .iter()
            .filter(|log| log.topics().first() == Some(&signature))
        {
            let data = &log.data.data;
            let length = size(data, 96).ok_or("a malformed log")?;
            let bitmap = data.get(128..128 + length).ok_or("a malformed log")?;
            for (at, entry) in entries.iter().enumerate() {
                let named = bitmap.is_empty()
                    || bitmap
                        .get(at / 8)
                        .is_some_and(|byte| byte >> (at % 8) & 1 == 1);
                if let (true, Some(claim)) = (named, self.claims.get_mut(&entry.id)) {
                    claim.times += 1;
                }
            }
        }
        Ok(())
    }

    /// Judges what clients were told against what the chain did. How many records kept every promise.
    pub fn judge(
        &self,
        notes: &Notes,
        accounts: &[Address],
        identity: &Identity,
    ) -> (u64, Vec<String>) {
        let (mut kept, mut wrong) = (0, Vec::new());
        let mut known = BTreeMap::new();
        for (name, fact) in &notes.facts {
            let Some(account) = accounts.get(name.gateway) else {
                continue;
            };
            let id = id_of(account, name);
            known.insert(id, name);
            match self.fact(id, name, fact, identity) {
                Ok(true) => kept += 1,
                Ok(false) => {}
                Err(reason) => wrong.push(format!("{name:?}: {reason}")),
            }
        }
        for (id, claim) in &self.claims {
            if claim.times != 1 {
                wrong.push(format!("{id} was claimed {} times", claim.times));
            }
            if !known.contains_key(id) {
                wrong.push(format!("{id} is final and nobody posted it"));
            }
        }
        for (place, hash) in &self.calls {
            if notes.sent.get(place) != Some(hash) {
                wrong.push(format!(
                    "{hash} of {place:?} is final and no gateway sent it"
                ));
            }
        }
        (kept, wrong)
    }

    /// Whether there was a promise to keep.
    fn fact(
        &self,
        id: B256,
        name: &Name,
        fact: &Fact,
        identity: &Identity,
    ) -> Result<bool, String> {
        let Some(promise) = &fact.promise else {
            return Ok(false);
        };
        if promise.id != id {
            return Err(format!("was called {}, its id is {id}", promise.id));
        }
        let claim = self
            .claims
            .get(&id)
            .ok_or("was acknowledged and is not final")?;
        if claim.commitment != promise.commitment {
            return Err(format!("is final as {}, not as promised", claim.commitment));
        }
        let receipt = fact.receipt.as_ref().ok_or("is final and has no receipt")?;
        let receipt = Receipt::from_json(receipt).map_err(|error| error.to_string())?;
        let verdict = proof::verify(&receipt, Some(identity)).map_err(|error| error.to_string())?;
        let record = verdict.record.ok_or("its receipt proves no record")?;
        let content = receipt.record.and_then(|record| record.content);
        let body = content.ok_or("its receipt has no content")?.body;
        if body.as_ref() != crate::service::content(name, promise.body).as_bytes() {
            return Err("its receipt is of another body".to_owned());
        }
        let proved = (
            record.id,
            record.commitment,
            verdict.block.height,
            verdict.block.hash,
        );
        if proved != (id, promise.commitment, claim.height, claim.block) {
            return Err(format!("its receipt proves {proved:?}"));
        }
        Ok(true)
    }

    /// Compares every claim with the storage of a validator that has its block.
    pub async fn compare(&self, index: usize, node: &Node) -> Vec<String> {
        let head = node.latest().number();
        let here: Vec<_> = self
            .claims
            .iter()
            .filter(|(_, claim)| claim.height <= head)
            .collect();
        let keys = here.iter().map(|(id, _)| {
            // Element `id` of the mapping at slot 0.
            let slot = keccak256([id.as_slice(), B256::ZERO.as_slice()].concat());
            StateKey::Slot(RECORDS, slot.into())
        });
        let values = match node.read(keys.collect()).await {
            Ok(values) => values,
            Err(error) => return vec![format!("validator {index} cannot read: {error}")],
        };
        let mut wrong = Vec::new();
        for ((id, claim), value) in here.into_iter().zip(values) {
            if value != StateValue::Slot(claim.commitment.into()) {
                wrong.push(format!("validator {index} holds {value:?} for {id}"));
            }
        }
        wrong
    }
}

fn id_of(account: &Address, name: &Name) -> B256 {
    let key = keccak256(format!("{}\u{1f}{}", name.tenant, name.key));
    keccak256([account.into_word(), key].concat())
}

/// Reads the calldata of `record(bytes32[],bytes32[])`.
fn entries(organization: B256, input: &[u8]) -> Option<Vec<Entry>> {
    let selector = keccak256("record(bytes32[],bytes32[])");
    let arguments = input.strip_prefix(&selector[..4])?;
    let keys = words(arguments, size(arguments, 0)?)?;
    let commitments = words(arguments, size(arguments, 32)?)?;
    let entries = keys
        .iter()
        .zip(&commitments)
        .map(|(key, commitment)| Entry {
            id: keccak256([organization, *key].concat()),
            commitment: *commitment,
        });
    (keys.len() == commitments.len()).then(|| entries.collect())
}

fn words(data: &[u8], at: usize) -> Option<Vec<B256>> {
    let length = size(data, at)?;
    (1..=length)
        .map(|index| word(data, at + 32 * index))
        .collect()
}

fn word(data: &[u8], at: usize) -> Option<B256> {
    B256::try_from(data.get(at..at.checked_add(32)?)?).ok()
}

/// An ABI number that is an offset or a length.
fn size(data: &[u8], at: usize) -> Option<usize> {
    let size = usize::try_from(U256::from_be_bytes(word(data, at)?.0)).ok()?;
    (size <= data.len()).then_some(size)
}

type Said = (Vec<B256>, Vec<u8>);

fn conflicted(organization: B256, id: B256, recorded: B256, attempted: B256) -> Said {
    let signature = keccak256("Conflicted(bytes32,bytes32,bytes32,bytes32)");
    (
        vec![signature, organization, id],
        [recorded, attempted].concat(),
    )
}

fn recorded(organization: B256, root: B256, count: usize, claimed: &[u8]) -> Said {
    let signature = keccak256("Recorded(bytes32,bytes32,uint256,bytes)");
    let number = |value: usize| B256::from(U256::from(value));
    let mut data = [root, number(count), number(96), number(claimed.len())].concat();
    data.extend_from_slice(claimed);
    data.resize(data.len().next_multiple_of(32), 0);
    (vec![signature, organization], data)
}

fn leaf(id: B256, commitment: B256) -> B256 {
    keccak256([keccak256("ashlar/record-leaf/1"), id, commitment].concat())
}

fn root(leaves: &[B256]) -> Option<B256> {
    let domain = keccak256("ashlar/record-node/1");
    let mut level = leaves.to_vec();
    while level.len() > 1 {
        let pairs = level.chunks(2).map(|pair| match pair {
            [left, right] => keccak256([domain, *left, *right].concat()),
            odd => odd[0],
        });
        level = pairs.collect();
    }
    level.first().copied()
}
