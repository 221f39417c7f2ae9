//! Sealing and opening what a record holds.
//!
//! Part 0, the document: `salt (32) ‖ number of attachments (1) ‖ SHA-256 of each (32) ‖ canonical body`. Part 1 and on:
//! the attachments. The digests are sealed too: of a small file one could guess the content.

use alloy_primitives::{B256, Bytes};
use db::Sealed;
use proof::Content;
use rand::Rng as _;
use vault::{MasterKey, RecordKey};

use super::request::Fact;
use crate::problem::{Code, Refusal};

/// Label of the keyed digest by which a repeated request is recognised.
const REQUEST: &[u8] = b"ashlar/gateway/request/1";

/// A fact, sealed.
#[derive(Debug)]
pub(super) struct SealedFact {
    pub(super) commitment: B256,
    pub(super) wrapped_key: Vec<u8>,
    pub(super) parts: Vec<Vec<u8>>,
}

/// A fact's keyed digest. Equal requests have equal digests: key order, white space, the spelling of numbers and
/// escapes do not matter.
pub(super) fn request_digest(master: &MasterKey, fact: &Fact) -> B256 {
    let digests = fact.digests();
    let message = [
        proof::content::content_digest(fact.body.as_bytes()).to_vec(),
        digests.concat(),
    ]
    .concat();
    B256::new(master.digest(REQUEST, &message))
}

/// Seals a fact under a key of its own, with a salt of its own.
pub(super) fn seal(master: &MasterKey, id: &B256, fact: &Fact) -> Result<SealedFact, vault::Error> {
    let mut rng = rand::rng();
    let key = RecordKey::random(&mut rng);
    let mut salt = B256::ZERO;
    rng.fill_bytes(salt.as_mut_slice());
    let digests = fact.digests();
    let count = u8::try_from(digests.len()).map_err(|_| vault::Error::TooLong)?;
    let document = [
        salt.as_slice(),
        &[count],
        &digests.concat(),
        fact.body.as_bytes(),
    ]
    .concat();
    let mut parts = vec![key.seal(id, 0, &document, &mut rng)?];
    for (part, file) in (1..).zip(&fact.attachments) {
        parts.push(key.seal(id, part, &file.bytes, &mut rng)?);
    }
    Ok(SealedFact {
        commitment: proof::commitment(
            &salt,
            &proof::content::content_digest(fact.body.as_bytes()),
            &digests,
        ),
        wrapped_key: master.wrap(id, &key, &mut rng)?,
        parts,
    })
}

/// Opens a document: the content that a receipt carries.
pub(super) fn open_document(
    master: &MasterKey,
    id: &B256,
    sealed: &Sealed,
) -> Result<Content, Refusal> {
    let document = open(master, id, 0, sealed)?;
    let parse = || {
        let (salt, rest) = document.split_first_chunk::<32>()?;
        let (count, rest) = rest.split_first()?;
        let (digests, body) = rest.split_at_checked(usize::from(*count) * 32)?;
        let attachments = digests.chunks(32).map(B256::from_slice).collect();
        Some(Content {
            salt: B256::new(*salt),
            body: Bytes::copy_from_slice(body),
            attachments,
        })
    };
    parse().ok_or_else(|| damaged(id, "its document is malformed"))
}

/// Opens an attachment, by its index.
pub(super) fn open_attachment(
    master: &MasterKey,
    id: &B256,
    index: u32,
    sealed: &Sealed,
) -> Result<Vec<u8>, Refusal> {
    Ok(open(master, id, index.saturating_add(1), sealed)?.to_vec())
}

fn open(
    master: &MasterKey,
    id: &B256,
    part: u32,
    sealed: &Sealed,
) -> Result<impl std::ops::Deref<Target = Vec<u8>> + use<>, Refusal> {
    let key = master
        .unwrap(&id.0, &sealed.wrapped_key)
        .map_err(|error| damaged(id, &error.to_string()))?;
    key.open(&id.0, part, &sealed.sealed)
        .map_err(|error| damaged(id, &error.to_string()))
}

/// The operator hears what; the client, that it is not its fault.
fn damaged(id: &B256, reason: &str) -> Refusal {
    tracing::error!(%id, reason, "stored content cannot be opened");
    Refusal::new(
        Code::StorageDamaged,
        "The stored content of the record is damaged.",
    )
    .of_record(*id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fact(body: &str) -> Fact {
        let attachments =
            r#","attachments":[{"name":"a","media_type":"a/b","content":"YmlsbCBvZiBsYWRpbmc="}]"#;
        Fact::parse(format!(r#"{{"type":"t","data":{body}{attachments}}}"#).as_bytes()).unwrap()
    }

    #[test]
    fn what_was_sealed_opens_to_what_was_committed() {
        let master = MasterKey::from_bytes([3; 32]);
        let id = B256::repeat_byte(1);
        let sealed = seal(&master, &id, &fact("17")).unwrap();
        let part = |at: usize| Sealed {
            wrapped_key: sealed.wrapped_key.clone(),
            sealed: sealed.parts[at].clone(),
        };
        let content = open_document(&master, &id, &part(0)).unwrap();
        assert_eq!(content.body.as_ref(), fact("17").body.as_bytes());
        let digest = proof::content::content_digest(&content.body);
        assert_eq!(
            proof::commitment(&content.salt, &digest, &content.attachments),
            sealed.commitment
        );
        let attachment = b"bill of lading";
        assert_eq!(
            open_attachment(&master, &id, 0, &part(1)).unwrap(),
            attachment
        );
        assert_eq!(
            open_attachment(&master, &id, 1, &part(1)).unwrap_err().code,
            Code::StorageDamaged
        );
        assert_eq!(
            open_document(&master, &B256::ZERO, &part(0))
                .unwrap_err()
                .code,
            Code::StorageDamaged
        );

        let again = seal(&master, &id, &fact("17")).unwrap();
        assert_ne!(again.commitment, sealed.commitment, "each has its own salt");
        for part in &sealed.parts {
            let mut windows = part.windows(attachment.len());
            assert!(!windows.any(|window| window == attachment));
        }
    }

    #[test]
    fn the_digest_is_of_the_meaning() {
        let master = MasterKey::from_bytes([3; 32]);
        let digest = |data: &str| request_digest(&master, &fact(data));
        assert_eq!(
            digest(r#"{"a":1,"b":"x"}"#),
            digest(r#"{ "b":"\u0078", "a":1.0 }"#)
        );
        assert_ne!(digest("1"), digest("2"));
        let mut other = fact("1");
        other.attachments[0].digest = B256::ZERO;
        assert_ne!(request_digest(&master, &other), digest("1"));
    }
}
