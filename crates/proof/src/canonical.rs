//! JSON, read strictly (I-JSON, RFC 7493) and written canonically (RFC 8785), so that one content has one digest.
//!
//! Why not serde_json: what a receipt commits to must not depend on how leniently a text was read. serde_json keeps the
//! last of two equal keys, and how it reads a number depends on features (`arbitrary_precision`, `float_roundtrip`)
//! that any other crate of a build can switch on. Here a text is either understood exactly or refused:
//! - a key occurs once in an object; strings hold no lone surrogates; nesting is bounded;
//! - a number without fraction and exponent must be its own canonical form (so `9007199254740993`, which a double
//!   cannot hold, is refused rather than rounded); any other number is the nearest IEEE 754 double, as RFC 8785 has
//!   it, unless that is infinite, or zero where the text is not.

mod reader;

use alloc::{borrow::ToOwned, string::String, vec::Vec};
use core::{cmp::Ordering, fmt};

/// Nesting beyond this is refused: readers recurse.
pub const DEPTH_MAX: usize = 64;

/// Reads `text` and writes it in canonical form.
pub fn canonical_json(text: &[u8]) -> Result<String, JsonError> {
    Ok(Value::parse(text)?.canonical())
}

/// A JSON value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number that canonical JSON can express.
    Number(Number),
    /// A string.
    String(String),
    /// An array.
    Array(Vec<Self>),
    /// An object.
    Object(Object),
}

/// A number in its canonical spelling.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Number {
    canonical: String,
    /// Written with neither fraction nor exponent.
    plain: bool,
}

/// An object: members with distinct names, in canonical order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Object(Vec<(String, Value)>);

/// Why a text is not acceptable JSON, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason} at byte {at}")]
pub struct JsonError {
    /// Offset into the text.
    pub at: usize,
    /// What is wrong there.
    pub reason: JsonReason,
}

/// What is wrong with a JSON text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JsonReason {
    /// JSON is UTF-8, without a byte order mark.
    #[error("not UTF-8")]
    NotUtf8,
    /// Something else was needed here.
    #[error("expected {0}")]
    Expected(&'static str),
    /// A name occurs twice in one object.
    #[error("duplicate key {0:?}")]
    DuplicateKey(String),
    /// Canonical JSON cannot express the number without changing it.
    #[error("number {0} cannot be kept exactly (write it as a string)")]
    InexactNumber(String),
    /// A UTF-16 surrogate escape without its other half.
    #[error("lone surrogate")]
    LoneSurrogate,
    /// More levels than allowed.
    #[error("nested more than {0} levels deep")]
    TooDeep(usize),
}

impl Value {
    /// Reads a text with at most [`DEPTH_MAX`] levels.
    pub fn parse(text: &[u8]) -> Result<Self, JsonError> {
        Self::parse_within(text, DEPTH_MAX)
    }

    /// Reads a text with at most `depth_max` levels.
    pub(crate) fn parse_within(text: &[u8], depth_max: usize) -> Result<Self, JsonError> {
        reader::read(text, depth_max)
    }

