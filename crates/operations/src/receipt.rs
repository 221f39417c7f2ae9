//! Putting a record's receipt together from what the journal holds.

use alloy_primitives::B256;
use db::Proven;
use proof::{Content, FormatError, Path, Receipt, Record};

/// The receipt of a record. The same rows always give the same receipt; it has no content when `content` is erased.
pub fn compose(
    proven: Proven,
    id: B256,
    commitment: B256,
    content: Option<Content>,
) -> Result<Receipt, FormatError> {
    let mut receipt = Receipt::from_cbor(&proven.receipt)?;
    let path = Path {
        id,
        commitment,
        leaf_index: proven.leaf_index,
        siblings: proven.siblings,
    };
    receipt.record = Some(Record {
        log_index: proven.log_index,
        path,
        content,
    });
    receipt.check()?;
    Ok(receipt)
}
