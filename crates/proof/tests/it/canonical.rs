//! JSON: read strictly, written as RFC 8785 has it.

use proof::{canonical::Value, canonical_json};
use proptest::prelude::*;

fn check(text: &str, expected: &str) {
    assert_eq!(
        canonical_json(text.as_bytes()).as_deref(),
        Ok(expected),
        "{text}"
    );
}

fn refuse(text: &str, message: &str) {
    let error = canonical_json(text.as_bytes()).expect_err(text).to_string();
    assert!(error.contains(message), "{text}: {error}");
}

/// RFC 8785, appendix B: IEEE 754 bits and their canonical form.
#[test]
fn numbers_of_the_rfc() {
    for (bits, expected) in [
        (0x0000000000000000u64, "0"),
        (0x8000000000000000, "0"),
        (0x0000000000000001, "5e-324"),
        (0x8000000000000001, "-5e-324"),
        (0x7fefffffffffffff, "1.7976931348623157e+308"),
        (0xffefffffffffffff, "-1.7976931348623157e+308"),
        (0x4340000000000000, "9007199254740992"),
        (0xc340000000000000, "-9007199254740992"),
        (0x4430000000000000, "295147905179352830000"),
        (0x44b52d02c7e14af5, "9.999999999999997e+22"),
        (0x44b52d02c7e14af6, "1e+23"),
        (0x44b52d02c7e14af7, "1.0000000000000001e+23"),
        (0x444b1ae4d6e2ef4e, "999999999999999700000"),
        (0x444b1ae4d6e2ef4f, "999999999999999900000"),
        (0x444b1ae4d6e2ef50, "1e+21"),
        (0x3eb0c6f7a0b5ed8c, "9.999999999999997e-7"),
        (0x3eb0c6f7a0b5ed8d, "0.000001"),
        (0x41b3de4355555553, "333333333.3333332"),
        (0x41b3de4355555554, "333333333.33333325"),
        (0x41b3de4355555555, "333333333.3333333"),
        (0x41b3de4355555556, "333333333.3333334"),
        (0x41b3de4355555557, "333333333.33333343"),
        (0xbecbf647612f3696, "-0.0000033333333333333333"),
        (0x43143ff3c1cb0959, "1424953923781206.2"),
    ] {
        check(&format!("{:e}", f64::from_bits(bits)), expected);
        check(expected, expected);
    }
}

#[test]
fn whole_numbers_are_kept_or_refused() {
    check("9007199254740991", "9007199254740991");
    check("9007199254740994", "9007199254740994");
    check("-9007199254740992", "-9007199254740992");
    check("100000000000000000000", "100000000000000000000");
    check("1e21", "1e+21");
    check("1.5e3", "1500");
    check("-0.0", "0");
    for inexact in [
        "9007199254740993",
        "-9007199254740993",
        "18446744073709551615",
        "1000000000000000000000",
        "-0",
    ] {
        refuse(inexact, "cannot be kept exactly");
    }
    refuse(&"1".repeat(400), "cannot be kept exactly");
    refuse("1e309", "cannot be kept exactly");
    refuse("1e-400", "cannot be kept exactly");
    check("0e-400", "0");
}

