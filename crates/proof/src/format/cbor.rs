//! The CBOR form: a map with small integer keys, and below it arrays, whose items need no names. In CDDL (RFC 8610):
//!
//! ```cddl
//! receipt = {
//!   0: "ashlar-receipt/1",
//!   1: [chain_id: uint, genesis: hash, identity: bytes .size 96],
//!   2: [epoch: uint, view: uint, parent_view: uint, signature: bytes .size 48],
//!   3: [1*256 header: bytes],
//!   4: [transaction_index: uint, proof: [1*17 node: bytes], ? log_index: uint],
//!   ? 5: [id: hash, commitment: hash, leaf_index: uint, siblings: [*64 hash]],
//!   ? 6: [salt: hash, body: bytes, attachments: [*256 hash]],
//! }
//! hash = bytes .size 32
//! ```
//!
//! Reading here checks kinds, lengths and keys; that lengths and integers are in their shortest form and keys in
//! ascending order is seen by encoding again and comparing (`Receipt::from_cbor`).

use super::{ATTACHMENTS_MAX, FORMAT, FormatError, HEADERS_MAX, NODES_MAX, SIBLINGS_MAX};
use crate::receipt::{Content, Finalization, Inclusion, Network, Path, Receipt, Record};
use alloc::{string::ToString, vec::Vec};
use alloy_primitives::{Bytes, FixedBytes};
use core::convert::Infallible;
use minicbor::{Decoder, Encoder, decode::Error as DecodeError, encode::Error as EncodeError};

/// The names of the keys, by number.
const NAMES: [&str; 7] = [
    "format",
    "network",
    "finalization",
    "headers",
    "inclusion",
    "path",
    "content",
];

pub(super) fn read(bytes: &[u8]) -> Result<Receipt, FormatError> {
    let mut file = Reader(Decoder::new(bytes));
    let mut parts = Parts::default();
    for position in 0..file.map()? {
        let key = file.0.u64()?;
        let field = usize::try_from(key).ok().and_then(|key| NAMES.get(key));
        let field = *field.ok_or_else(|| FormatError::Unknown {
            field: alloc::format!("key {key}"),
        })?;
        if position == 0 && field != "format" {
            return Err(missing("format"));
        }
        let duplicate = match field {
            "format" => parts.format.replace(file.format()?).is_some(),
            "network" => parts.network.replace(file.network()?).is_some(),
            "finalization" => parts.finalization.replace(file.finalization()?).is_some(),
            "headers" => parts
                .headers
                .replace(file.list(field, HEADERS_MAX, Reader::bytes)?)
                .is_some(),
            "inclusion" => parts.inclusion.replace(file.inclusion()?).is_some(),
            "path" => parts.path.replace(file.path()?).is_some(),
            _ => parts.content.replace(file.content()?).is_some(),
        };
        if duplicate {
            return Err(FormatError::Duplicate {
                field: field.to_string(),
            });
        }
    }
    let trailing = bytes.len() - file.0.position();
    if trailing > 0 {
        return Err(FormatError::Cbor(alloc::format!(
            "{trailing} bytes after its end"
        )));
    }
    parts.receipt()
}

/// What the keys of the map hold.
#[derive(Default)]
struct Parts {
    format: Option<()>,
    network: Option<Network>,
    finalization: Option<Finalization>,
    headers: Option<Vec<Bytes>>,
    inclusion: Option<(Inclusion, Option<u64>)>,
    path: Option<Path>,
    content: Option<Content>,
}

impl Parts {
    fn receipt(self) -> Result<Receipt, FormatError> {
        self.format.ok_or_else(|| missing("format"))?;
        let (inclusion, log_index) = self.inclusion.ok_or_else(|| missing("inclusion"))?;
        let record = match (log_index, self.path, self.content) {
            (Some(log_index), Some(path), content) => Some(Record {
                log_index,
                path,
                content,
            }),
            (Some(_), None, _) => {
                return Err(FormatError::Without {
                    field: "inclusion.log_index",
                    other: "path",
                });
            }
            (None, Some(_), _) => {
                return Err(FormatError::Without {
                    field: "path",
                    other: "inclusion.log_index",
                });
            }
            (None, None, Some(_)) => {
                return Err(FormatError::Without {
                    field: "content",
                    other: "path",
                });
            }
            (None, None, None) => None,
        };
        Ok(Receipt {
            network: self.network.ok_or_else(|| missing("network"))?,
            finalization: self.finalization.ok_or_else(|| missing("finalization"))?,
            headers: self.headers.ok_or_else(|| missing("headers"))?,
            inclusion,
            record,
        })
    }
}

fn missing(field: &str) -> FormatError {
    FormatError::Missing {
        field: field.to_string(),
    }
}

/// Reads the parts; fields within an array are told by their path, as in JSON.
struct Reader<'a>(Decoder<'a>);

