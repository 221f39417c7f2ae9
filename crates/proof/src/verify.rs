//! The verification: the steps in their order, and what comes of it.

mod verdict;

pub(crate) use verdict::{object, rfc3339};

pub use verdict::{
    BlockProof, CertifiedBlock, ContentProof, RecordProof, TransactionProof, Verdict,
};

use crate::content::{Body, ContentError, verify_content};
use crate::finalization::{FinalizationError, IdentityKey, KeyError, namespace};
use crate::format::FormatError;
use crate::headers::{Header, HeadersError, verify_headers};
use crate::inclusion::{InclusionError, TransactionReceipt, recorded_log, verify_inclusion};
use crate::path::{PathError, verify_path};
use crate::receipt::{Content, Identity, Receipt, Record};
use alloc::{
    boxed::Box,
    string::{String, ToString},
};
use alloy_primitives::B256;
use core::fmt;

/// Checks everything a receipt claims.
///
/// With `pinned`, the identity in the receipt must be that one. Without, the receipt is checked against the identity it
/// carries, which proves only that *somebody's* validators signed it: the verdict says whose, and that it is not pinned.
pub fn verify(receipt: &Receipt, pinned: Option<&Identity>) -> Result<Verdict, Failure> {
    verify_effect(receipt, pinned).map(|(verdict, _)| verdict)
}

/// As [`verify`], with all that the transaction did.
pub(crate) fn verify_effect(
    receipt: &Receipt,
    pinned: Option<&Identity>,
) -> Result<(Verdict, TransactionReceipt), Failure> {
    receipt.check()?;
    let key = verify_identity(&receipt.network.identity, pinned)?;
    let claims = claims(receipt)?;
    let namespace = namespace(receipt.network.chain_id, &receipt.network.genesis);
    key.verify(&namespace, &receipt.finalization, &claims.certified.hash)?;
    let verdict = verdict(receipt, pinned.is_some(), &claims);
    Ok((verdict, claims.effect))
}

/// Checks what a receipt claims but for whose it is and whether that made it final: the steps [`Step::Identity`] and
/// [`Step::Finalization`]. Proves nothing by itself; for one who made them before, on the same network and finalization,
/// and saves what they cost.
pub fn verify_claims(receipt: &Receipt) -> Result<(), Failure> {
    receipt.check()?;
    claims(receipt).map(drop)
}

/// What was found true of a receipt.
struct Claims {
    block: Header,
    certified: Header,
    effect: TransactionReceipt,
    record: Option<RecordProof>,
}

fn claims(receipt: &Receipt) -> Result<Claims, Failure> {
    let (block, certified) = verify_headers(&receipt.headers)?;
    let inclusion = &receipt.inclusion;
    let effect = verify_inclusion(
        &block.receipts_root,
        inclusion.transaction_index,
        &inclusion.proof,
    )?;
    let record = receipt
        .record
        .as_ref()
        .map(|record| verify_record(record, &effect))
        .transpose()?;
    Ok(Claims {
        block,
        certified,
        effect,
        record,
    })
}

pub(crate) fn verify_identity(
    found: &Identity,
    pinned: Option<&Identity>,
) -> Result<IdentityKey, IdentityError> {
    match pinned {
        Some(pinned) if pinned != found => Err(IdentityError::Other {
            pinned: Box::new(*pinned),
            found: Box::new(*found),
        }),
        _ => Ok(IdentityKey::new(found)?),
    }
}

/// Batch root, then path, then content.
fn verify_record(record: &Record, effect: &TransactionReceipt) -> Result<RecordProof, Failure> {
    let recorded = recorded_log(effect, record.log_index)?;
    let path = &record.path;
    verify_path(
        &recorded.root,
        recorded.count,
        &path.id,
        &path.commitment,
        path.leaf_index,
        &path.siblings,
    )?;
    let content = record
        .content
        .as_ref()
        .map(|content| check_content(content, &path.commitment))
        .transpose()?;
    Ok(RecordProof {
        id: path.id,
        commitment: path.commitment,
        organization: recorded.organization,
        leaf_index: path.leaf_index,
        leaves: recorded.count,
        content,
    })
}

