//! No byte of a receipt can be changed: each one is under a hash, under the signature, or fixed by the format.

use crate::valid;
use proof::{Receipt, verify};

fn accepted(file: &[u8], identity: &proof::Identity) -> bool {
    Receipt::decode(file).is_ok_and(|receipt| verify(&receipt, Some(identity)).is_ok())
}

/// One bit of each byte, another one from byte to byte; of a typical receipt all bits.
#[test]
fn every_byte_of_every_cbor_vector_matters() {
    for vector in valid::all() {
        let cbor = vector.receipt.to_cbor();
        assert!(accepted(&cbor, &vector.identity));
        for at in 0..cbor.len() {
            let bits = if vector.name == "record" {
                0..8
            } else {
                at % 8..at % 8 + 1
            };
            for bit in bits {
                let mut flipped = cbor.clone();
                flipped[at] ^= 1 << bit;
                assert!(
                    !accepted(&flipped, &vector.identity),
                    "{}: bit {bit} of byte {at}",
                    vector.name
                );
            }
        }
    }
}

/// Also those within the content's body, and those that make a key or a bracket.
#[test]
fn every_character_of_json_matters() {
    for name in [
        "record",
        "record-attachments",
        "transaction",
        "batch-7-leaf-3",
    ] {
        let vector = valid::all()
            .into_iter()
            .find(|vector| vector.name == name)
            .unwrap();
        let json = vector.receipt.to_json().into_bytes();
        assert!(accepted(&json, &vector.identity));
        for at in 0..json.len() {
            for replacement in replacements(json[at]) {
                let mut changed = json.clone();
                changed[at] = replacement;
                let what = || {
                    format!(
                        "{name}: {:?} for {:?} at {at}",
                        replacement as char, json[at] as char
                    )
                };
                assert!(!accepted(&changed, &vector.identity), "{}", what());
            }
        }
    }
}

/// Another hex digit where there is one, the same one in upper case, and something else altogether.
fn replacements(byte: u8) -> impl Iterator<Item = u8> {
    let other = match byte {
        b'0'..=b'8' | b'a'..=b'e' => byte + 1,
        b'9' => b'a',
        b'f' => b'0',
        _ => byte ^ 1,
    };
    [other, byte.to_ascii_uppercase(), b' ']
        .into_iter()
        .filter(move |replacement| *replacement != byte)
}

#[test]
fn a_prefix_is_never_a_receipt() {
    for vector in valid::all() {
        for file in [
            vector.receipt.to_cbor(),
            vector.receipt.to_json().into_bytes(),
        ] {
            for length in 0..file.len() {
                assert!(
                    Receipt::decode(&file[..length]).is_err(),
                    "{}: {length} bytes",
                    vector.name
                );
            }
        }
    }
}
