//! The body of `POST /v1/records`, read strictly. What comes out of here is exact: nothing was dropped, rounded or
//! guessed.

use alloy_primitives::B256;
use axum::http::HeaderMap;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use proof::{
    Attachment, attachment_digest,
    canonical::{JsonError, JsonReason, Object, Value},
};

use crate::problem::{Code, Refusal};

/// Largest `data`, in its canonical form.
pub(crate) const DATA_BYTES_MAX: usize = 256 << 10;
/// Largest attachment.
pub(crate) const ATTACHMENT_BYTES_MAX: usize = 4 << 20;
/// Most attachments.
pub(crate) const ATTACHMENTS_MAX: usize = 16;
/// Longest `type`.
const KIND_BYTES_MAX: usize = 256;
/// Longest name of an attachment: what file systems take.
const NAME_BYTES_MAX: usize = 255;
/// Longest media type.
const MEDIA_TYPE_BYTES_MAX: usize = 127;
/// Longest idempotency key.
const KEY_BYTES_MAX: usize = 255;

/// The header that names a request.
pub(crate) const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// A request that was understood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fact {
    /// The canonical body, which the commitment is over.
    pub(crate) body: String,
    /// The attachments' bytes, in order.
    pub(crate) attachments: Vec<File>,
}

/// An attachment's bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct File {
    pub(crate) bytes: Vec<u8>,
    pub(crate) digest: B256,
}

impl Fact {
    pub(crate) fn parse(text: &[u8]) -> Result<Self, Refusal> {
        let value = Value::parse(text).map_err(json)?;
        let members = members(&value, "the body", &["type", "data", "attachments"])?;
        let kind = string(members, "type", "type")?;
        check_text("type", kind, KIND_BYTES_MAX)?;
        let data = required(members, "data", "data")?;
        let length = data.canonical().len();
        if length > DATA_BYTES_MAX {
            let detail =
                format!("`data` has {length} bytes in canonical form, more than {DATA_BYTES_MAX}.");
            return Err(Refusal::new(Code::DataTooLarge, detail));
        }
        let (described, attachments) = attachments(members.get("attachments"))?;
        Ok(Self {
            body: proof::body(kind, data, &described),
            attachments,
        })
    }

    /// The attachments' digests, in order.
    pub(crate) fn digests(&self) -> Vec<B256> {
        self.attachments.iter().map(|file| file.digest).collect()
    }
}

/// The request's idempotency key.
pub(crate) fn idempotency_key(headers: &HeaderMap) -> Result<String, Refusal> {
    let mut values = headers.get_all(IDEMPOTENCY_KEY).iter();
    let Some(value) = values.next() else {
        return Err(Refusal::new(
            Code::IdempotencyKeyMissing,
            "The request has no Idempotency-Key header.",
        ));
    };
    let refuse = |detail: &str| Refusal::new(Code::IdempotencyKeyInvalid, detail);
    if values.next().is_some() {
        return Err(refuse(
            "The request has more than one Idempotency-Key header.",
        ));
    }
    let allowed = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:~/+=@".contains(byte);
    let bytes = value.as_bytes();
    match std::str::from_utf8(bytes) {
        Ok("") => Err(refuse("The key is empty.")),
        Ok(_) if bytes.len() > KEY_BYTES_MAX => {
            Err(refuse("The key is longer than 255 characters."))
        }
        Ok(key) if bytes.iter().all(allowed) => Ok(key.to_owned()),
        _ => Err(refuse("The key has a character that is not allowed.")),
    }
}

fn json(error: JsonError) -> Refusal {
    let code = match &error.reason {
        JsonReason::DuplicateKey(_) => Code::JsonDuplicateKey,
        JsonReason::InexactNumber(_) => Code::JsonNumberInexact,
        JsonReason::TooDeep(_) => Code::JsonTooDeep,
        JsonReason::NotUtf8 | JsonReason::Expected(_) | JsonReason::LoneSurrogate => {
            Code::JsonMalformed
        }
    };
    Refusal::new(code, format!("The body: {error}."))
}

