//! The reader: a recursive descent over the grammar of RFC 8259.

use super::{JsonError, JsonReason, Number, Object, Value};
use alloc::{borrow::ToOwned, string::String, vec::Vec};

/// Reads one value and nothing else, with at most `depth_max` levels.
pub(super) fn read(text: &[u8], depth_max: usize) -> Result<Value, JsonError> {
    let text = core::str::from_utf8(text).map_err(|error| JsonError {
        at: error.valid_up_to(),
        reason: JsonReason::NotUtf8,
    })?;
    let mut reader = Reader {
        text,
        at: 0,
        depth_max,
    };
    reader.skip_space();
    let value = reader.value(0)?;
    reader.skip_space();
    if reader.peek().is_some() {
        return Err(reader.expected("the end of the text"));
    }
    Ok(value)
}

/// A text, and how far it was read. `at` is always on a character boundary.
struct Reader<'a> {
    text: &'a str,
    at: usize,
    depth_max: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn next_is(&mut self, byte: u8) -> bool {
        let is = self.peek() == Some(byte);
        self.at += usize::from(is);
        is
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    const fn expected(&self, what: &'static str) -> JsonError {
        JsonError {
            at: self.at,
            reason: JsonReason::Expected(what),
        }
    }

    /// `depth`: how many arrays and objects are open around this value.
    fn value(&mut self, depth: usize) -> Result<Value, JsonError> {
        match self.peek() {
            Some(b'{' | b'[') if depth == self.depth_max => Err(JsonError {
                at: self.at,
                reason: JsonReason::TooDeep(self.depth_max),
            }),
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.array(depth + 1),
            Some(b'"') => self.string().map(Value::String),
            Some(b'-' | b'0'..=b'9') => self.number().map(Value::Number),
            Some(b't') => self.word("true", Value::Bool(true)),
            Some(b'f') => self.word("false", Value::Bool(false)),
            Some(b'n') => self.word("null", Value::Null),
            _ => Err(self.expected("a value")),
        }
    }

    fn word(&mut self, word: &'static str, value: Value) -> Result<Value, JsonError> {
        if self.text[self.at..].starts_with(word) {
            self.at += word.len();
            return Ok(value);
        }
        Err(self.expected(word))
    }

    fn array(&mut self, depth: usize) -> Result<Value, JsonError> {
        self.at += 1;
        let mut items = Vec::new();
        self.skip_space();
        if self.next_is(b']') {
            return Ok(Value::Array(items));
        }
        loop {
            self.skip_space();
            items.push(self.value(depth)?);
            self.skip_space();
            if self.next_is(b']') {
                return Ok(Value::Array(items));
            }
            if !self.next_is(b',') {
                return Err(self.expected("',' or ']'"));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Value, JsonError> {
        let at = self.at;
        self.at += 1;
        let mut members = Vec::new();
        self.skip_space();
        if self.next_is(b'}') {
            return Ok(Value::Object(Object::default()));
        }
        loop {
            self.skip_space();
            if self.peek() != Some(b'"') {
                return Err(self.expected("a key"));
            }
            let name = self.string()?;
            self.skip_space();
            if !self.next_is(b':') {
                return Err(self.expected("':'"));
            }
            self.skip_space();
            members.push((name, self.value(depth)?));
            self.skip_space();
            if self.next_is(b'}') {
                let duplicate = |name| JsonError {
                    at,
                    reason: JsonReason::DuplicateKey(name),
                };
                return Object::new(members).map(Value::Object).map_err(duplicate);
            }
            if !self.next_is(b',') {
                return Err(self.expected("',' or '}'"));
            }
        }
    }

    fn string(&mut self) -> Result<String, JsonError> {
        self.at += 1;
        let mut out = String::new();
        loop {
            let rest = &self.text[self.at..];
            let Some(run) = rest.find(|char: char| matches!(char, '"' | '\\' | '\0'..='\u{1f}'))
            else {
                self.at = self.text.len();
                return Err(self.expected("'\"'"));
            };
            out.push_str(&rest[..run]);
            self.at += run;
            if self.next_is(b'"') {
                return Ok(out);
            }
            if !self.next_is(b'\\') {
                return Err(self.expected("an escape in place of a control character"));
            }
            out.push(self.escape()?);
        }
    }

    fn escape(&mut self) -> Result<char, JsonError> {
        let char = match self.peek() {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => return self.unicode_escape(),
            _ => return Err(self.expected("an escape")),
        };
        self.at += 1;
        Ok(char)
    }

    /// At the `u` before four hexadecimal digits, perhaps the first of a surrogate pair.
    fn unicode_escape(&mut self) -> Result<char, JsonError> {
        let lone = JsonError {
            at: self.at,
            reason: JsonReason::LoneSurrogate,
        };
        let first = self.code_unit()?;
        let mut units = [first, 0];
        let mut count = 1;
        if (0xd800..0xdc00).contains(&first) {
            if !(self.next_is(b'\\') && self.peek() == Some(b'u')) {
                return Err(lone);
            }
            units[1] = self.code_unit()?;
            count = 2;
        }
        match char::decode_utf16(units.into_iter().take(count)).next() {
            Some(Ok(char)) => Ok(char),
            _ => Err(lone),
        }
    }

    fn code_unit(&mut self) -> Result<u16, JsonError> {
        self.at += 1;
        let digits = self
            .text
            .get(self.at..self.at + 4)
            .filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()));
        let unit = digits.and_then(|digits| u16::from_str_radix(digits, 16).ok());
        let unit = unit.ok_or_else(|| self.expected("four hex digits"))?;
        self.at += 4;
        Ok(unit)
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.expected("a digit"));
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.at += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<Number, JsonError> {
        let start = self.at;
        self.next_is(b'-');
        if !self.next_is(b'0') {
            self.digits()?;
        }
        let integer_end = self.at;
        if self.next_is(b'.') {
            self.digits()?;
        }
        if self.next_is(b'e') || self.next_is(b'E') {
            let _sign = self.next_is(b'+') || self.next_is(b'-');
            self.digits()?;
        }
        let literal = &self.text[start..self.at];
        let plain = self.at == integer_end;
        let inexact = || JsonError {
            at: start,
            reason: JsonReason::InexactNumber(literal.to_owned()),
        };
        // Correctly rounded in the standard library, whatever the length of the literal.
        let double: f64 = literal.parse().map_err(|_| inexact())?;
        let canonical = ryu_js::Buffer::new().format(double).to_owned();
        let mantissa = literal.split(['e', 'E']).next().unwrap_or_default();
        let vanished = double == 0.0 && mantissa.bytes().any(|byte| matches!(byte, b'1'..=b'9'));
        if !double.is_finite() || vanished || (plain && canonical != literal) {
            return Err(inexact());
        }
        Ok(Number { canonical, plain })
    }
}
