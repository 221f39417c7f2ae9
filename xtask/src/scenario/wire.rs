//! A connection to a node, kept open: an HTTP/1.1 client small enough that its own work does not blur what is measured, and
//! that reads an answer which comes before the question was sent to its end.

use anyhow::{Context as _, Result, bail};
use bytes::Buf;
use serde::Deserialize;
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Bytes of an answer at most.
const ANSWER_MAX: usize = 64 << 20;

/// A connection.
#[derive(Debug)]
pub(crate) struct Wire {
    address: String,
    stream: TcpStream,
}

impl Wire {
    /// Connects to an `http://host:port` URL.
    pub(crate) async fn open(url: &str) -> Result<Self> {
        let address = url
            .strip_prefix("http://")
            .context("not an http URL")?
            .trim_end_matches('/')
            .to_owned();
        let stream = connect(&address).await?;
        Ok(Self { address, stream })
    }

    /// Posts a JSON text. Gives status and body of the answer.
    pub(crate) async fn ask(&mut self, body: &[u8]) -> Result<(u16, String)> {
        let head = format!(
            "POST / HTTP/1.1\r\nhost: {}\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
            self.address,
            body.len()
        );
        let (mut reader, mut writer) = self.stream.split();
        let mut message = Buf::chain(head.as_bytes(), body);
        let mut answer = Vec::new();
        // Who sends too much is answered, and hung up on, before all was sent.
        let mut sending = std::pin::pin!(async { writer.write_all_buf(&mut message).await });
        let mut sent = false;
        let (status, length, body_at) = loop {
            tokio::select! {
                result = sending.as_mut(), if !sent => {
                    sent = true;
                    // The answer tells more than a broken pipe.
                    drop(result);
                }
                read = reader.read_buf(&mut answer) => {
                    if read? == 0 {
                        bail!("hung up without an answer");
                    }
                    if let Some(head) = parse_head(&answer)? {
                        break head;
                    }
                }
            }
        };
        if length > ANSWER_MAX {
            bail!("an answer of {length} bytes");
        }
        while answer.len() < body_at + length {
            if reader.read_buf(&mut answer).await? == 0 {
                bail!("hung up in the middle of an answer");
            }
        }
        let body = String::from_utf8(answer.split_off(body_at))?;
        if !sent || closes(&answer) {
            self.stream = connect(&self.address).await?;
        }
        Ok((status, body))
    }

    /// Calls a method that succeeds.
    pub(crate) async fn call<T: for<'de> Deserialize<'de>>(
        &mut self,
        method: &str,
        params: serde_json::Value,
    ) -> Result<T> {
        let question = question(method, params);
        let (status, answer) = self.ask(question.as_bytes()).await?;
        let answer: Answer<T> = serde_json::from_str(&answer)
            .with_context(|| format!("{method}: {status} {}", head(&answer)))?;
        Ok(answer.result)
    }
}

/// A call as it is sent.
pub(crate) fn question(method: &str, params: serde_json::Value) -> String {
    json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params }).to_string()
}

/// As much of an answer as an error may hold.
pub(crate) fn head(text: &str) -> String {
    text.chars().take(200).collect()
}

#[derive(Deserialize)]
struct Answer<T> {
    result: T,
}

async fn connect(address: &str) -> Result<TcpStream> {
    let stream = TcpStream::connect(address)
        .await
        .with_context(|| format!("cannot reach {address}"))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Status, length of the body, and where it begins; none if the head is not there yet.
fn parse_head(answer: &[u8]) -> Result<Option<(u16, usize, usize)>> {
    let Some(end) = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&answer[..end])?;
    let status = head.split(' ').nth(1).context("no status")?.parse()?;
    let length = header(head, "content-length")
        .context("no content-length")?
        .parse()?;
    Ok(Some((status, length, end + 4)))
}

fn closes(head: &[u8]) -> bool {
    std::str::from_utf8(head).is_ok_and(|head| header(head, "connection") == Some("close"))
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.lines()
        .filter_map(|line| line.split_once(':'))
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_read() {
        let answer = b"HTTP/1.1 413 Payload Too Large\r\nConnection: close\r\nContent-Length: 7\r\n\r\n{\"a\":1}";
        let (status, length, body_at) = parse_head(answer).unwrap().unwrap();
        assert_eq!((status, length), (413, 7));
        assert_eq!(&answer[body_at..], b"{\"a\":1}");
        assert!(closes(answer));
        assert!(parse_head(b"HTTP/1.1 200 OK\r\n").unwrap().is_none());
    }
}
