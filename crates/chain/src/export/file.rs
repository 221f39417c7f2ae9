//! The file: a line that names the format, parts with their lengths, and a digest.
//!
//! | part | content |
//! |---|---|
//! | `ashlar-export/1\n` | 16 bytes |
//! | `H` | the [`Head`] |
//! | `F` | the [`Finality`]; not in the digest |
//! | `P`, once or more | a [`Piece`] each, in the order of the log, without gaps |
//! | `E` | the [`Counts`] of what holds in all of them |
//! | 32 bytes | keccak256 of everything before, without `F` |
//!
//! A part is its letter, its length (4 bytes, big endian), and that many bytes. Each has one encoding only.

use super::{ExportError, Finality, Head};
use alloy_primitives::{B256, Keccak256};
use commonware_codec::{DecodeExt as _, Encode};
use rand_core::CryptoRng;
use state::{Counts, Key, PIECE_BYTES_MAX, PIECE_OPERATIONS, Piece, Value};
use std::io::{self, ErrorKind, Read, Write};

const MAGIC: &[u8; 16] = b"ashlar-export/1\n";
/// What the line begins with in every version.
const FAMILY: &[u8] = b"ashlar-export/";

const HEAD: u8 = b'H';
const FINALITY: u8 = b'F';
const PIECE: u8 = b'P';
const END: u8 = b'E';
/// Bytes of a head, at most: a header, and an extension with its ceremony.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// Bytes of a finality, at most: 256 headers.
const FINALITY_BYTES_MAX: usize = 512 << 10;

/// Writes an export.
pub struct Writer<W> {
    out: W,
    hasher: Keccak256,
    counts: Counts,
}

impl<W: Write> Writer<W> {
    /// Begins.
    ///
    /// # Errors
    /// [`ExportError::Io`].
    pub fn begin(out: W, head: &Head, finality: &Finality) -> Result<Self, ExportError> {
        let mut writer = Self {
            out,
            hasher: Keccak256::new(),
            counts: Counts::default(),
        };
        writer.hasher.update(MAGIC);
        writer.out.write_all(MAGIC)?;
        let mut encoded = Vec::new();
        commonware_codec::Write::write(head, &mut encoded);
        writer.part(HEAD, &encoded, true)?;
        encoded.clear();
        commonware_codec::Write::write(finality, &mut encoded);
        writer.part(FINALITY, &encoded, false)?;
        Ok(writer)
    }

    /// Writes the next piece.
    ///
    /// # Errors
    /// [`ExportError::Io`]; or that the piece holds what no state does.
    pub fn piece(&mut self, piece: &Piece) -> Result<(), ExportError> {
        for (_, value) in piece.entries()? {
            self.counts.add(&value);
        }
        self.part(PIECE, &piece.encode(), true)
    }

    /// Ends, and gives what was written to, what there was, and the digest that names the export.
    ///
    /// # Errors
    /// [`ExportError::Io`].
    pub fn end(mut self) -> Result<(W, Counts, B256), ExportError> {
        self.part(END, &self.counts.encode(), true)?;
        let digest = self.hasher.finalize();
        self.out.write_all(digest.as_slice())?;
        Ok((self.out, self.counts, digest))
    }

    fn part(&mut self, tag: u8, content: &[u8], hashed: bool) -> Result<(), ExportError> {
        let length = u32::try_from(content.len()).map_err(|_| ExportError::Damaged("a part"))?;
        for bytes in [&[tag], length.to_be_bytes().as_slice(), content] {
            if hashed {
                self.hasher.update(bytes);
            }
            self.out.write_all(bytes)?;
        }
        Ok(())
    }
}

/// Reads an export, and checks as it goes that it is whole. What it proves is checked by [`Self::verify`].
pub struct Reader<R> {
    input: R,
    hasher: Keccak256,
    head: Head,
    finality: Finality,
    /// The operation that the next piece begins with.
    next: u64,
    counts: Counts,
}

/// A whole export.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whole {
    /// Which block's state it is.
    pub head: Head,
    /// What it holds.
    pub counts: Counts,
    /// The digest that names it.
    pub digest: B256,
}

/// What comes next.
#[expect(
    clippy::large_enum_variant,
    reason = "one at a time, taken apart at once"
)]
pub enum Part {
    /// A piece.
    Piece(Piece),
    /// Nothing: that was all.
    End(Whole),
}

impl<R: Read> Reader<R> {
    /// Reads head and finality.
    ///
    /// # Errors
    /// [`ExportError`] when they are not there.
    pub fn begin(mut input: R) -> Result<Self, ExportError> {
        let mut magic = [0; MAGIC.len()];
        fill(&mut input, &mut magic, "its beginning")?;
        if magic != *MAGIC {
            if magic.starts_with(FAMILY) {
                let said = String::from_utf8_lossy(&magic).trim_end().to_owned();
                return Err(ExportError::Format(said));
            }
            return Err(ExportError::NoExport);
        }
        let mut hasher = Keccak256::new();
        hasher.update(magic);
        let (tag, content) = part(&mut input, HEAD_BYTES_MAX, Some(&mut hasher), "the head")?;
        let head = only::<Head>(tag == HEAD, content, "the head")?;
        let (tag, content) = part(&mut input, FINALITY_BYTES_MAX, None, "the certificate")?;
        let finality = only::<Finality>(tag == FINALITY, content, "the certificate")?;
        let (next, _) = head.operations();
        Ok(Self {
            input,
            hasher,
            head,
            finality,
            next,
            counts: Counts::default(),
        })
    }

