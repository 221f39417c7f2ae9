//! The JSON twin. Bytes are lower-case hex with `0x`, integers plain JSON integers, and the content's body is the JSON
//! it is, in place.

use super::{ATTACHMENTS_MAX, FORMAT, FormatError, HEADERS_MAX, NODES_MAX, SIBLINGS_MAX};
use crate::canonical::{DEPTH_MAX, Object, Value};
use crate::receipt::{Content, Finalization, Inclusion, Network, Path, Receipt, Record};
use alloc::{format, string::String, vec::Vec};
use alloy_primitives::{Bytes, FixedBytes, hex};

/// Levels of the twin around the body.
const DEPTH: usize = 2;

pub(super) fn read(text: &[u8]) -> Result<Receipt, FormatError> {
    let root = Value::parse_within(text, DEPTH_MAX + DEPTH)?;
    let root = Field::root(&root);
    // Ask for the name first: a file of another version should hear that, and not about its other fields.
    root.member("format")?.version(FORMAT)?;
    root.only(&[
        "format",
        "network",
        "finalization",
        "headers",
        "inclusion",
        "path",
        "content",
    ])?;
    Ok(Receipt {
        network: network(&root.member("network")?)?,
        finalization: finalization(&root.member("finalization")?)?,
        headers: root
            .member("headers")?
            .list(HEADERS_MAX)?
            .map(|item| item.bytes())
            .collect::<Result<_, _>>()?,
        inclusion: inclusion(&root.member("inclusion")?)?,
        record: record(&root)?,
    })
}

pub(crate) fn network(field: &Field<'_>) -> Result<Network, FormatError> {
    field.only(&["chain_id", "genesis", "identity"])?;
    Ok(Network {
        chain_id: field.member("chain_id")?.integer()?,
        genesis: field.member("genesis")?.fixed()?,
        identity: field.member("identity")?.fixed()?,
    })
}

pub(crate) fn finalization(field: &Field<'_>) -> Result<Finalization, FormatError> {
    field.only(&["epoch", "view", "parent_view", "signature"])?;
    Ok(Finalization {
        epoch: field.member("epoch")?.integer()?,
        view: field.member("view")?.integer()?,
        parent_view: field.member("parent_view")?.integer()?,
        signature: field.member("signature")?.fixed()?,
    })
}

fn inclusion(field: &Field<'_>) -> Result<Inclusion, FormatError> {
    field.only(&["transaction_index", "proof", "log_index"])?;
    Ok(Inclusion {
        transaction_index: field.member("transaction_index")?.integer()?,
        proof: field
            .member("proof")?
            .list(NODES_MAX)?
            .map(|item| item.bytes())
            .collect::<Result<_, _>>()?,
    })
}

/// Gathers what only a record's receipt has: `inclusion.log_index`, `path` and `content`.
fn record(root: &Field<'_>) -> Result<Option<Record>, FormatError> {
    let log_index = root.member("inclusion")?.optional("log_index")?;
    let (log_index, path) = match (log_index, root.optional("path")?) {
        (Some(log_index), Some(path)) => (log_index, path),
        (Some(_), None) => {
            return Err(FormatError::Without {
                field: "inclusion.log_index",
                other: "path",
            });
        }
        (None, Some(_)) => {
            return Err(FormatError::Without {
                field: "path",
                other: "inclusion.log_index",
            });
        }
        (None, None) if root.optional("content")?.is_some() => {
            return Err(FormatError::Without {
                field: "content",
                other: "path",
            });
        }
        (None, None) => return Ok(None),
    };
    path.only(&["id", "commitment", "leaf_index", "siblings"])?;
    Ok(Some(Record {
        log_index: log_index.integer()?,
        path: Path {
            id: path.member("id")?.fixed()?,
            commitment: path.member("commitment")?.fixed()?,
            leaf_index: path.member("leaf_index")?.integer()?,
            siblings: path
                .member("siblings")?
                .list(SIBLINGS_MAX)?
                .map(|item| item.fixed())
                .collect::<Result<_, _>>()?,
        },
        content: root
            .optional("content")?
            .map(|field| content(&field))
            .transpose()?,
    }))
}

fn content(field: &Field<'_>) -> Result<Content, FormatError> {
    field.only(&["salt", "body", "attachments"])?;
    let attachments = field.member("attachments")?;
    Ok(Content {
        salt: field.member("salt")?.fixed()?,
        body: field.member("body")?.value.canonical().into_bytes().into(),
        attachments: attachments
            .list(ATTACHMENTS_MAX)?
            .map(|item| item.fixed())
            .collect::<Result<_, _>>()?,
    })
}

/// A value, and where it stands, for messages.
pub(crate) struct Field<'a> {
    path: String,
    value: &'a Value,
}

impl<'a> Field<'a> {
    pub(crate) const fn root(value: &'a Value) -> Self {
        Self {
            path: String::new(),
            value,
        }
    }

    /// Checks that this is the name of a format.
    pub(crate) fn version(&self, expected: &'static str) -> Result<(), FormatError> {
        let found = self
            .value
            .as_str()
            .ok_or_else(|| self.must_be("a string"))?;
        if found == expected {
            return Ok(());
        }
        Err(FormatError::Version {
            found: found.chars().take(40).collect(),
            expected,
        })
    }

