//! How values are encoded: 73 bytes, whatever they are.

use alloy_primitives::{B256, U256};
use bytes::{Buf as _, Bytes};
use commonware_codec::{Buf, Error as CodecError, FixedSize, Read, ReadExt as _, Write};
use commonware_runtime::BufMut;
use types::Account;

/// Bytes of every encoded value: a tag and the 72 bytes of the widest one, an account.
pub const VALUE_BYTES: usize = 73;
/// Code bytes in the first chunk, after its length.
pub const CODE_HEAD_BYTES: usize = 68;
/// Code bytes in each further chunk.
pub const CODE_CHUNK_BYTES: usize = 72;

const TAG_ACCOUNT: u8 = 0;
const TAG_SLOT: u8 = 1;
const TAG_CODE_HEAD: u8 = 2;
const TAG_CODE_CHUNK: u8 = 3;

/// A value in the database. Unused bytes are zero and must be: an encoding is unique.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Value {
    /// `nonce (8) ‖ balance (32) ‖ code hash (32)`, big endian.
    Account(Account),
    /// A non-zero slot, 32 bytes big endian.
    Slot(U256),
    /// `length of the whole code (4, big endian) ‖ its first 68 bytes`.
    CodeHead {
        /// Length of the whole code.
        length: u32,
        /// Its beginning.
        data: Bytes,
    },
    /// The next 72 bytes of code (fewer in the last chunk; the length is in the head).
    CodeChunk(Bytes),
}

impl Write for Value {
    fn write(&self, buf: &mut impl BufMut) {
        let mut bytes = [0_u8; VALUE_BYTES];
        {
            let mut out = &mut bytes[..];
            match self {
                Self::Account(account) => {
                    out.put_u8(TAG_ACCOUNT);
                    out.put_u64(account.nonce);
                    out.put_slice(&account.balance.to_be_bytes::<32>());
                    out.put_slice(account.code_hash.as_slice());
                }
                Self::Slot(value) => {
                    out.put_u8(TAG_SLOT);
                    out.put_slice(&value.to_be_bytes::<32>());
                }
                Self::CodeHead { length, data } => {
                    out.put_u8(TAG_CODE_HEAD);
                    out.put_u32(*length);
                    out.put_slice(data);
                }
                Self::CodeChunk(data) => {
                    out.put_u8(TAG_CODE_CHUNK);
                    out.put_slice(data);
                }
            }
        }
        buf.put_slice(&bytes);
    }
}

impl FixedSize for Value {
    const SIZE: usize = VALUE_BYTES;
}

impl Read for Value {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, CodecError> {
        let bytes = <[u8; VALUE_BYTES]>::read(buf)?;
        let mut rest = &bytes[..];
        let tag = rest.get_u8();
        let value = match tag {
            TAG_ACCOUNT => Self::Account(Account {
                nonce: rest.get_u64(),
                balance: U256::from_be_bytes(word(&mut rest)),
                code_hash: B256::from(word(&mut rest)),
            }),
            TAG_SLOT => Self::Slot(U256::from_be_bytes(word(&mut rest))),
            TAG_CODE_HEAD => {
                let length = rest.get_u32();
                let held = (length as usize).min(CODE_HEAD_BYTES);
                Self::CodeHead {
                    length,
                    data: rest.copy_to_bytes(held),
                }
            }
            // How much of the last chunk is code only the head knows; the reader cuts.
            TAG_CODE_CHUNK => Self::CodeChunk(rest.copy_to_bytes(CODE_CHUNK_BYTES)),
            _ => return Err(CodecError::Invalid("Value", "tag")),
        };
        if rest.iter().any(|byte| *byte != 0) {
            return Err(CodecError::Invalid("Value", "padding"));
        }
        Ok(value)
    }
}

fn word(rest: &mut &[u8]) -> [u8; 32] {
    let mut word = [0; 32];
    rest.copy_to_slice(&mut word);
    word
}
