//! What nodes say to each other about their keys. The network authenticates who says it: a claim is always of one's own key.

use commonware_codec::{Buf, EncodeSize, Error as CodecError, Read, ReadExt as _, Write};
use commonware_runtime::BufMut;

/// Largest message of the fence.
pub const MAX_MESSAGE_BYTES: usize = 64;

/// One run of a process.
pub type Instance = u64;

/// A run that somebody else saw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Which.
    pub instance: Instance,
    /// Its data directory's count of runs.
    pub generation: u64,
}

/// "This key is mine."
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Claim {
    /// Who says so.
    pub run: Run,
    /// Number of the claim: an answer repeats it.
    pub serial: u64,
    /// Height of the last final block that was durable when the run began. None: it began without secrets, so it can break no
    /// promise of an earlier run.
    pub began: Option<u64>,
    /// Height of the last final block that is durable now.
    pub height: u64,
}

/// What a witness thinks of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is yours.
    Granted,
    /// Another run has it, and is up.
    Held(Run),
    /// A later run had it, or one that has seen more.
    Superseded {
        /// Greatest generation known.
        generation: u64,
        /// Greatest height known.
        height: u64,
    },
}

/// The answer to a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Whom it is for: two processes with one key may both hear it.
    pub instance: Instance,
    /// Number of the claim.
    pub serial: u64,
    /// The answer.
    pub verdict: Verdict,
    /// Another run that claimed the key lately, and did not get it.
    pub rival: Option<Run>,
}

/// A message on the fence's channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// A claim.
    Claim(Claim),
    /// What a witness says to it.
    Answer(Answer),
    /// This run signs nothing more: the next one need not wait.
    Release(Instance),
}

impl Write for Run {
    fn write(&self, buf: &mut impl BufMut) {
        self.instance.write(buf);
        self.generation.write(buf);
    }
}

impl EncodeSize for Run {
    fn encode_size(&self) -> usize {
        16
    }
}

impl Read for Run {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, CodecError> {
        Ok(Self {
            instance: u64::read(buf)?,
            generation: u64::read(buf)?,
        })
    }
}

impl Write for Verdict {
    fn write(&self, buf: &mut impl BufMut) {
        match self {
            Self::Granted => 0_u8.write(buf),
            Self::Held(run) => {
                1_u8.write(buf);
                run.write(buf);
            }
            Self::Superseded { generation, height } => {
                2_u8.write(buf);
                generation.write(buf);
                height.write(buf);
            }
        }
    }
}

impl EncodeSize for Verdict {
    fn encode_size(&self) -> usize {
        match self {
            Self::Granted => 1,
            Self::Held(_) | Self::Superseded { .. } => 17,
        }
    }
}

impl Read for Verdict {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, CodecError> {
        match u8::read(buf)? {
            0 => Ok(Self::Granted),
            1 => Ok(Self::Held(Run::read(buf)?)),
            2 => Ok(Self::Superseded {
                generation: u64::read(buf)?,
                height: u64::read(buf)?,
            }),
            kind => Err(CodecError::InvalidEnum(kind)),
        }
    }
}

impl Write for Message {
    fn write(&self, buf: &mut impl BufMut) {
        match self {
            Self::Claim(claim) => {
                0_u8.write(buf);
                claim.run.write(buf);
                claim.serial.write(buf);
                claim.began.write(buf);
                claim.height.write(buf);
            }
            Self::Answer(answer) => {
                1_u8.write(buf);
                answer.instance.write(buf);
                answer.serial.write(buf);
                answer.verdict.write(buf);
                answer.rival.write(buf);
            }
            Self::Release(instance) => {
                2_u8.write(buf);
                instance.write(buf);
            }
        }
    }
}

impl EncodeSize for Message {
    fn encode_size(&self) -> usize {
        let rest = match self {
            Self::Claim(claim) => 32 + claim.began.encode_size(),
            Self::Answer(answer) => 16 + answer.verdict.encode_size() + answer.rival.encode_size(),
            Self::Release(_) => 8,
        };
        1 + rest
    }
}

impl Read for Message {
    type Cfg = ();

    fn read_cfg(buf: &mut impl Buf, (): &()) -> Result<Self, CodecError> {
        match u8::read(buf)? {
            0 => Ok(Self::Claim(Claim {
                run: Run::read(buf)?,
                serial: u64::read(buf)?,
                began: Option::<u64>::read(buf)?,
                height: u64::read(buf)?,
            })),
            1 => Ok(Self::Answer(Answer {
                instance: u64::read(buf)?,
                serial: u64::read(buf)?,
                verdict: Verdict::read(buf)?,
                rival: Option::<Run>::read(buf)?,
            })),
            2 => Ok(Self::Release(u64::read(buf)?)),
            kind => Err(CodecError::InvalidEnum(kind)),
        }
    }
}
