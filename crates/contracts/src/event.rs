//! Reading what `Records` said in the logs of a transaction.

use crate::{
    abi::IRecords,
    record::{MAX_BATCH, RECORDS_ADDRESS},
};
use alloc::vec::Vec;
use alloy_primitives::{B256, Bytes, Log, U256};
use alloy_sol_types::SolEvent;

/// An event of `Records`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Records were stored.
    Recorded(Recorded),
    /// A claimed id was sent with another commitment.
    Conflicted(IRecords::Conflicted),
}

/// The records of one call that were newly stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Whose records they are.
    pub organization: B256,
    /// The Merkle root over them.
    pub root: B256,
    /// How many they are, which is the number of leaves under the root; 1 to [`MAX_BATCH`].
    pub count: usize,
    /// Which entries of the call they are, see [`Recorded::claimed_entries`].
    pub claimed: Bytes,
}

/// A log of `Records` that no version of the contract emits.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EventError {
    /// The topics or the data are not what the event's declaration says.
    #[error("a log of Records does not decode as its event")]
    Abi(#[from] alloy_sol_types::Error),
    /// The number of leaves is zero or above [`MAX_BATCH`].
    #[error("a Recorded event counts {0} leaves")]
    Count(U256),
}

/// A bitmap that does not belong to a call of that many entries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BitmapError {
    /// The bitmap has the wrong length.
    #[error("the bitmap of a call of {entries} entries has {bytes} bytes")]
    Length {
        /// Entries of the call.
        entries: usize,
        /// Bytes of the bitmap.
        bytes: usize,
    },
    /// The bitmap marks an entry the call does not have.
    #[error("the bitmap of a call of {entries} entries marks more than those")]
    Beyond {
        /// Entries of the call.
        entries: usize,
    },
    /// The bitmap marks another number of entries than there are leaves.
    #[error("the bitmap marks {marked} entries, the event counts {count}")]
    Count {
        /// Entries marked, or all entries when the bitmap is empty.
        marked: usize,
        /// Leaves counted.
        count: usize,
    },
}

impl Event {
    /// Reads a log. Gives none when it is not from `Records`, or is an event this version does not know.
    ///
    /// # Errors
    /// When the log is from `Records` and names one of these events, but does not decode as it.
    pub fn decode(log: &Log) -> Result<Option<Self>, EventError> {
        if log.address != RECORDS_ADDRESS {
            return Ok(None);
        }
        match log.topics().first() {
            Some(&IRecords::Recorded::SIGNATURE_HASH) => {
                let event = IRecords::Recorded::decode_log_data_validate(&log.data)?;
                Recorded::try_from(event).map(|recorded| Some(Self::Recorded(recorded)))
            }
            Some(&IRecords::Conflicted::SIGNATURE_HASH) => {
                let event = IRecords::Conflicted::decode_log_data_validate(&log.data)?;
                Ok(Some(Self::Conflicted(event)))
            }
            _ => Ok(None),
        }
    }
}

impl TryFrom<IRecords::Recorded> for Recorded {
    type Error = EventError;

    fn try_from(event: IRecords::Recorded) -> Result<Self, EventError> {
        let IRecords::Recorded {
            organization,
            root,
            count,
            claimed,
        } = event;
        match usize::try_from(count) {
            Ok(count @ 1..=MAX_BATCH) => Ok(Self {
                organization,
                root,
                count,
                claimed,
            }),
            _ => Err(EventError::Count(count)),
        }
    }
}

impl Recorded {
    /// The entries of the call that became leaves, ascending: leaf `n` is entry `claimed_entries(..)[n]`.
    ///
    /// # Errors
    /// When the event cannot be that of a call with this number of entries.
    pub fn claimed_entries(&self, entries: usize) -> Result<Vec<usize>, BitmapError> {
        let marked = if self.claimed.is_empty() {
            (0..entries).collect()
        } else {
            self.marked(entries)?
        };
        if marked.len() != self.count {
            return Err(BitmapError::Count {
                marked: marked.len(),
                count: self.count,
            });
        }
        Ok(marked)
    }