fn check_content(content: &Content, commitment: &B256) -> Result<ContentProof, Failure> {
    verify_content(content, commitment)?;
    let body = Body::read(&content.body).map_err(FormatError::from)?;
    Ok(ContentProof {
        record_type: body.record_type,
        attachments: content.attachments.clone(),
    })
}

fn verdict(receipt: &Receipt, pinned: bool, claims: &Claims) -> Verdict {
    let Claims {
        block,
        certified,
        effect,
        record,
    } = claims;
    Verdict {
        identity: receipt.network.identity,
        pinned,
        chain_id: receipt.network.chain_id,
        genesis: receipt.network.genesis,
        block: BlockProof {
            height: block.number,
            hash: block.hash,
            timestamp: block.timestamp,
        },
        certified: CertifiedBlock {
            height: certified.number,
            hash: certified.hash,
            epoch: receipt.finalization.epoch,
            view: receipt.finalization.view,
        },
        transaction: TransactionProof {
            index: receipt.inclusion.transaction_index,
            succeeded: effect.succeeded,
            logs: effect.logs.len(),
        },
        record: record.clone(),
    }
}

/// The steps of the verification, in the order in which they are made. The names are public and stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Step {
    /// The file is not an `ashlar-receipt/1`.
    Format,
    /// The identity is not the pinned one, or no public key.
    Identity,
    /// The headers are not a chain.
    Headers,
    /// The block did not do what is claimed.
    Inclusion,
    /// The record is not in the batch.
    Path,
    /// The content is not what was recorded.
    Content,
    /// The chain of headers does not end in a block this identity made final.
    Finalization,
}

impl Step {
    /// All of them, in order.
    pub const ALL: [Self; 7] = [
        Self::Format,
        Self::Identity,
        Self::Headers,
        Self::Inclusion,
        Self::Path,
        Self::Content,
        Self::Finalization,
    ];

    /// The public name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Format => "format",
            Self::Identity => "identity",
            Self::Headers => "headers",
            Self::Inclusion => "inclusion",
            Self::Path => "path",
            Self::Content => "content",
            Self::Finalization => "finalization",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a receipt is not valid. The message does not repeat the step.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// In the step [`Step::Format`].
    #[error(transparent)]
    Format(#[from] FormatError),
    /// In the step [`Step::Identity`].
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// In the step [`Step::Headers`].
    #[error(transparent)]
    Headers(#[from] HeadersError),
    /// In the step [`Step::Inclusion`].
    #[error(transparent)]
    Inclusion(#[from] InclusionError),
    /// In the step [`Step::Path`].
    #[error(transparent)]
    Path(#[from] PathError),
    /// In the step [`Step::Content`].
    #[error(transparent)]
    Content(#[from] ContentError),
    /// In the step [`Step::Finalization`].
    #[error(transparent)]
    Finalization(#[from] FinalizationError),
}

impl Failure {
    /// The step that failed; those before it passed, those after it were not made.
    pub const fn step(&self) -> Step {
        match self {
            Self::Format(_) => Step::Format,
            Self::Identity(_) => Step::Identity,
            Self::Headers(_) => Step::Headers,
            Self::Inclusion(_) => Step::Inclusion,
            Self::Path(_) => Step::Path,
            Self::Content(_) => Step::Content,
            Self::Finalization(_) => Step::Finalization,
        }
    }

    /// `{"message", "step", "valid": false}` in canonical JSON.
    pub fn to_json(&self) -> String {
        object([
            ("valid", false.into()),
            ("step", self.step().name().into()),
            ("message", self.to_string().as_str().into()),
        ])
        .canonical()
    }
}

/// Why an identity is not the one to check against.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The receipt is of a network that was not asked for.
    #[error("the receipt is of the network with identity {found}, not of the pinned {pinned}")]
    Other {
        /// The one asked for.
        pinned: Box<Identity>,
        /// The one in the receipt.
        found: Box<Identity>,
    },
    /// Nobody can have signed under it.
    #[error(transparent)]
    Key(#[from] KeyError),
}
