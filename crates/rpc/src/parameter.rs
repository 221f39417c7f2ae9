//! The positional parameters of a call.

use crate::error::Error;
use serde::Deserialize;
use serde_json::value::RawValue;

/// Parameters, read in order. Missing ones at the end count as null.
#[derive(Debug)]
pub(crate) struct Params<'a> {
    values: Vec<&'a RawValue>,
    read: usize,
}

impl<'a> Params<'a> {
    /// Takes the `params` member of a request. Ethereum's methods have no parameter names.
    pub(crate) fn new(raw: Option<&'a RawValue>) -> Result<Self, Error> {
        let values = match raw.map(RawValue::get) {
            None | Some("null") => Vec::new(),
            Some(text) => serde_json::from_str(text)
                .map_err(|_| Error::InvalidParams("non-array args".to_owned()))?,
        };
        Ok(Self { values, read: 0 })
    }

    /// The next parameter.
    pub(crate) fn required<T: Deserialize<'a>>(&mut self) -> Result<T, Error> {
        let index = self.read;
        self.optional()?.ok_or_else(|| {
            Error::InvalidParams(format!("missing value for required argument {index}"))
        })
    }

    /// The next parameter, if it is there and not null.
    pub(crate) fn optional<T: Deserialize<'a>>(&mut self) -> Result<Option<T>, Error> {
        let index = self.read;
        self.read += 1;
        match self.values.get(index).map(|value| value.get()) {
            None | Some("null") => Ok(None),
            // Some of the types take it, and then not always for what was meant.
            Some(text) if is_bare_hex(text) => Err(Error::InvalidParams(format!(
                "invalid argument {index}: hex string without 0x prefix"
            ))),
            Some(text) => serde_json::from_str(text).map(Some).map_err(|error| {
                // The position inside the parameter helps nobody.
                let text = error.to_string();
                let text = text.split(" at line ").next().unwrap_or_default();
                Error::InvalidParams(format!("invalid argument {index}: {text}"))
            }),
        }
    }

    /// All were read; more is a mistake of the caller.
    pub(crate) fn end(&self) -> Result<(), Error> {
        if self.values.len() > self.read {
            let most = self.read;
            return Err(Error::InvalidParams(format!(
                "too many arguments, want at most {most}"
            )));
        }
        Ok(())
    }
}

/// Digits of an address, the shortest thing that cannot be a decimal number of someone's.
const BARE_HEX_MIN: usize = 40;

/// Whether this is a JSON string of an address, a hash or bytes whose 0x was forgotten.
fn is_bare_hex(text: &str) -> bool {
    let digits = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    digits.is_some_and(|digits| {
        digits.len() >= BARE_HEX_MIN && digits.bytes().all(|digit| digit.is_ascii_hexdigit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_eips::BlockId;
    use alloy_primitives::Address;
    use expect_test::{Expect, expect};

    #[track_caller]
    fn check(params: &str, expected: Expect) {
        let raw: &RawValue = serde_json::from_str(params).unwrap();
        let read = || {
            let mut params = Params::new(Some(raw))?;
            let address: Address = params.required()?;
            let block: Option<BlockId> = params.optional()?;
            params.end()?;
            Ok::<_, Error>((address, block))
        };
        let text = match read() {
            Ok((address, block)) => format!("{address} {block:?}"),
            Err(error) => error.to_string(),
        };
        expected.assert_eq(&text);
    }

    #[test]
    fn positions() {
        let zero = "0x0000000000000000000000000000000000000000";
        check(
            &format!(r#"["{zero}"]"#),
            expect!["0x0000000000000000000000000000000000000000 None"],
        );
        check(
            &format!(r#"["{zero}",null]"#),
            expect!["0x0000000000000000000000000000000000000000 None"],
        );
        check(
            &format!(r#"["{zero}","safe"]"#),
            expect!["0x0000000000000000000000000000000000000000 Some(safe)"],
        );
        check(
            &format!(r#"["{zero}",{{"blockNumber":"0x10"}}]"#),
            expect!["0x0000000000000000000000000000000000000000 Some(0x10)"],
        );
        check(
            &format!(r#"["{zero}","latest",1]"#),
            expect!["too many arguments, want at most 2"],
        );
        check("[]", expect!["missing value for required argument 0"]);
        check("null", expect!["missing value for required argument 0"]);
        check("{}", expect!["non-array args"]);
        check(
            r#"["0x12"]"#,
            expect!["invalid argument 0: invalid string length"],
        );
        check(
            &format!(r#"["{zero}","10"]"#),
            expect!["invalid argument 1: hex string without 0x prefix"],
        );
        check(
            &format!(r#"["{}"]"#, &zero[2..]),
            expect!["invalid argument 0: hex string without 0x prefix"],
        );
        check(
            &format!(r#"["{zero}",10]"#),
            expect![
                "invalid argument 1: invalid type: integer `10`, expected Block identifier following EIP-1898"
            ],
        );
    }
}
