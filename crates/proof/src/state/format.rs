//! Step `format` of a state proof: JSON to a [`StateProof`], and back. As strict as the receipt's twin.

use super::{Entry, Snapshot, StateProof};
use crate::canonical::Value;
use crate::format::json::{Field, finalization, hex_list, hex_string, network, object};
use crate::format::json::{write_finalization, write_network};
use crate::format::{
    FILE_BYTES_MAX, FormatError, HEADERS_MAX, INTEGER_MAX, PROOF_BYTES_MAX, not_empty, within,
};
use alloc::{string::String, vec, vec::Vec};
use alloy_primitives::{Address, B256, U256};

/// The name, with the version, in every state proof.
pub const FORMAT: &str = "ashlar-state-proof/1";
/// Slots of one proof.
pub const STORAGE_MAX: usize = 512;
/// Digests of one entry: a log of 2^53 operations has at most 53 peaks and paths of 53.
pub const DIGESTS_MAX: usize = 106;
/// Nesting of the JSON: storage, slot, entry, digests.
const DEPTH: usize = 8;

/// Whether a file says that it is a state proof, of whatever version. It may still not be one.
pub fn is_state_proof(file: &[u8]) -> bool {
    if file.len() > FILE_BYTES_MAX {
        return false;
    }
    let root = Value::parse_within(file, DEPTH).ok();
    let format = root.as_ref().and_then(|root| root.get("format")?.as_str());
    format.is_some_and(|format| format.starts_with("ashlar-state-proof/"))
}

impl StateProof {
    /// Reads a proof.
    pub fn from_json(text: &[u8]) -> Result<Self, FormatError> {
        within("the file", text.len(), FILE_BYTES_MAX)?;
        let root = Value::parse_within(text, DEPTH)?;
        let root = Field::root(&root);
        root.member("format")?.version(FORMAT)?;
        root.only(&[
            "format",
            "network",
            "finalization",
            "headers",
            "state",
            "address",
            "account",
            "storage",
        ])?;
        let storage = |item: Field<'_>| {
            item.only(&["slot", "entry"])?;
            let slot: B256 = item.member("slot")?.fixed()?;
            Ok((U256::from_be_bytes(slot.0), entry(&item.member("entry")?)?))
        };
        let proof = Self {
            network: network(&root.member("network")?)?,
            finalization: finalization(&root.member("finalization")?)?,
            headers: root
                .member("headers")?
                .list(HEADERS_MAX)?
                .map(|item| item.bytes())
                .collect::<Result<_, _>>()?,
            snapshot: snapshot(&root.member("state")?)?,
            address: Address::from(root.member("address")?.fixed::<20>()?),
            account: entry(&root.member("account")?)?,
            storage: root
                .member("storage")?
                .list(STORAGE_MAX)?
                .map(storage)
                .collect::<Result<_, FormatError>>()?,
        };
        proof.check()?;
        Ok(proof)
    }

    /// The proof in canonical form (RFC 8785).
    pub fn to_json(&self) -> String {
        self.value().canonical()
    }

    /// The proof laid out for people.
    pub fn to_json_pretty(&self) -> String {
        self.value().pretty()
    }

    /// Checks the limits. What was read has passed; what was put together has not.
    pub fn check(&self) -> Result<(), FormatError> {
        let integers = [
            ("network.chain_id", self.network.chain_id),
            ("finalization.epoch", self.finalization.epoch),
            ("finalization.view", self.finalization.view),
            ("finalization.parent_view", self.finalization.parent_view),
            ("state.leaves", self.snapshot.leaves),
            ("state.inactive_peaks", self.snapshot.inactive_peaks),
        ];
        let entries = || self.storage.iter().map(|(_, entry)| entry);
        let entries = || core::iter::once(&self.account).chain(entries());
        let locations = entries().map(|entry| ("location", entry.location));
        for (field, integer) in integers.into_iter().chain(locations) {
            if integer > INTEGER_MAX {
                return Err(FormatError::Integer {
                    field: field.into(),
                });
            }
        }
        not_empty("headers", &self.headers)?;
        within("headers", self.headers.len(), HEADERS_MAX)?;
        let bytes = self.headers.iter().map(|header| header.len()).sum();
        within("headers", bytes, PROOF_BYTES_MAX)?;
        within("storage", self.storage.len(), STORAGE_MAX)?;
        for entry in entries() {
            within("digests", entry.digests.len(), DIGESTS_MAX)?;
        }
        Ok(())
    }

    fn value(&self) -> Value {
        let storage = |(slot, entry): &(U256, Entry)| {
            object([
                ("slot", hex_string(slot.to_be_bytes::<32>())),
                ("entry", write_entry(entry)),
            ])
        };
        let mut state = vec![
            ("leaves", self.snapshot.leaves.into()),
            ("inactive_peaks", self.snapshot.inactive_peaks.into()),
            ("ops_root", hex_string(self.snapshot.ops_root)),
        ];
        let chunks = [
            ("pending", self.snapshot.pending),
            ("partial", self.snapshot.partial),
        ];
        for (name, digest) in chunks {
            state.extend(digest.map(|digest| (name, hex_string(digest))));
        }
        object([
            ("format", FORMAT.into()),
            ("network", write_network(&self.network)),
            ("finalization", write_finalization(&self.finalization)),
            ("headers", hex_list(&self.headers)),
            ("state", object(state)),
            ("address", hex_string(self.address)),
            ("account", write_entry(&self.account)),
            (
                "storage",
                Value::Array(self.storage.iter().map(storage).collect()),
            ),
        ])
    }
}

fn snapshot(field: &Field<'_>) -> Result<Snapshot, FormatError> {
    field.only(&["leaves", "inactive_peaks", "ops_root", "pending", "partial"])?;
    let optional = |name| {
        let digest = field.optional(name)?;
        digest.map(|digest| digest.fixed()).transpose()
    };
    Ok(Snapshot {
        leaves: field.member("leaves")?.integer()?,
        inactive_peaks: field.member("inactive_peaks")?.integer()?,
        ops_root: field.member("ops_root")?.fixed()?,
        pending: optional("pending")?,
        partial: optional("partial")?,
    })
}

fn entry(field: &Field<'_>) -> Result<Entry, FormatError> {
    field.only(&["location", "chunk", "key", "value", "next_key", "digests"])?;
    Ok(Entry {
        location: field.member("location")?.integer()?,
        chunk: field.member("chunk")?.fixed()?,
        key: field.member("key")?.fixed()?,
        value: field.member("value")?.fixed()?,
        next_key: field.member("next_key")?.fixed()?,
        digests: field
            .member("digests")?
            .list(DIGESTS_MAX)?
            .map(|item| item.fixed())
            .collect::<Result<Vec<B256>, _>>()?,
    })
}

fn write_entry(entry: &Entry) -> Value {
    object([
        ("location", entry.location.into()),
        ("chunk", hex_string(entry.chunk)),
        ("key", hex_string(entry.key)),
        ("value", hex_string(entry.value)),
        ("next_key", hex_string(entry.next_key)),
        ("digests", hex_list(&entry.digests)),
    ])
}