/// The members of an object that has no others than `known`.
fn members<'a>(value: &'a Value, what: &str, known: &[&str]) -> Result<&'a Object, Refusal> {
    let Some(object) = value.as_object() else {
        return Err(Refusal::new(
            Code::FieldInvalid,
            format!("{what} is not a JSON object."),
        ));
    };
    match object.iter().find(|(name, _)| !known.contains(name)) {
        Some((name, _)) => {
            let known = known.join("`, `");
            let detail = format!("{what} has a field {name:?}; the fields are `{known}`.");
            Err(Refusal::new(Code::FieldUnknown, detail))
        }
        None => Ok(object),
    }
}

fn required<'a>(object: &'a Object, name: &str, path: &str) -> Result<&'a Value, Refusal> {
    object
        .get(name)
        .ok_or_else(|| Refusal::new(Code::FieldMissing, format!("`{path}` is missing.")))
}

fn string<'a>(object: &'a Object, name: &str, path: &str) -> Result<&'a str, Refusal> {
    required(object, name, path)?
        .as_str()
        .ok_or_else(|| invalid(path, "is not a string"))
}

fn invalid(path: &str, reason: &str) -> Refusal {
    Refusal::new(Code::FieldInvalid, format!("`{path}` {reason}."))
}

fn check_text(path: &str, text: &str, bytes_max: usize) -> Result<(), Refusal> {
    if text.is_empty() {
        return Err(invalid(path, "is empty"));
    }
    if text.len() > bytes_max {
        return Err(invalid(
            path,
            &format!("has {} bytes, more than {bytes_max}", text.len()),
        ));
    }
    if text.chars().any(char::is_control) {
        return Err(invalid(path, "has a control character"));
    }
    Ok(())
}

fn attachments(value: Option<&Value>) -> Result<(Vec<Attachment>, Vec<File>), Refusal> {
    let Some(value) = value else {
        return Ok((Vec::new(), Vec::new()));
    };
    let items = value
        .as_array()
        .ok_or_else(|| invalid("attachments", "is not an array"))?;
    if items.len() > ATTACHMENTS_MAX {
        let detail = format!(
            "There are {} attachments, more than {ATTACHMENTS_MAX}.",
            items.len()
        );
        return Err(Refusal::new(Code::AttachmentsTooMany, detail));
    }
    items
        .iter()
        .enumerate()
        .map(|(index, item)| attachment(index, item))
        .collect()
}

fn attachment(index: usize, value: &Value) -> Result<(Attachment, File), Refusal> {
    let path = |field: &str| format!("attachments[{index}].{field}");
    let object = members(
        value,
        &format!("attachments[{index}]"),
        &["name", "media_type", "content"],
    )?;
    let name = string(object, "name", &path("name"))?;
    check_text(&path("name"), name, NAME_BYTES_MAX)?;
    if name.contains(['/', '\\']) || name == "." || name == ".." {
        return Err(invalid(&path("name"), "is a path, not a file name"));
    }
    let media_type = string(object, "media_type", &path("media_type"))?;
    if !is_media_type(media_type) {
        return Err(invalid(
            &path("media_type"),
            "is not a media type such as application/pdf (without parameters)",
        ));
    }
    let content = string(object, "content", &path("content"))?;
    let too_large = || {
        let detail = format!(
            "`{}` has more than {ATTACHMENT_BYTES_MAX} bytes.",
            path("content")
        );
        Refusal::new(Code::AttachmentTooLarge, detail)
    };
    if content.len() > ATTACHMENT_BYTES_MAX.div_ceil(3) * 4 {
        return Err(too_large());
    }
    let bytes = STANDARD.decode(content).map_err(|error| {
        invalid(
            &path("content"),
            &format!("is not base64 (RFC 4648, padded): {error}"),
        )
    })?;
    if bytes.len() > ATTACHMENT_BYTES_MAX {
        return Err(too_large());
    }
    let digest = attachment_digest(&bytes);
    let described = Attachment {
        media_type: media_type.to_owned(),
        name: name.to_owned(),
        size: bytes.len() as u64,
    };
    Ok((described, File { bytes, digest }))
}

