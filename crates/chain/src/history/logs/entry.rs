//! What the index keeps of blocks and logs, and how it is encoded.

use super::IndexedLog;
use alloy_primitives::{Address, B256, Bytes, Log, LogData};
use commonware_codec::{
    Buf, EncodeSize, Error as CodecError, FixedSize, RangeCfg, Read, ReadExt as _, Write,
};
use commonware_runtime::BufMut;

/// Topics of a log at most: the EVM has LOG0 to LOG4.
const TOPICS_MAX: usize = 4;
/// Data of a log at most: far above what a block's gas buys at 8 gas a byte.
const DATA_BYTES_MAX: usize = 64 << 20;

/// A block, as far as its logs need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockEntry {
    /// Number of its first log, or of the next block's if it has none.
    pub first: u64,
    /// Number after its last log.
    pub end: u64,
    /// Seconds of its time.
    pub timestamp: u64,
    /// Its hash.
    pub hash: B256,
}

impl Write for BlockEntry {
    fn write(&self, buf: &mut impl BufMut) {
        self.first.write(buf);
        self.end.write(buf);
        self.timestamp.write(buf);
        self.hash.0.write(buf);
    }
}

impl FixedSize for BlockEntry {
    const SIZE: usize = 56;
}

impl Read for BlockEntry {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, CodecError> {
        Ok(Self {
            first: u64::read(buf)?,
            end: u64::read(buf)?,
            timestamp: u64::read(buf)?,
            hash: B256::from(<[u8; 32]>::read(buf)?),
        })
    }
}

/// A log without what its block's entry says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// Height of its block.
    pub height: u64,
    /// Hash of its transaction.
    pub transaction_hash: B256,
    /// Place of its transaction in the block.
    pub transaction_index: u32,
    /// Its place among all logs of the block.
    pub log_index: u32,
    /// Itself.
    pub log: Log,
}

impl LogEntry {
    /// The log as readers get it.
    pub fn in_block(self, block: &BlockEntry) -> IndexedLog {
        IndexedLog {
            block_number: self.height,
            block_hash: block.hash,
            block_timestamp: block.timestamp,
            transaction_hash: self.transaction_hash,
            transaction_index: self.transaction_index,
            log_index: self.log_index,
            log: self.log,
        }
    }
}

impl Write for LogEntry {
    fn write(&self, buf: &mut impl BufMut) {
        self.height.write(buf);
        self.transaction_hash.0.write(buf);
        self.transaction_index.write(buf);
        self.log_index.write(buf);
        self.log.address.0.0.write(buf);
        self.log.topics().len().write(buf);
        for topic in self.log.topics() {
            topic.0.write(buf);
        }
        self.log.data.data.0.write(buf);
    }
}

impl EncodeSize for LogEntry {
    fn encode_size(&self) -> usize {
        // Height, hash, two places, address, then topics and data with their lengths.
        let topics = self.log.topics().len();
        (8 + 32 + 4 + 4 + 20_usize)
            .saturating_add(topics.encode_size())
            .saturating_add(topics.saturating_mul(32))
            .saturating_add(self.log.data.data.0.encode_size())
    }
}

impl Read for LogEntry {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, _: &()) -> Result<Self, CodecError> {
        let height = u64::read(buf)?;
        let transaction_hash = B256::from(<[u8; 32]>::read(buf)?);
        let transaction_index = u32::read(buf)?;
        let log_index = u32::read(buf)?;
        let address = Address::from(<[u8; 20]>::read(buf)?);
        let count = usize::read_cfg(buf, &RangeCfg::new(0..=TOPICS_MAX))?;
        let mut topics = Vec::with_capacity(count);
        for _ in 0..count {
            topics.push(B256::from(<[u8; 32]>::read(buf)?));
        }
        let data = bytes::Bytes::read_cfg(buf, &RangeCfg::new(0..=DATA_BYTES_MAX))?;
        let data = LogData::new(topics, Bytes::from(data))
            .ok_or(CodecError::Invalid("LogEntry", "topics"))?;
        Ok(Self {
            height,
            transaction_hash,
            transaction_index,
            log_index,
            log: Log { address, data },
        })
    }
}