    fn marked(&self, entries: usize) -> Result<Vec<usize>, BitmapError> {
        if self.claimed.len() != entries.div_ceil(8) {
            return Err(BitmapError::Length {
                entries,
                bytes: self.claimed.len(),
            });
        }
        let bytes = self.claimed.iter().enumerate();
        let marked: Vec<usize> = bytes
            .flat_map(|(at, byte)| {
                (0..8)
                    .filter(move |bit| (byte >> bit) & 1 == 1)
                    .map(move |bit| at * 8 + bit)
            })
            .collect();
        match marked.last() {
            Some(last) if *last >= entries => Err(BitmapError::Beyond { entries }),
            _ => Ok(marked),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;
    use alloy_primitives::{Address, LogData};

    fn recorded(count: usize, claimed: &'static [u8]) -> Recorded {
        let claimed = Bytes::from_static(claimed);
        Recorded {
            organization: B256::repeat_byte(1),
            root: B256::repeat_byte(2),
            count,
            claimed,
        }
    }

    fn log(count: U256) -> Log {
        let event = IRecords::Recorded {
            organization: B256::repeat_byte(1),
            root: B256::repeat_byte(2),
            count,
            claimed: Bytes::from_static(&[5]),
        };
        Log {
            address: RECORDS_ADDRESS,
            data: event.encode_log_data(),
        }
    }

    #[test]
    fn both_events_decode() {
        assert_eq!(
            Event::decode(&log(U256::from(2))),
            Ok(Some(Event::Recorded(recorded(2, &[5]))))
        );

        let conflicted = IRecords::Conflicted {
            organization: B256::repeat_byte(1),
            id: B256::repeat_byte(2),
            recorded: B256::repeat_byte(3),
            attempted: B256::repeat_byte(4),
        };
        let log = Log {
            address: RECORDS_ADDRESS,
            data: conflicted.encode_log_data(),
        };
        assert_eq!(Event::decode(&log), Ok(Some(Event::Conflicted(conflicted))));
    }

    #[test]
    fn logs_of_others_and_unknown_events_are_passed_over() {
        let foreign = Log {
            address: Address::repeat_byte(9),
            ..log(U256::from(2))
        };
        assert_eq!(Event::decode(&foreign), Ok(None));

        let unknown = LogData::new_unchecked(vec![B256::repeat_byte(7)], Bytes::new());
        assert_eq!(
            Event::decode(&Log {
                address: RECORDS_ADDRESS,
                data: unknown
            }),
            Ok(None)
        );
        let anonymous = LogData::new_unchecked(vec![], Bytes::new());
        assert_eq!(
            Event::decode(&Log {
                address: RECORDS_ADDRESS,
                data: anonymous
            }),
            Ok(None)
        );
    }

    #[test]
    fn damaged_logs_are_refused() {
        let whole = log(U256::from(2));
        let truncated =
            LogData::new_unchecked(whole.topics().to_vec(), whole.data.data.slice(..64));
        let truncated = Log {
            address: RECORDS_ADDRESS,
            data: truncated,
        };
        assert!(matches!(Event::decode(&truncated), Err(EventError::Abi(_))));

        let topics = vec![IRecords::Recorded::SIGNATURE_HASH];
        let topicless = LogData::new_unchecked(topics, whole.data.data.clone());
        let topicless = Log {
            address: RECORDS_ADDRESS,
            data: topicless,
        };
        assert!(matches!(Event::decode(&topicless), Err(EventError::Abi(_))));

        for count in [U256::ZERO, U256::from(513), U256::MAX] {
            assert_eq!(Event::decode(&log(count)), Err(EventError::Count(count)));
        }
    }

    #[test]
    fn an_empty_bitmap_means_every_entry() {
        assert_eq!(recorded(3, &[]).claimed_entries(3), Ok(vec![0, 1, 2]));
        assert_eq!(
            recorded(3, &[]).claimed_entries(4),
            Err(BitmapError::Count {
                marked: 4,
                count: 3
            })
        );
    }

    #[test]
    fn a_bitmap_counts_from_the_least_significant_bit() {
        assert_eq!(
            recorded(3, &[0b1000_0001, 0b10]).claimed_entries(10),
            Ok(vec![0, 7, 9])
        );
    }

    #[test]
    fn a_bitmap_of_another_call_is_refused() {
        let event = recorded(2, &[0b101]);
        assert_eq!(
            event.claimed_entries(9),
            Err(BitmapError::Length {
                entries: 9,
                bytes: 1
            })
        );
        assert_eq!(
            event.claimed_entries(2),
            Err(BitmapError::Beyond { entries: 2 })
        );
        assert_eq!(
            recorded(1, &[0b101]).claimed_entries(3),
            Err(BitmapError::Count {
                marked: 2,
                count: 1
            })
        );
    }
}