/// `type/subtype`, each of the characters of RFC 6838.
fn is_media_type(text: &str) -> bool {
    let is_token = |token: &str| {
        token.starts_with(|first: char| first.is_ascii_alphanumeric())
            && token
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&byte))
    };
    text.len() <= MEDIA_TYPE_BYTES_MAX
        && text
            .split_once('/')
            .is_some_and(|(kind, subtype)| is_token(kind) && is_token(subtype))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    fn refused(text: &str) -> &'static str {
        Fact::parse(text.as_bytes()).expect_err(text).code.as_str()
    }

    #[test]
    fn equal_facts_have_equal_bodies() {
        let a = Fact::parse(br#"{"type":"t","data":{"b":1.0,"a":[null,"\u0041"]}}"#).unwrap();
        let b = Fact::parse(b" { \"data\" : {\"a\":[null, \"A\"], \"b\":1 } ,\n\"type\":\"t\", \"attachments\": []}").unwrap();
        assert_eq!(a, b);
        assert_eq!(a.body, r#"{"data":{"a":[null,"A"],"b":1},"type":"t"}"#);
        assert_ne!(
            a,
            Fact::parse(br#"{"type":"T","data":{"b":1.0,"a":[null,"A"]}}"#).unwrap()
        );
    }

    #[test]
    fn attachments_are_decoded_and_described() {
        let text = br#"{"type":"t","data":null,"attachments":[{"name":"a.txt","media_type":"text/plain","content":"aGk="}]}"#;
        let fact = Fact::parse(text).unwrap();
        assert_eq!(fact.attachments[0].bytes, b"hi");
        assert_eq!(fact.digests(), [attachment_digest(b"hi")]);
        assert_eq!(
            fact.body,
            r#"{"attachments":[{"media_type":"text/plain","name":"a.txt","size":2}],"data":null,"type":"t"}"#
        );
    }

    #[test]
    fn each_fault_has_its_code() {
        for (text, code) in [
            ("", "json_malformed"),
            ("{", "json_malformed"),
            (r#"{"type":"t","data":1}x"#, "json_malformed"),
            ("{'type':'t'}", "json_malformed"),
            (r#"{"type":"\ud800","data":1}"#, "json_malformed"),
            (r#"{"type":"t","data":1,"data":2}"#, "json_duplicate_key"),
            (
                r#"{"type":"t","data":{"a":{"b":1,"\u0062":1}}}"#,
                "json_duplicate_key",
            ),
            (
                r#"{"type":"t","data":9007199254740993}"#,
                "json_number_inexact",
            ),
            (r#"{"type":"t","data":1e400}"#, "json_number_inexact"),
            ("[]", "field_invalid"),
            ("null", "field_invalid"),
            (r#"{"data":1}"#, "field_missing"),
            (r#"{"type":"t"}"#, "field_missing"),
            (r#"{"type":1,"data":1}"#, "field_invalid"),
            (r#"{"type":"","data":1}"#, "field_invalid"),
            (r#"{"type":"a\nb","data":1}"#, "field_invalid"),
            (r#"{"type":"t","data":1,"date":2}"#, "field_unknown"),
            (r#"{"type":"t","data":1,"attachments":{}}"#, "field_invalid"),
            (
                r#"{"type":"t","data":1,"attachments":[1]}"#,
                "field_invalid",
            ),
            (
                r#"{"type":"t","data":1,"attachments":[{}]}"#,
                "field_missing",
            ),
        ] {
            assert_eq!(refused(text), code, "{text}");
        }
        let deep = format!(
            r#"{{"type":"t","data":{}1{}}}"#,
            "[".repeat(64),
            "]".repeat(64)
        );
        assert_eq!(refused(&deep), "json_too_deep");
        let enough = format!(
            r#"{{"type":"t","data":{}1{}}}"#,
            "[".repeat(62),
            "]".repeat(62)
        );
        assert!(Fact::parse(enough.as_bytes()).is_ok());
        let long = format!(r#"{{"type":"{}","data":1}}"#, "t".repeat(257));
        assert_eq!(refused(&long), "field_invalid");
        let large = format!(
            r#"{{"type":"t","data":"{}"}}"#,
            "x".repeat(DATA_BYTES_MAX - 1)
        );
        assert_eq!(refused(&large), "data_too_large");
    }

    #[test]
    fn each_fault_of_an_attachment_has_its_code() {
        let check = |name: &str, media_type: &str, content: &str, code: Option<&str>| {
            let text = format!(
                r#"{{"type":"t","data":1,"attachments":[{{"name":"{name}","media_type":"{media_type}","content":"{content}"}}]}}"#
            );
            let found = Fact::parse(text.as_bytes())
                .err()
                .map(|refusal| refusal.code.as_str());
            assert_eq!(found, code, "{name} {media_type}");
        };
        check(
            "a b\u{e9}.pdf",
            "application/vnd.oasis.opendocument.text",
            "",
            None,
        );
        for name in [
            "",
            ".",
            "..",
            "../x",
            "a/b",
            "a\\\\b",
            "a\\u0000b",
            "a\\r\\nb",
            &"n".repeat(256),
        ] {
            check(name, "text/plain", "", Some("field_invalid"));
        }
        for media_type in [
            "",
            "text",
            "text/",
            "/plain",
            "text/plain; charset=utf-8",
            "text/pl ain",
            "a/b/c",
        ] {
            check("a", media_type, "", Some("field_invalid"));
        }
        for content in ["a", "aGk", "aG k=", "aGk=\\n", "a-_="] {
            check("a", "text/plain", content, Some("field_invalid"));
        }
        let largest = STANDARD.encode(vec![0; ATTACHMENT_BYTES_MAX]);
        check("a", "text/plain", &largest, None);
        let larger = STANDARD.encode(vec![0; ATTACHMENT_BYTES_MAX + 1]);
        check("a", "text/plain", &larger, Some("attachment_too_large"));
        let item = r#"{"name":"a","media_type":"a/b","content":""}"#;
        let many = format!(
            r#"{{"type":"t","data":1,"attachments":[{}]}}"#,
            [item; 17].join(",")
        );
        assert_eq!(refused(&many), "attachments_too_many");
    }

    #[test]
    fn an_idempotency_key_is_one_plain_word() {
        let key = |values: &[&[u8]]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(IDEMPOTENCY_KEY, HeaderValue::from_bytes(value).unwrap());
            }
            idempotency_key(&headers).map_err(|refusal| refusal.code.as_str())
        };
        assert_eq!(
            key(&[b"order/17:a.b~c+d=e@f-g_h"]).unwrap(),
            "order/17:a.b~c+d=e@f-g_h"
        );
        assert_eq!(key(&[&[b'k'; 255]]).unwrap().len(), 255);
        assert_eq!(key(&[]), Err("idempotency_key_missing"));
        for invalid in [
            &b""[..],
            b"a b",
            b"\"a\"",
            b"a,b",
            b"a\tb",
            b"\xc3\xa9",
            b"\xff",
            &[b'k'; 256],
        ] {
            assert_eq!(
                key(&[invalid]),
                Err("idempotency_key_invalid"),
                "{invalid:?}"
            );
        }
        assert_eq!(key(&[b"a", b"a"]), Err("idempotency_key_invalid"));
    }
}
