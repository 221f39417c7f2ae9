//! Receiving a body: of the right type, within its size, in time.

use axum::{
    body::{Body, Bytes},
    http::{HeaderMap, header},
};
use http_body_util::{BodyExt as _, LengthLimitError, Limited};
use tokio::{sync::OwnedSemaphorePermit, time::timeout};

use crate::{
    app::App,
    problem::{Code, Refusal},
};

/// Largest body.
pub(crate) const BODY_BYTES_MAX: usize = 8 << 20;

/// A body, with the memory it was granted.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) bytes: Bytes,
    _memory: OwnedSemaphorePermit,
}

/// Receives a JSON body.
pub(crate) async fn receive(
    app: &App,
    headers: &HeaderMap,
    body: Body,
) -> Result<Received, Refusal> {
    check_type(headers)?;
    let too_large = || {
        Refusal::new(
            Code::BodyTooLarge,
            format!("The body has more than {BODY_BYTES_MAX} bytes."),
        )
    };
    let length = declared_length(headers)?.unwrap_or(BODY_BYTES_MAX as u64);
    if length > BODY_BYTES_MAX as u64 {
        return Err(too_large());
    }
    let memory = app.admission.body(length)?;
    let patience = app.limits.receive();
    let collected = timeout(patience, Limited::new(body, BODY_BYTES_MAX).collect())
        .await
        .map_err(|_| {
            Refusal::new(
                Code::BodyTimeout,
                format!("The body was not complete after {patience:?}."),
            )
        })?;
    match collected {
        Ok(collected) => Ok(Received {
            bytes: collected.to_bytes(),
            _memory: memory,
        }),
        Err(error) if error.downcast_ref::<LengthLimitError>().is_some() => Err(too_large()),
        Err(_) => Err(Refusal::new(
            Code::BodyInterrupted,
            "The connection failed before the body was complete.",
        )),
    }
}

fn check_type(headers: &HeaderMap) -> Result<(), Refusal> {
    let refuse = |found: &str| {
        Refusal::new(
            Code::ContentTypeUnsupported,
            format!("The Content-Type is {found}."),
        )
    };
    let value = headers
        .get(header::CONTENT_TYPE)
        .ok_or_else(|| refuse("missing"))?;
    let text = value.to_str().map_err(|_| refuse("not text"))?;
    let mut parts = text.split(';').map(str::trim);
    let is_json = parts
        .next()
        .is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"));
    // JSON is UTF-8 (RFC 8259); saying so is superfluous, saying something else is wrong.
    let is_utf8 = parts.all(|part| {
        part.split_once('=').is_some_and(|(name, value)| {
            !name.trim().eq_ignore_ascii_case("charset")
                || value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
        })
    });
    if is_json && is_utf8 && headers.get(header::CONTENT_ENCODING).is_none() {
        return Ok(());
    }
    Err(refuse(if headers.contains_key(header::CONTENT_ENCODING) {
        "encoded (Content-Encoding)"
    } else {
        text
    }))
}

fn declared_length(headers: &HeaderMap) -> Result<Option<u64>, Refusal> {
    let Some(value) = headers.get(header::CONTENT_LENGTH) else {
        return Ok(None);
    };
    let length = value.to_str().ok().and_then(|text| text.parse().ok());
    length
        .map(Some)
        .ok_or_else(|| Refusal::new(Code::BodyInterrupted, "The Content-Length is not a number."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_in_utf_8_is_taken() {
        let check = |value: Option<&str>, expected: bool| {
            let mut headers = HeaderMap::new();
            if let Some(value) = value {
                headers.insert(header::CONTENT_TYPE, value.parse().unwrap());
            }
            assert_eq!(check_type(&headers).is_ok(), expected, "{value:?}");
        };
        check(Some("application/json"), true);
        check(Some("Application/JSON; charset=UTF-8"), true);
        check(Some("application/json; charset=\"utf-8\""), true);
        check(Some("application/json; charset=latin1"), false);
        check(Some("application/json; nonsense"), false);
        check(Some("application/jsonp"), false);
        check(Some("text/plain"), false);
        check(Some("multipart/form-data; boundary=x"), false);
        check(Some(""), false);
        check(None, false);
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, "application/json".parse().unwrap());
        headers.insert(header::CONTENT_ENCODING, "gzip".parse().unwrap());
        assert!(check_type(&headers).is_err());
    }
}
