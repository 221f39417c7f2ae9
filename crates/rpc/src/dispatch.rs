//! JSON-RPC 2.0 itself: a text comes in, calls go to [`method`], a text goes out.

use crate::{
    error::{Error, ErrorObject},
    method::{self, Api, Caller},
    parameter::Params,
    shape::batch_too_large,
};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use std::borrow::Cow;
use tokio::time::{Instant, timeout_at};

/// A result as it is sent, or why there is none.
pub(crate) type Reply = Result<Box<RawValue>, Error>;

/// The result of a call, as JSON.
pub(crate) fn reply<T: Serialize + ?Sized>(value: &T) -> Reply {
    to_raw_value(value).map_err(|error| Error::Internal(error.to_string()))
}

/// Answers one message, single or batch. None when it holds only notifications.
///
/// The calls of a batch are made one after the other: a client may count on their order, and one
/// batch never takes the place of many callers.
pub(crate) async fn answer(api: &Api, caller: &mut Caller<'_>, message: &[u8]) -> Option<String> {
    let deadline = Instant::now() + api.limits.request_timeout;
    let _permit = match api.requests.try_acquire() {
        Ok(permit) => permit,
        Err(_) => match timeout_at(deadline, api.requests.acquire()).await {
            Ok(Ok(permit)) => permit,
            _ => {
                return Some(response("null", Err(busy())));
            }
        },
    };
    let items = match parse(message, api.limits.batch_max) {
        Ok(Message::Single(item)) => {
            return call(api, caller, deadline, item).await;
        }
        Ok(Message::Batch(items)) => items,
        Err(error) => return Some(response("null", Err(error))),
    };
    let mut answers = String::new();
    for item in items {
        let item = if answers.len() > api.limits.response_bytes_max {
            item.and_then(|call| match call.id {
                Some(_) => Err(Rejected {
                    id: call.id,
                    error: Error::ResponseTooLarge(api.limits.response_bytes_max),
                }),
                None => Ok(call),
            })
        } else {
            item
        };
        if let Some(answer) = call(api, caller, deadline, item).await {
            answers.push(if answers.is_empty() { '[' } else { ',' });
            answers.push_str(&answer);
        }
    }
    if answers.is_empty() {
        return None;
    }
    answers.push(']');
    Some(answers)
}

/// Nobody has time for a message.
pub(crate) fn busy() -> Error {
    Error::Limit("the node is busy: too many requests at once".to_owned())
}

async fn call(
    api: &Api,
    caller: &mut Caller<'_>,
    deadline: Instant,
    item: Item<'_>,
) -> Option<String> {
    let (id, reply) = match item {
        Ok(Call { id, method, params }) => {
            let reply = match Params::new(params) {
                Ok(params) => {
                    let called = method::call(api, caller, &method, params);
                    timeout_at(deadline, called)
                        .await
                        .unwrap_or(Err(Error::Timeout))
                }
                Err(error) => Err(error),
            };
            (id?, reply)
        }
        Err(Rejected { id, error }) => return Some(response(text(id), Err(error))),
    };
    Some(response(id.get(), reply))
}

/// A parsed message.
enum Message<'a> {
    Single(Item<'a>),
    Batch(Vec<Item<'a>>),
}

type Item<'a> = Result<Call<'a>, Rejected<'a>>;

/// A well-formed request. Without an id it is a notification, which is never answered.
#[derive(Debug)]
struct Call<'a> {
    id: Option<&'a RawValue>,
    method: Cow<'a, str>,
    params: Option<&'a RawValue>,
}

/// What is no request, with its id if that could be read.
#[derive(Debug)]
struct Rejected<'a> {
    id: Option<&'a RawValue>,
    error: Error,
}

fn parse(message: &[u8], batch_max: usize) -> Result<Message<'_>, Error> {
    // What nearly all are is read at one go.
    if message.starts_with(b"{")
        && let Ok(request) = serde_json::from_slice(message)
    {
        return Ok(Message::Single(check(request)));
    }
    // Syntax first, so that what is JSON but no request is told apart from what is not JSON.
    let raw: &RawValue =
        serde_json::from_slice(message).map_err(|error| Error::Parse(error.to_string()))?;
    if !raw.get().starts_with('[') {
        return Ok(Message::Single(parse_call(raw)));
    }
    let batch: Vec<&RawValue> =
        serde_json::from_str(raw.get()).map_err(|error| Error::Parse(error.to_string()))?;
    if batch.is_empty() {
        return Err(Error::InvalidRequest("empty batch".to_owned()));
    }
    if batch.len() > batch_max {
        return Err(batch_too_large(batch_max));
    }
    Ok(Message::Batch(batch.into_iter().map(parse_call).collect()))
}

/// An optional text is borrowed only if it has a name of its own.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// The members of a request, whatever they are.
#[derive(Deserialize)]
struct Request<'a> {
    #[serde(borrow)]
    jsonrpc: Option<Text<'a>>,
    #[serde(borrow, default, deserialize_with = "present")]
    id: Option<&'a RawValue>,
    #[serde(borrow)]
    method: Option<Text<'a>>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
}

fn parse_call(raw: &RawValue) -> Item<'_> {
    // A struct could also be read from an array.
    if !raw.get().starts_with('{') {
        return rejected(None, "not an object");
    }
    match serde_json::from_str(raw.get()) {
        Ok(request) => check(request),
        Err(error) => rejected(None, &error.to_string()),
    }
}

fn rejected<'a>(id: Option<&'a RawValue>, why: &str) -> Item<'a> {
    Err(Rejected {
        id,
        error: Error::InvalidRequest(format!("invalid request: {why}")),
    })
}

