//! What a valid receipt proves, as data, as JSON, and as lines for people.

use crate::canonical::{Object, Value};
use crate::receipt::Identity;
use alloc::{
    format,
    string::{String, ToString},
    vec::Vec,
};
use alloy_primitives::{B256, hex};
use core::fmt;

/// What was proved. `Display` gives a few lines of text, without a final line break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The identity everything below rests on.
    pub identity: Identity,
    /// Whether the caller asked for that identity. If not, it came from the receipt itself: compare it with one you
    /// have from elsewhere before you believe anything.
    pub pinned: bool,
    /// The network's EVM chain id.
    pub chain_id: u64,
    /// The hash of the network's block 0.
    pub genesis: B256,
    /// The block that contains the transaction.
    pub block: BlockProof,
    /// The block under the signature; the same one, or a descendant.
    pub certified: CertifiedBlock,
    /// The transaction whose receipt is proved.
    pub transaction: TransactionProof,
    /// The record, unless the receipt is of a plain transaction.
    pub record: Option<RecordProof>,
}

/// The block of the record or transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlockProof {
    /// Its height.
    pub height: u64,
    /// Its hash.
    pub hash: B256,
    /// Its time, in seconds since 1970, UTC, as the validators agreed on it.
    pub timestamp: u64,
}

/// The block that the finalization names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertifiedBlock {
    /// Its height.
    pub height: u64,
    /// Its hash.
    pub hash: B256,
    /// The epoch of the committee that signed.
    pub epoch: u64,
    /// The consensus view.
    pub view: u64,
}

/// The transaction, as far as its receipt tells: Ethereum's transaction receipts do not contain the transaction's hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransactionProof {
    /// Its position in the block.
    pub index: u64,
    /// Whether it took effect. For a record it did.
    pub succeeded: bool,
    /// How many logs it emitted.
    pub logs: usize,
}

/// The record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordProof {
    /// Its id.
    pub id: B256,
    /// What was committed to.
    pub commitment: B256,
    /// Who recorded it.
    pub organization: B256,
    /// Its position among the leaves of its batch.
    pub leaf_index: u64,
    /// How many leaves the batch has.
    pub leaves: u64,
    /// The content, if it was in the receipt; it is then what was committed to.
    pub content: Option<ContentProof>,
}

/// Content that was checked against the commitment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ContentProof {
    /// The record's type.
    pub record_type: String,
    /// The digests of the attachments. The attachments themselves are not in a receipt: compare their SHA-256.
    pub attachments: Vec<B256>,
}

impl Verdict {
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
            ("hash", hash(&self.block.hash)),
            ("timestamp", self.block.timestamp.into()),
            ("time", rfc3339(self.block.timestamp).as_str().into()),
        ];
        let certified = [
            ("height", self.certified.height.into()),
            ("hash", hash(&self.certified.hash)),
            ("epoch", self.certified.epoch.into()),
            ("view", self.certified.view.into()),
        ];
        let transaction = [
            ("index", self.transaction.index.into()),
            ("succeeded", self.transaction.succeeded.into()),
            ("logs", (self.transaction.logs as u64).into()),
        ];
        object([
            ("valid", true.into()),
            (
                "identity",
                hex::encode_prefixed(self.identity).as_str().into(),
            ),
            ("pinned", self.pinned.into()),
            ("chain_id", self.chain_id.into()),
            ("genesis", hash(&self.genesis)),
            ("block", object(block)),
            ("certified", object(certified)),
            ("transaction", object(transaction)),
            (
                "record",
                self.record.as_ref().map_or(Value::Null, RecordProof::value),
            ),
        ])
    }
}

impl RecordProof {
    fn value(&self) -> Value {
        object([
            ("id", hash(&self.id)),
            ("commitment", hash(&self.commitment)),
            ("organization", hash(&self.organization)),
            ("leaf_index", self.leaf_index.into()),
            ("leaves", self.leaves.into()),
            (
                "content",
                self.content
                    .as_ref()
                    .map_or(Value::Null, ContentProof::value),
            ),
        ])
    }
}

impl ContentProof {
    fn value(&self) -> Value {
        object([
            ("type", self.record_type.as_str().into()),
            (
                "attachments",
                Value::Array(self.attachments.iter().map(hash).collect()),
            ),
        ])
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = if self.pinned {
            "pinned"
        } else {
            "from the receipt itself: compare it with one you trust"
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
        writeln!(f, "block         {height} of {time}, {}", self.block.hash)?;
        let outcome = if self.transaction.succeeded {
            "took effect"
        } else {
            "failed"
        };
        write!(
            f,
            "transaction   {} in its block, {outcome}, {} logs",
            self.transaction.index, self.transaction.logs
        )?;
        let Some(record) = &self.record else {
            return Ok(());
        };
        write!(f, "\nrecord        {}", record.id)?;
        write!(f, "\norganization  {}", record.organization)?;
        write!(
            f,
            "\ncommitment    {} (leaf {} of {})",
            record.commitment, record.leaf_index, record.leaves
        )?;
        match &record.content {
            None => write!(f, "\ncontent       not in this receipt"),
            Some(content) => {
                let digests = content.attachments.len();
                write!(
                    f,
                    "\ncontent       is what was recorded: type {:?}, {digests} attachments",
                    content.record_type
                )
            }
        }
    }
}

pub(crate) fn object<'a>(members: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::Object(Object::from_iter(members))
}

fn hash(hash: &B256) -> Value {
    Value::String(hash.to_string())
}

/// `seconds` since 1970 as RFC 3339, UTC. Leap seconds do not occur in it, as in Unix time.
pub(crate) fn rfc3339(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    // Counted from 0000-03-01, so that leap days end years; eras of 400 years have 146,097 days.
    let days = days + 719_468;
    let (era, day) = (days / 146_097, days % 146_097);
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = if month < 10 {
        (year, month + 3)
    } else {
        (year + 1, month - 9)
    };
    let (hour, minute, second) = (second / 3_600, second / 60 % 60, second % 60);
    format!(
        "{:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z",
        era * 400 + year
    )
}

#[cfg(test)]
mod tests {
    use super::rfc3339;

    #[test]
    fn time_is_civil() {
        let check = |seconds, expected| assert_eq!(rfc3339(seconds), expected);
        check(0, "1970-01-01T00:00:00Z");
        check(951_782_399, "2000-02-28T23:59:59Z");
        check(951_782_400, "2000-02-29T00:00:00Z");
        check(951_868_800, "2000-03-01T00:00:00Z");
        check(1_709_164_800, "2024-02-29T00:00:00Z");
        check(1_798_761_599, "2026-12-31T23:59:59Z");
        check(1_798_761_600, "2027-01-01T00:00:00Z");
        check(4_107_542_400, "2100-03-01T00:00:00Z");
        // The largest header timestamp must not overflow.
        assert!(rfc3339(u64::MAX).ends_with("Z"));
    }
}
