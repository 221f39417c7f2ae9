//! What one node says to people who do not know it: JSON with its signature.

use alloy_primitives::{B256, Bytes};
use anyhow::{Context as _, Result, ensure};
use commonware_codec::{DecodeExt as _, Encode as _};
use commonware_cryptography::{Signer as _, Verifier as _, ed25519};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{fs, path::Path};
use types::PublicKey;

/// Something that a node says.
pub(super) trait Statement: Serialize + DeserializeOwned {
    /// Names the format, and keeps signatures of one kind from being taken for those of another.
    const FORMAT: &'static str;

    /// The ed25519 key of the node that says it.
    fn node(&self) -> B256;
}

/// A statement with its signature.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Signed<T> {
    format: String,
    content: T,
    /// ed25519 over the content as JSON without spaces, with the format as namespace.
    signature: Bytes,
}

/// A node's key as it stands in statements.
pub(super) fn key(node: &PublicKey) -> B256 {
    B256::from_slice(node.as_ref())
}

/// The node with this key.
pub(super) fn node(key: &B256) -> Result<PublicKey> {
    PublicKey::decode(bytes::Bytes::copy_from_slice(&key.0))
        .map_err(|_| anyhow::anyhow!("{key} is no ed25519 public key"))
}

/// Signs a statement.
pub(super) fn sign<T: Statement>(content: T, signer: &ed25519::PrivateKey) -> Result<String> {
    let signature = signer.sign(T::FORMAT.as_bytes(), &serde_json::to_vec(&content)?);
    let signed = Signed {
        format: T::FORMAT.to_owned(),
        content,
        signature: signature.encode().into(),
    };
    Ok(serde_json::to_string_pretty(&signed)?)
}

/// Reads a statement, and checks its signature.
pub(super) fn read<T: Statement>(path: &Path) -> Result<T> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    parse(&text).with_context(|| format!("in {}", path.display()))
}

fn parse<T: Statement>(text: &str) -> Result<T> {
    let Signed {
        format,
        content,
        signature,
    } = serde_json::from_str::<Signed<T>>(text).with_context(|| format!("not an {}", T::FORMAT))?;
    ensure!(
        format == T::FORMAT,
        "it is an {format:?}, not an {:?}",
        T::FORMAT
    );
    let signature = ed25519::Signature::decode(signature.0).ok();
    let said = serde_json::to_vec(&content)?;
    let is_theirs = |signature: &ed25519::Signature| {
        node(&content.node()).is_ok_and(|node| node.verify(T::FORMAT.as_bytes(), &said, signature))
    };
    ensure!(
        signature.as_ref().is_some_and(is_theirs),
        "its signature is not that of node {}: it was changed, or cut; ask for it again",
        content.node()
    );
    Ok(content)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Word {
        node: B256,
        word: String,
    }

    impl Statement for Word {
        const FORMAT: &'static str = "ashlar-word/1";

        fn node(&self) -> B256 {
            self.node
        }
    }

    #[test]
    fn what_was_changed_is_refused() {
        let signer = ed25519::PrivateKey::from_seed(1);
        let other = ed25519::PrivateKey::from_seed(2);
        let word = |word: &str, signer: &ed25519::PrivateKey| Word {
            node: key(&signer.public_key()),
            word: word.to_owned(),
        };
        let text = sign(word("yes", &signer), &signer).unwrap();
        assert_eq!(parse::<Word>(&text).unwrap(), word("yes", &signer));
        let theirs = sign(word("yes", &signer), &other).unwrap();
        for changed in [
            text.replace("yes", "no"),
            text.replace("word/1", "word/2"),
            text.replace("\"content\"", "\"contents\""),
            theirs,
        ] {
            assert!(parse::<Word>(&changed).is_err(), "{changed}");
        }
    }
}