    /// The canonical form.
    pub fn canonical(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, None);
        out
    }

    /// The same members and numbers, laid out for people: not canonical.
    pub fn pretty(&self) -> String {
        let mut out = String::new();
        self.write(&mut out, Some(0));
        out.push('\n');
        out
    }

    /// The member of that name, if this is an object that has one.
    pub fn get(&self, name: &str) -> Option<&Self> {
        self.as_object()?.get(name)
    }

    /// The members, if this is an object.
    pub const fn as_object(&self) -> Option<&Object> {
        if let Self::Object(object) = self {
            Some(object)
        } else {
            None
        }
    }

    /// The items, if this is an array.
    pub fn as_array(&self) -> Option<&[Self]> {
        if let Self::Array(items) = self {
            Some(items)
        } else {
            None
        }
    }

    /// The string, if this is one.
    pub fn as_str(&self) -> Option<&str> {
        if let Self::String(string) = self {
            Some(string)
        } else {
            None
        }
    }

    /// The integer, if this is a number written as a plain non-negative integer (not `1.0` or `1e0`).
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Self::Number(number) if number.plain => number.canonical.parse().ok(),
            _ => None,
        }
    }

    /// `indent`: the level to indent to, or `None` for the canonical form.
    fn write(&self, out: &mut String, indent: Option<usize>) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(true) => out.push_str("true"),
            Self::Bool(false) => out.push_str("false"),
            Self::Number(number) => out.push_str(&number.canonical),
            Self::String(string) => write_string(string, out),
            Self::Array(items) => {
                write_list(out, indent, ('[', ']'), items, |item, out, indent| {
                    item.write(out, indent);
                });
            }
            Self::Object(Object(members)) => {
                write_list(
                    out,
                    indent,
                    ('{', '}'),
                    members,
                    |(name, value), out, indent| {
                        write_string(name, out);
                        out.push_str(if indent.is_some() { ": " } else { ":" });
                        value.write(out, indent);
                    },
                );
            }
        }
    }
}

impl From<&str> for Value {
    fn from(string: &str) -> Self {
        Self::String(string.to_owned())
    }
}

impl From<bool> for Value {
    fn from(bool: bool) -> Self {
        Self::Bool(bool)
    }
}

impl From<u64> for Value {
    /// The caller keeps to what a double can hold (2^53); beyond it the result is JSON, but not canonical.
    fn from(integer: u64) -> Self {
        Self::Number(Number {
            canonical: alloc::format!("{integer}"),
            plain: true,
        })
    }
}

impl Object {
    /// The value of the member of that name.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value)
    }

    /// The members in canonical order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Value)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value))
    }

    /// Sorts; on a name that occurs twice returns it.
    fn new(mut members: Vec<(String, Value)>) -> Result<Self, String> {
        members.sort_by(|(a, _), (b, _)| compare_names(a, b));
        match members
            .windows(2)
            .find(|pair| matches!(pair, [(a, _), (b, _)] if a == b))
        {
            Some([(name, _), _]) => Err(name.clone()),
            _ => Ok(Self(members)),
        }
    }
}

impl<S: Into<String>> FromIterator<(S, Value)> for Object {
    /// As in a map, a later member replaces an earlier one of the same name.
    fn from_iter<T: IntoIterator<Item = (S, Value)>>(members: T) -> Self {
        let mut object = Self::default();
        for (name, value) in members {
            let name = name.into();
            match object
                .0
                .binary_search_by(|(key, _)| compare_names(key, &name))
            {
                Ok(at) => object.0[at].1 = value,
                Err(at) => object.0.insert(at, (name, value)),
            }
        }
        object
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.canonical())
    }
}

/// RFC 8785 sorts names by their UTF-16 code units, which is not the order of their UTF-8 bytes.
fn compare_names(a: &str, b: &str) -> Ordering {
    a.encode_utf16().cmp(b.encode_utf16())
}

fn write_list<T>(
    out: &mut String,
    indent: Option<usize>,
    (open, close): (char, char),
    items: &[T],
    write: impl Fn(&T, &mut String, Option<usize>),
) {
    let line = |out: &mut String, level: usize| {
        out.push('\n');
        out.extend(core::iter::repeat_n("  ", level));
    };
    out.push(open);
    for (position, item) in items.iter().enumerate() {
        if position > 0 {
            out.push(',');
        }
        if let Some(level) = indent {
            line(out, level + 1);
        }
        write(item, out, indent.map(|level| level + 1));
    }
    if let (Some(level), false) = (indent, items.is_empty()) {
        line(out, level);
    }
    out.push(close);
}

fn write_string(string: &str, out: &mut String) {
    out.push('"');
    for char in string.chars() {
        match char {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\u{8}' => out.push_str("\\b"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\u{c}' => out.push_str("\\f"),
            '\r' => out.push_str("\\r"),
            '\0'..='\u{1f}' => out.push_str(&alloc::format!("\\u{:04x}", u32::from(char))),
            _ => out.push(char),
        }
    }
    out.push('"');
}