    fn child(&self, name: &str) -> String {
        if self.path.is_empty() {
            name.into()
        } else {
            format!("{}.{name}", self.path)
        }
    }

    fn must_be(&self, expected: &'static str) -> FormatError {
        FormatError::Kind {
            field: self.path.clone(),
            expected,
        }
    }

    fn object(&self) -> Result<&'a Object, FormatError> {
        self.value
            .as_object()
            .ok_or_else(|| self.must_be("an object"))
    }

    pub(crate) fn only(&self, names: &[&str]) -> Result<(), FormatError> {
        match self
            .object()?
            .iter()
            .find(|(name, _)| !names.contains(name))
        {
            Some((name, _)) => Err(FormatError::Unknown {
                field: self.child(name),
            }),
            None => Ok(()),
        }
    }

    pub(crate) fn optional(&self, name: &str) -> Result<Option<Self>, FormatError> {
        let value = self.object()?.get(name);
        Ok(value.map(|value| Field {
            path: self.child(name),
            value,
        }))
    }

    pub(crate) fn member(&self, name: &str) -> Result<Self, FormatError> {
        self.optional(name)?.ok_or_else(|| FormatError::Missing {
            field: self.child(name),
        })
    }

    pub(crate) fn list(
        &self,
        limit: usize,
    ) -> Result<impl Iterator<Item = Field<'a>>, FormatError> {
        let items = self
            .value
            .as_array()
            .ok_or_else(|| self.must_be("an array"))?;
        if items.len() > limit {
            return Err(FormatError::TooLarge {
                field: self.path.clone(),
                size: items.len(),
                limit,
            });
        }
        let item = |(at, value)| Field {
            path: format!("{}[{at}]", self.path),
            value,
        };
        Ok(items
            .iter()
            .enumerate()
            .map(item)
            .collect::<Vec<_>>()
            .into_iter())
    }

    pub(crate) fn integer(&self) -> Result<u64, FormatError> {
        self.value
            .as_u64()
            .ok_or_else(|| self.must_be("an integer, without sign, fraction or exponent"))
    }

    pub(crate) fn bytes(&self) -> Result<Bytes, FormatError> {
        let digits = self.value.as_str().and_then(|text| text.strip_prefix("0x"));
        let digits = digits.filter(|digits| !digits.bytes().any(|byte| byte.is_ascii_uppercase()));
        let bytes = digits.and_then(|digits| hex::decode(digits).ok());
        bytes
            .map(Bytes::from)
            .ok_or_else(|| self.must_be("lower-case hex after 0x"))
    }

    pub(crate) fn fixed<const N: usize>(&self) -> Result<FixedBytes<N>, FormatError> {
        let bytes = self.bytes()?;
        let length = FormatError::Length {
            field: self.path.clone(),
            expected: N,
            found: bytes.len(),
        };
        FixedBytes::try_from(bytes.as_ref()).map_err(|_| length)
    }
}

pub(super) fn write(receipt: &Receipt) -> Value {
    let mut inclusion = alloc::vec![
        (
            "transaction_index",
            receipt.inclusion.transaction_index.into()
        ),
        ("proof", hex_list(&receipt.inclusion.proof)),
    ];
    let mut root = alloc::vec![
        ("format", FORMAT.into()),
        ("network", write_network(&receipt.network)),
        ("finalization", write_finalization(&receipt.finalization)),
        ("headers", hex_list(&receipt.headers)),
    ];
    if let Some(record) = &receipt.record {
        inclusion.push(("log_index", record.log_index.into()));
        let path = [
            ("id", hex_string(record.path.id)),
            ("commitment", hex_string(record.path.commitment)),
            ("leaf_index", record.path.leaf_index.into()),
            ("siblings", hex_list(&record.path.siblings)),
        ];
        root.push(("path", object(path)));
        if let Some(content) = &record.content {
            root.push(("content", write_content(content)));
        }
    }
    root.push(("inclusion", object(inclusion)));
    object(root)
}

pub(crate) fn write_network(network: &Network) -> Value {
    object([
        ("chain_id", network.chain_id.into()),
        ("genesis", hex_string(network.genesis)),
        ("identity", hex_string(network.identity)),
    ])
}

pub(crate) fn write_finalization(finalization: &Finalization) -> Value {
    object([
        ("epoch", finalization.epoch.into()),
        ("view", finalization.view.into()),
        ("parent_view", finalization.parent_view.into()),
        ("signature", hex_string(finalization.signature)),
    ])
}

fn write_content(content: &Content) -> Value {
    object([
        ("salt", hex_string(content.salt)),
        // What is not JSON does not pass `check`; written as `null` it is refused by whoever reads it.
        ("body", Value::parse(&content.body).unwrap_or(Value::Null)),
        ("attachments", hex_list(&content.attachments)),
    ])
}

pub(crate) fn object<'a>(members: impl IntoIterator<Item = (&'a str, Value)>) -> Value {
    Value::Object(Object::from_iter(members))
}

pub(crate) fn hex_string(bytes: impl AsRef<[u8]>) -> Value {
    Value::String(hex::encode_prefixed(bytes))
}

pub(crate) fn hex_list<T: AsRef<[u8]>>(items: &[T]) -> Value {
    Value::Array(items.iter().map(hex_string).collect())
}
