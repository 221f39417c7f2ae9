//! The shape of a large message while it arrives: what will be refused whatever follows is neither kept nor read.

use crate::error::Error;
use memchr::memchr2;

/// Arrays and objects within each other, as in the reader of parameters.
const DEPTH_MAX: usize = 128;

/// What was seen of a message so far. It need not be JSON: that is for whoever reads it whole.
#[derive(Debug, Default)]
pub(crate) struct Shape {
    depth: usize,
    /// Whether the outermost value is an array.
    batch: bool,
    /// Commas directly in it.
    commas: usize,
    text: Text,
}

/// Where in a JSON string.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Text {
    #[default]
    Outside,
    Inside,
    /// After a backslash.
    Escaped,
}

impl Shape {
    /// Looks at what comes next. A batch may have so many calls.
    ///
    /// # Errors
    /// Why the message will be refused.
    pub(crate) fn add(&mut self, mut bytes: &[u8], batch_max: usize) -> Result<(), Error> {
        while let Some((first, rest)) = bytes.split_first() {
            bytes = rest;
            match (self.text, first) {
                (Text::Escaped, _) => self.text = Text::Inside,
                (Text::Inside, b'"') => self.text = Text::Outside,
                (Text::Inside, b'\\') => self.text = Text::Escaped,
                (Text::Inside, _) => {
                    // Data is most of what large messages are.
                    let plain = memchr2(b'"', b'\\', rest).unwrap_or(rest.len());
                    bytes = rest.get(plain..).unwrap_or_default();
                }
                (Text::Outside, b'"') => self.text = Text::Inside,
                (Text::Outside, b'[' | b'{') => {
                    self.batch |= self.depth == 0 && *first == b'[';
                    self.depth += 1;
                    if self.depth > DEPTH_MAX {
                        return Err(Error::InvalidRequest(format!(
                            "nested too deeply: more than {DEPTH_MAX} arrays and objects within each other"
                        )));
                    }
                }
                (Text::Outside, b']' | b'}') => self.depth = self.depth.saturating_sub(1),
                (Text::Outside, b',') if self.batch && self.depth == 1 => {
                    self.commas += 1;
                    if self.commas >= batch_max {
                        return Err(batch_too_large(batch_max));
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// A batch has more calls than it may.
pub(crate) fn batch_too_large(most: usize) -> Error {
    Error::InvalidRequest(format!("batch too large: more than {most} calls"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In pieces of any length it is the same message.
    fn check(message: &str, expected: Option<&str>) {
        for length in [1, 2, 7, message.len()] {
            let mut shape = Shape::default();
            let mut pieces = message.as_bytes().chunks(length);
            let ended = pieces.try_for_each(|piece| shape.add(piece, 3));
            let error = ended.err().map(|error| error.to_string());
            let head: String = message.chars().take(40).collect();
            assert_eq!(error.as_deref(), expected, "{head} by {length}");
        }
    }

    #[test]
    fn calls_are_counted() {
        let many = Some("batch too large: more than 3 calls");
        check("[1,2,3]", None);
        check(" [1,2,3,4", many);
        check(r#"[{"a":[1,2,3,4,5]},["1",2],",,,,,\",\\"]"#, None);
        check(r#"[{"a":1},"\\",[],{}]"#, many);
        check(r#"{"a":1,"b":2,"c":3,"d":4}"#, None);
        check("1,2,3,4,5", None);
    }

    #[test]
    fn depth_is_bounded() {
        let deep = "nested too deeply: more than 128 arrays and objects within each other";
        let nested = |depth| "[".repeat(depth) + &"]".repeat(depth);
        check(&nested(128), None);
        check(&nested(129), Some(deep));
        check(&r#"{"a":"#.repeat(129), Some(deep));
        check(&format!("\"{}\"", "[".repeat(1_000)), None);
        check(&"[]".repeat(1_000), None);
        check(&"]".repeat(1_000), None);
    }
}