impl Reader<'_> {
    fn map(&mut self) -> Result<u64, FormatError> {
        self.0
            .map()?
            .ok_or_else(|| FormatError::Cbor("a map of indefinite length".to_string()))
    }

    fn format(&mut self) -> Result<(), FormatError> {
        match self.0.str()? {
            FORMAT => Ok(()),
            found => Err(FormatError::Version {
                found: found.chars().take(40).collect(),
                expected: FORMAT,
            }),
        }
    }

    fn network(&mut self) -> Result<Network, FormatError> {
        self.items("network", 3..=3)?;
        Ok(Network {
            chain_id: self.0.u64()?,
            genesis: self.fixed("network.genesis")?,
            identity: self.fixed("network.identity")?,
        })
    }

    fn finalization(&mut self) -> Result<Finalization, FormatError> {
        self.items("finalization", 4..=4)?;
        Ok(Finalization {
            epoch: self.0.u64()?,
            view: self.0.u64()?,
            parent_view: self.0.u64()?,
            signature: self.fixed("finalization.signature")?,
        })
    }

    fn inclusion(&mut self) -> Result<(Inclusion, Option<u64>), FormatError> {
        let items = self.items("inclusion", 2..=3)?;
        let inclusion = Inclusion {
            transaction_index: self.0.u64()?,
            proof: self.list("inclusion.proof", NODES_MAX, Self::bytes)?,
        };
        let log_index = if items == 3 {
            Some(self.0.u64()?)
        } else {
            None
        };
        Ok((inclusion, log_index))
    }

    fn path(&mut self) -> Result<Path, FormatError> {
        self.items("path", 4..=4)?;
        Ok(Path {
            id: self.fixed("path.id")?,
            commitment: self.fixed("path.commitment")?,
            leaf_index: self.0.u64()?,
            siblings: self.list("path.siblings", SIBLINGS_MAX, |file| {
                file.fixed("path.siblings")
            })?,
        })
    }

    fn content(&mut self) -> Result<Content, FormatError> {
        self.items("content", 3..=3)?;
        Ok(Content {
            salt: self.fixed("content.salt")?,
            body: self.bytes()?,
            attachments: self.list("content.attachments", ATTACHMENTS_MAX, |file| {
                file.fixed("content.attachments")
            })?,
        })
    }

    fn bytes(&mut self) -> Result<Bytes, FormatError> {
        Ok(Bytes::copy_from_slice(self.0.bytes()?))
    }

    fn fixed<const N: usize>(&mut self, field: &str) -> Result<FixedBytes<N>, FormatError> {
        let bytes = self.0.bytes()?;
        let length = || FormatError::Length {
            field: field.to_string(),
            expected: N,
            found: bytes.len(),
        };
        FixedBytes::try_from(bytes).map_err(|_| length())
    }

    /// The head of an array; says how many items follow.
    fn array(&mut self) -> Result<u64, FormatError> {
        self.0
            .array()?
            .ok_or_else(|| FormatError::Cbor("an array of indefinite length".to_string()))
    }

    /// The head of an array that stands for an object.
    fn items(
        &mut self,
        field: &str,
        allowed: core::ops::RangeInclusive<u64>,
    ) -> Result<u64, FormatError> {
        let items = self.array()?;
        if !allowed.contains(&items) {
            return Err(FormatError::Cbor(alloc::format!(
                "{field} has {items} items, not {}",
                allowed.end()
            )));
        }
        Ok(items)
    }

    fn list<T>(
        &mut self,
        field: &str,
        limit: usize,
        mut item: impl FnMut(&mut Self) -> Result<T, FormatError>,
    ) -> Result<Vec<T>, FormatError> {
        let items = usize::try_from(self.array()?).unwrap_or(usize::MAX);
        super::within(field, items, limit)?;
        (0..items).map(|_| item(self)).collect()
    }
}

impl From<DecodeError> for FormatError {
    fn from(error: DecodeError) -> Self {
        Self::Cbor(error.to_string())
    }
}

pub(super) fn write(receipt: &Receipt) -> Vec<u8> {
    let mut out = Encoder::new(Vec::new());
    write_receipt(receipt, &mut out).expect("a Vec takes every write");
    out.into_writer()
}

type Written = Result<(), EncodeError<Infallible>>;
type Writer = Encoder<Vec<u8>>;

fn write_receipt(receipt: &Receipt, out: &mut Writer) -> Written {
    let Receipt {
        network,
        finalization,
        headers,
        inclusion,
        record,
    } = receipt;
    let content = record.as_ref().and_then(|record| record.content.as_ref());
    out.map(5 + u64::from(record.is_some()) + u64::from(content.is_some()))?;
    out.u8(0)?.str(FORMAT)?;
    out.u8(1)?
        .array(3)?
        .u64(network.chain_id)?
        .bytes(&network.genesis[..])?
        .bytes(&network.identity[..])?;
    out.u8(2)?
        .array(4)?
        .u64(finalization.epoch)?
        .u64(finalization.view)?
        .u64(finalization.parent_view)?;
    out.bytes(&finalization.signature[..])?;
    out.u8(3)?;
    write_list(headers, out)?;
    out.u8(4)?
        .array(2 + u64::from(record.is_some()))?
        .u64(inclusion.transaction_index)?;
    write_list(&inclusion.proof, out)?;
    if let Some(Record {
        log_index, path, ..
    }) = record
    {
        out.u64(*log_index)?;
        out.u8(5)?
            .array(4)?
            .bytes(&path.id[..])?
            .bytes(&path.commitment[..])?
            .u64(path.leaf_index)?;
        write_list(&path.siblings, out)?;
    }
    if let Some(content) = content {
        out.u8(6)?
            .array(3)?
            .bytes(&content.salt[..])?
            .bytes(&content.body)?;
        write_list(&content.attachments, out)?;
    }
    Ok(())
}

fn write_list<T: AsRef<[u8]>>(items: &[T], out: &mut Writer) -> Written {
    out.array(items.len() as u64)?;
    for item in items {
        out.bytes(item.as_ref())?;
    }
    Ok(())
}