#[test]
fn strings_and_order_of_the_rfc() {
    check(
        r#""\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/""#,
        r#""€$\u000f\nA'B\"\\\\\"/""#,
    );
    check(
        r#"{"\u20ac":1,"\r":2,"\ufb33":3,"1":4,"\ud83d\ude00":5,"\u0080":6,"\u00f6":7}"#,
        "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{fb33}\":3}",
    );
    check(
        " [ 1 , { } , [ ] , null , true , false ] ",
        "[1,{},[],null,true,false]",
    );
    check("\"\u{7f}\u{2028}\"", "\"\u{7f}\u{2028}\"");
    check(r#""\u0000\b\t\n\f\r\u001f""#, r#""\u0000\b\t\n\f\r\u001f""#);
}

#[test]
fn what_is_not_json_is_refused() {
    for (text, message) in [
        ("", "expected a value at byte 0"),
        ("{", "expected a key"),
        ("[1,]", "expected a value"),
        (r#"{"a":1,}"#, "expected a key"),
        (r#"{"a" 1}"#, "expected ':'"),
        ("[1 2]", "expected ',' or ']'"),
        ("01", "expected the end"),
        ("1.", "expected a digit"),
        (".5", "expected a value"),
        ("+1", "expected a value"),
        ("1e", "expected a digit"),
        ("-", "expected a digit"),
        ("nul", "expected null"),
        ("True", "expected a value"),
        ("'a'", "expected a value"),
        ("\"a", "expected '\"'"),
        ("\"a\tb\"", "control character"),
        (r#""\x41""#, "expected an escape"),
        (r#""\u12g4""#, "four hex digits"),
        (r#""\u+123""#, "four hex digits"),
        (r#""\u12"#, "four hex digits"),
        (r#""\ud800""#, "lone surrogate"),
        (r#""\udc00""#, "lone surrogate"),
        (r#""\ud800\ud800""#, "lone surrogate"),
        (r#""\ud800A""#, "lone surrogate"),
        (r#""\u00e""#, "four hex digits"),
        ("\"\\u00€\"", "four hex digits"),
        ("\u{a0}1", "expected a value"),
        ("1\0", "expected the end"),
        ("NaN", "expected a value"),
        ("Infinity", "expected a value"),
        ("// 1", "expected a value"),
    ] {
        refuse(text, message);
    }
    let error = canonical_json(b"\"\xff\"").unwrap_err();
    assert_eq!(error.to_string(), "not UTF-8 at byte 1");
}

#[test]
fn a_key_occurs_once() {
    refuse(r#"{"a":1,"a":1}"#, r#"duplicate key "a" at byte 0"#);
    refuse(
        r#"[{"b":{},"a":1,"\u0062":2}]"#,
        r#"duplicate key "b" at byte 1"#,
    );
    check(r#"{"a":{"a":1},"A":1}"#, r#"{"A":1,"a":{"a":1}}"#);
}

#[test]
fn nesting_is_bounded() {
    let nested = |levels| "[".repeat(levels) + &"]".repeat(levels);
    check(&nested(64), &nested(64));
    refuse(&nested(65), "more than 64 levels");
    refuse(&"[".repeat(1 << 20), "more than 64 levels");
}

pub fn json() -> impl Strategy<Value = serde_json::Value> {
    let leaf = prop_oneof![
        Just(serde_json::Value::Null),
        any::<bool>().prop_map(Into::into),
        (-(1i64 << 53)..=1 << 53).prop_map(Into::into),
        any::<f64>().prop_filter_map("finite", |f| serde_json::Number::from_f64(f)
            .map(Into::into)),
        any::<String>().prop_map(Into::into),
    ];
    leaf.prop_recursive(4, 40, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
            prop::collection::btree_map(any::<String>(), inner, 0..6).prop_map(|members| members
                .into_iter()
                .collect::<serde_json::Map<_, _>>()
                .into()),
        ]
    })
}

proptest! {
    #[test]
    fn canonical_form_is_that_of_another_implementation(value in json()) {
        let ours = canonical_json(value.to_string().as_bytes()).unwrap();
        prop_assert_eq!(&ours, &serde_json_canonicalizer::to_string(&value).unwrap());
        prop_assert_eq!(canonical_json(ours.as_bytes()).unwrap(), ours.clone());
        let pretty = Value::parse(ours.as_bytes()).unwrap().pretty();
        prop_assert_eq!(canonical_json(pretty.as_bytes()).unwrap(), ours);
    }

    #[test]
    fn what_is_read_others_read_too(text in r#"[ {}\[\]",:0-9abu\\\-+.eEtrulns]{0,60}"#) {
        if let Ok(canonical) = canonical_json(text.as_bytes()) {
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(serde_json_canonicalizer::to_string(&value).unwrap(), canonical);
        }
    }
}