fn check(request: Request<'_>) -> Item<'_> {
    let id = request.id;
    if id.is_some_and(|id| id.get().starts_with(['{', '[', 't', 'f'])) {
        return rejected(None, "id must be a string, a number or null");
    }
    if request.jsonrpc.is_none_or(|Text(version)| version != "2.0") {
        return rejected(id, "jsonrpc must be \"2.0\"");
    }
    match request.method {
        Some(Text(method)) => Ok(Call {
            id,
            method,
            params: request.params,
        }),
        None => rejected(id, "method is missing"),
    }
}

/// Tells `"id": null`, which asks for an answer, from no id.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'de RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

fn text(id: Option<&RawValue>) -> &str {
    id.map_or("null", RawValue::get)
}

/// One response. `id` is JSON.
pub(crate) fn response(id: &str, reply: Reply) -> String {
    let (member, value) = match reply {
        Ok(value) => ("result", value),
        Err(error) => match to_raw_value(&ErrorObject::from(&error)) {
            Ok(value) => ("error", value),
            Err(_) => ("error", RawValue::NULL.to_owned()),
        },
    };
    let parts = [
        r#"{"jsonrpc":"2.0","id":"#,
        id,
        ",\"",
        member,
        "\":",
        value.get(),
        "}",
    ];
    parts.concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    #[track_caller]
    fn check(message: &str, expected: Expect) {
        let item = |item: Item<'_>| match item {
            Ok(call) => {
                format!(
                    "{} id={:?} params={}",
                    call.method,
                    call.id.map(RawValue::get),
                    text(call.params)
                )
            }
            Err(Rejected { id, error }) => response(text(id), Err(error)),
        };
        let text = match parse(message.as_bytes(), 3) {
            Ok(Message::Single(single)) => item(single),
            Ok(Message::Batch(items)) => items.into_iter().map(|each| item(each) + "\n").collect(),
            Err(error) => response("null", Err(error)),
        };
        expected.assert_eq(&text);
    }

    #[test]
    fn single_requests() {
        check(
            r#" {"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]} "#,
            expect![[r#"eth_chainId id=Some("1") params=[]"#]],
        );
        check(
            r#"{"method":"eth_\u0063hainId","jsonrpc":"2.0","id":"a\"b","more":1}"#,
            expect![[r#"eth_chainId id=Some("\"a\\\"b\"") params=null"#]],
        );
        check(
            r#"{"jsonrpc":"2.0","id":null,"method":"eth_chainId"}"#,
            expect![[r#"eth_chainId id=Some("null") params=null"#]],
        );
        check(
            r#"{"jsonrpc":"2.0","method":"eth_chainId"}"#,
            expect![[r#"eth_chainId id=None params=null"#]],
        );
    }

    #[test]
    fn what_is_not_json() {
        check(
            "",
            expect![[
                r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error: EOF while parsing a value at line 1 column 0"}}"#
            ]],
        );
        check(
            "{]",
            expect![[
                r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error: key must be a string at line 1 column 2"}}"#
            ]],
        );
        check(
            "{} {}",
            expect![[
                r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"parse error: trailing characters at line 1 column 4"}}"#
            ]],
        );
        assert!(matches!(parse(b"\"\xff\"", 3), Err(Error::Parse(_))));
        // Depth costs no stack.
        let deep = "[".repeat(1_000_000);
        assert!(matches!(parse(deep.as_bytes(), 3), Err(Error::Parse(_))));
    }

    #[test]
    fn what_is_no_request() {
        check(
            "1",
            expect![[
                r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"invalid request: not an object"}}"#
            ]],
        );
        check(
            "{}",
            expect![[
                r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"invalid request: jsonrpc must be \"2.0\""}}"#
            ]],
        );
        check(
            r#"{"jsonrpc":"1.0","id":7,"method":"eth_chainId"}"#,
            expect![[
                r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32600,"message":"invalid request: jsonrpc must be \"2.0\""}}"#
            ]],
        );
        check(
            r#"{"jsonrpc":"2.0","id":7}"#,
            expect![[
                r#"{"jsonrpc":"2.0","id":7,"error":{"code":-32600,"message":"invalid request: method is missing"}}"#
            ]],
        );
        check(
            r#"{"jsonrpc":"2.0","id":{},"method":"eth_chainId"}"#,
            expect![[
                r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"invalid request: id must be a string, a number or null"}}"#
            ]],
        );
        check(
            r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId","method":"eth_mine"}"#,
            expect![[
                r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"invalid request: duplicate field `method` at line 1 column 55"}}"#
            ]],
        );
    }

    #[test]
    fn batches() {
        check(
            "[]",
            expect![[
                r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"empty batch"}}"#
            ]],
        );
        check(
            "[1,2,3,4]",
            expect![[
                r#"{"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"batch too large: more than 3 calls"}}"#
            ]],
        );
        check(
            r#"[{"jsonrpc":"2.0","id":1,"method":"a"},["2.0",2,"a",[]],{"jsonrpc":"2.0","method":"b"}]"#,
            expect![[r#"
                a id=Some("1") params=null
                {"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"invalid request: not an object"}}
                b id=None params=null
            "#]],
        );
    }

    #[test]
    fn results_keep_their_id() {
        assert_eq!(
            response("\"x\"", reply("0x1")),
            r#"{"jsonrpc":"2.0","id":"x","result":"0x1"}"#
        );
        assert_eq!(
            response("7", reply(&())),
            r#"{"jsonrpc":"2.0","id":7,"result":null}"#
        );
    }
}
