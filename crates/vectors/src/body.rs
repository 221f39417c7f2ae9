//! A block as its RLP carries it.

use alloy_consensus::Header;
use alloy_eips::eip4895::Withdrawal;
use alloy_primitives::Bytes;
use alloy_rlp::{Decodable as _, Error, Header as Prefix};

/// A decoded block whose transactions are still bytes.
#[derive(Clone, Debug)]
pub(crate) struct Body {
    pub header: Header,
    /// EIP-2718 bytes.
    pub transactions: Vec<Bytes>,
    pub uncles: Vec<Header>,
    /// Since Shanghai.
    pub withdrawals: Option<Vec<Withdrawal>>,
    /// Length of the whole block in RLP, in bytes.
    pub length: usize,
}

/// One item of an RLP list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item<'a> {
    /// Whether it is a list itself.
    pub list: bool,
    /// Without its prefix.
    pub payload: &'a [u8],
    /// With it.
    pub whole: &'a [u8],
}

/// Splits off the first item.
pub(crate) fn item<'a>(rlp: &mut &'a [u8]) -> Result<Item<'a>, Error> {
    let start = *rlp;
    let prefix = Prefix::decode(rlp)?;
    let (payload, rest) = rlp
        .split_at_checked(prefix.payload_length)
        .ok_or(Error::InputTooShort)?;
    *rlp = rest;
    let whole = start
        .get(..start.len().saturating_sub(rest.len()))
        .ok_or(Error::InputTooShort)?;
    Ok(Item {
        list: prefix.list,
        payload,
        whole,
    })
}

/// The items that `rlp` is made of, one after the other.
pub(crate) fn items(mut rlp: &[u8]) -> Result<Vec<Item<'_>>, Error> {
    let mut items = Vec::new();
    while !rlp.is_empty() {
        items.push(item(&mut rlp)?);
    }
    Ok(items)
}

/// The items of the list that `item` must be.
fn list(item: Item<'_>) -> Result<Vec<Item<'_>>, Error> {
    if !item.list {
        return Err(Error::UnexpectedString);
    }
    items(item.payload)
}

fn header(item: Item<'_>) -> Result<Header, Error> {
    let mut rest = item.whole;
    let header = Header::decode(&mut rest)?;
    if rest.is_empty() {
        Ok(header)
    } else {
        Err(Error::UnexpectedLength)
    }
}

fn withdrawal(item: Item<'_>) -> Result<Withdrawal, Error> {
    let mut rest = item.whole;
    let withdrawal = Withdrawal::decode(&mut rest)?;
    if rest.is_empty() {
        Ok(withdrawal)
    } else {
        Err(Error::UnexpectedLength)
    }
}

impl Body {
    /// Decodes a block. Nothing may be left over.
    pub(crate) fn decode(rlp: &[u8]) -> Result<Self, Error> {
        let [block] = items(rlp)?[..] else {
            return Err(Error::UnexpectedLength);
        };
        let parts = list(block)?;
        let (head, transactions, uncles, withdrawals) = match parts[..] {
            [head, transactions, uncles] => (head, transactions, uncles, None),
            [head, transactions, uncles, withdrawals] => {
                (head, transactions, uncles, Some(withdrawals))
            }
            _ => return Err(Error::UnexpectedLength),
        };
        let transactions = list(transactions)?
            .into_iter()
            .map(|item| {
                // A legacy transaction is a list; a typed one is a string around its envelope.
                let raw = if item.list { item.whole } else { item.payload };
                let typed = raw.first().is_some_and(|first| *first < 0xc0);
                if typed == item.list {
                    return Err(Error::UnexpectedString);
                }
                Ok(Bytes::copy_from_slice(raw))
            })
            .collect::<Result<_, _>>()?;
        Ok(Self {
            header: header(head)?,
            transactions,
            uncles: list(uncles)?
                .into_iter()
                .map(header)
                .collect::<Result<_, _>>()?,
            withdrawals: match withdrawals {
                Some(item) => Some(
                    list(item)?
                        .into_iter()
                        .map(withdrawal)
                        .collect::<Result<_, _>>()?,
                ),
                None => None,
            },
            length: rlp.len(),
        })
    }
}