    /// Which block's state it says it is.
    pub const fn head(&self) -> &Head {
        &self.head
    }

    /// What it says proves that the block is final.
    pub const fn finality(&self) -> &Finality {
        &self.finality
    }

    /// Reads the next piece, or that the export is whole.
    ///
    /// # Errors
    /// [`ExportError`] when it is not.
    pub fn next(mut self) -> Result<(Option<Self>, Part), ExportError> {
        let missing = "the rest";
        let (tag, content) = part(
            &mut self.input,
            PIECE_BYTES_MAX,
            Some(&mut self.hasher),
            missing,
        )?;
        if tag == END {
            return Ok((None, Part::End(self.end(content)?)));
        }
        let piece = only::<Piece>(tag == PIECE, content, "a piece")?;
        let (_, end) = self.head.operations();
        let full = piece.start().saturating_add(PIECE_OPERATIONS.get());
        if piece.start() != self.next || piece.end() != full.min(end) {
            return Err(ExportError::Damaged("a piece is not where it belongs"));
        }
        self.next = piece.end();
        for (_, value) in piece.entries()? {
            self.counts.add(&value);
        }
        Ok((Some(self), Part::Piece(piece)))
    }

    fn end(mut self, content: Vec<u8>) -> Result<Whole, ExportError> {
        let counts = only::<Counts>(true, content, "the end")?;
        let mut said = B256::ZERO;
        fill(&mut self.input, said.as_mut_slice(), "the digest")?;
        let found = self.hasher.finalize();
        if found != said {
            return Err(ExportError::Digest { found, said });
        }
        let (_, end) = self.head.operations();
        if self.next != end {
            return Err(ExportError::Cut { missing: "a piece" });
        }
        if counts != self.counts {
            return Err(ExportError::Counts);
        }
        if self.input.read(&mut [0])? != 0 {
            return Err(ExportError::Damaged("something follows its end"));
        }
        Ok(Whole {
            head: self.head,
            counts,
            digest: said,
        })
    }

    /// Checks everything: that the block is final, and that the state after it is what the pieces hold. `progress` hears after
    /// each piece how many of how many operations are done.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn verify(
        self,
        rng: &mut impl CryptoRng,
        mut progress: impl FnMut(u64, u64),
    ) -> Result<Whole, ExportError> {
        self.finality.verify(&self.head, rng)?;
        let (root, (first, end)) = (self.head.state_root(), self.head.operations());
        let all = end.saturating_sub(first);
        let mut reader = self;
        loop {
            match reader.next()? {
                (Some(next), Part::Piece(piece)) => {
                    piece.verify(&root)?;
                    progress(piece.end().saturating_sub(first), all);
                    reader = next;
                }
                (_, Part::End(whole)) => return Ok(whole),
                (None, Part::Piece(_)) => return Err(ExportError::Cut { missing: "its end" }),
            }
        }
    }

    /// All entries whose keys begin with a number in `range` (their first eight bytes, big endian), sorted; and the whole.
    ///
    /// # Errors
    /// As [`Self::next`].
    pub fn entries(
        self,
        range: std::ops::RangeInclusive<u64>,
    ) -> Result<(Vec<(Key, Value)>, Whole), ExportError> {
        let (mut reader, mut found) = (self, Vec::new());
        loop {
            match reader.next()? {
                (Some(next), Part::Piece(piece)) => {
                    let entries = piece.entries()?.into_iter();
                    found.extend(entries.filter(|(key, _)| range.contains(&prefix(key))));
                    reader = next;
                }
                (_, Part::End(whole)) => {
                    found.sort_unstable_by(|(one, _), (other, _)| one.cmp(other));
                    return Ok((found, whole));
                }
                (None, Part::Piece(_)) => return Err(ExportError::Cut { missing: "its end" }),
            }
        }
    }
}

fn prefix(key: &Key) -> u64 {
    let bytes = key.as_ref().first_chunk::<8>();
    bytes.map_or(0, |bytes| u64::from_be_bytes(*bytes))
}

/// A part's letter and content.
fn part(
    input: &mut impl Read,
    most: usize,
    hasher: Option<&mut Keccak256>,
    missing: &'static str,
) -> Result<(u8, Vec<u8>), ExportError> {
    let mut start = [0; 5];
    fill(input, &mut start, missing)?;
    let [tag, length @ ..] = start;
    let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
    if length > most {
        return Err(ExportError::Damaged("a part is longer than any can be"));
    }
    let mut content = vec![0; length];
    fill(input, &mut content, missing)?;
    if let Some(hasher) = hasher {
        hasher.update(start);
        hasher.update(&content);
    }
    Ok((tag, content))
}

/// What a part holds, if it is of the kind that is due, and nothing else is in it.
fn only<T>(due: bool, content: Vec<u8>, what: &'static str) -> Result<T, ExportError>
where
    T: commonware_codec::Read<Cfg = ()> + commonware_codec::Write,
{
    if !due {
        return Err(ExportError::Damaged(what));
    }
    let read = T::decode(bytes::Bytes::from(content.clone()));
    let read = read.map_err(|_| ExportError::Damaged(what))?;
    let mut again = Vec::with_capacity(content.len());
    read.write(&mut again);
    if again != content {
        return Err(ExportError::Damaged(what));
    }
    Ok(read)
}

fn fill(input: &mut impl Read, bytes: &mut [u8], missing: &'static str) -> Result<(), ExportError> {
    input.read_exact(bytes).map_err(|error: io::Error| {
        if error.kind() == ErrorKind::UnexpectedEof {
            ExportError::Cut { missing }
        } else {
            error.into()
        }
    })
}
