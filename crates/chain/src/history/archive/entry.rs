//! A change, and how it is encoded.

use commonware_codec::{Buf, EncodeSize, Error as CodecError, Read, ReadExt as _, Write};
use commonware_runtime::BufMut;
use state::{Key, Value};
use types::{StateKey, StateValue};

/// The values a block's changes replaced.
pub type Before = Vec<(StateKey, StateValue)>;

/// Where an account or slot is; none for code, which is not kept here.
pub fn key(key: &StateKey) -> Option<Key> {
    match key {
        StateKey::Account(address) => Some(state::account_key(address)),
        StateKey::Slot(address, slot) => Some(state::slot_key(address, slot)),
        StateKey::Code(_) => None,
    }
}

/// One key's change by one block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The block.
    pub height: u64,
    /// The key.
    pub key: Key,
    /// How many changes the key had before.
    pub depth: u64,
    /// The number of the one before; its own for the first.
    pub previous: u64,
    /// The number of one further back, or of the one before; its own for the first.
    pub jump: u64,
    /// The value before; none if the key was absent.
    pub before: Option<Value>,
}

/// A value as the database has it; none for what is absent.
pub fn stored(value: &StateValue) -> Option<Value> {
    match value {
        StateValue::Account(account) => Some(Value::Account(*account)),
        StateValue::Slot(slot) => Some(Value::Slot(*slot)),
        StateValue::Absent | StateValue::Code(_) => None,
    }
}

/// The reverse of [`stored`].
pub fn loaded(value: Option<Value>) -> StateValue {
    match value {
        Some(Value::Account(account)) => StateValue::Account(account),
        Some(Value::Slot(slot)) => StateValue::Slot(slot),
        None | Some(Value::CodeHead { .. } | Value::CodeChunk(_)) => StateValue::Absent,
    }
}

impl Write for Change {
    fn write(&self, buf: &mut impl BufMut) {
        self.height.write(buf);
        self.key.write(buf);
        self.depth.write(buf);
        self.previous.write(buf);
        self.jump.write(buf);
        self.before.write(buf);
    }
}

impl EncodeSize for Change {
    fn encode_size(&self) -> usize {
        // Four numbers and the key, then the value.
        (4_usize * 8 + 32).saturating_add(self.before.encode_size())
    }
}

impl Read for Change {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, CodecError> {
        Ok(Self {
            height: u64::read(buf)?,
            key: Key::read(buf)?,
            depth: u64::read(buf)?,
            previous: u64::read(buf)?,
            jump: u64::read(buf)?,
            before: Option::<Value>::read(buf)?,
        })
    }
}
