//! One WebSocket: calls answered as they come, subscriptions served as fast as it reads.

use crate::{
    dispatch,
    method::{Api, Caller},
    server::{refusal, stopping},
    subscription::Session,
};
use axum::extract::ws::{CloseFrame, Message, WebSocket, close_code};
use futures::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    task::JoinSet,
    time::{Instant, interval_at, timeout},
};
use tracing::debug;

/// Texts that wait to be written. When full, whatever makes more of them waits.
const OUTBOX: usize = 32;
/// Messages of one connection answered at a time. The next is read when one is done.
const ANSWERING_MAX: usize = 32;
/// How often a silent peer is asked whether it is there.
const PING_INTERVAL: Duration = Duration::from_secs(30);
/// A peer that sends nothing for this long, not even an answer to pings, is gone.
const SILENCE_MAX: Duration = Duration::from_secs(90);
/// A peer that takes longer to read one message is too slow to serve.
const WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// How long a goodbye may take.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(1);

/// Serves a WebSocket until either side ends it.
pub(crate) async fn serve(socket: WebSocket, api: Arc<Api>, mut stop: watch::Receiver<bool>) {
    let (mut sink, mut stream) = socket.split();
    let (outbox, mut inbox) = mpsc::channel(OUTBOX);
    let (closing, mut closed) = mpsc::channel(1);
    let session = Arc::new(Session::new(outbox.clone(), closing));
    let end = tokio::select! {
        end = read(&mut stream, &api, &session, &outbox) => end,
        end = write(&mut sink, &mut inbox) => end,
        Some(reason) = closed.recv() => End::Refused(close_code::POLICY, reason),
        () = stopping(&mut stop) => {
            End::Refused(close_code::AWAY, "the node is stopping".to_owned())
        }
    };
    if let End::Refused(code, reason) = end {
        debug!(code, reason, "closing a WebSocket");
        // A reason may have at most 123 bytes; ours are ASCII.
        let reason: String = reason.chars().take(120).collect();
        let frame = Message::Close(Some(CloseFrame {
            code,
            reason: reason.into(),
        }));
        let _ = timeout(CLOSE_TIMEOUT, sink.send(frame)).await;
    }
}

/// Why a connection is over.
enum End {
    /// The peer went.
    Gone,
    /// We close it, with a code and a reason.
    Refused(u16, String),
}

async fn read(
    stream: &mut SplitStream<WebSocket>,
    api: &Arc<Api>,
    session: &Arc<Session>,
    outbox: &mpsc::Sender<String>,
) -> End {
    let mut answering = JoinSet::new();
    loop {
        while answering.try_join_next().is_some() {}
        if answering.len() >= ANSWERING_MAX {
            answering.join_next().await;
        }
        let message = match timeout(SILENCE_MAX, stream.next()).await {
            Ok(Some(Ok(Message::Text(text)))) => text.into(),
            Ok(Some(Ok(Message::Binary(bytes)))) => bytes,
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_)))) => continue,
            Ok(Some(Ok(Message::Close(_))) | None) => return End::Gone,
            Ok(Some(Err(error))) => {
                return End::Refused(close_code::SIZE, format!("message not read: {error}"));
            }
            Err(_) => return End::Refused(close_code::POLICY, "silent for too long".to_owned()),
        };
        let (api, session, outbox) = (Arc::clone(api), Arc::clone(session), outbox.clone());
        answering.spawn(async move {
            let waiting = api.large.admit(&message, &api.limits);
            let place = match timeout(api.limits.request_timeout, waiting).await {
                Ok(Ok(place)) => place,
                Ok(Err(error)) => {
                    let _ = outbox.send(refusal(error)).await;
                    return;
                }
                Err(_) => {
                    let _ = outbox.send(refusal(dispatch::busy())).await;
                    return;
                }
            };
            let asked = Arc::clone(&api);
            let work = async move {
                let mut caller = Caller {
                    session: Some(&session),
                    starts: Vec::new(),
                };
                let answer = dispatch::answer(&asked, &mut caller, &message).await;
                (answer, caller.starts)
            };
            let (answer, starts) = if place.is_none() {
                work.await
            } else {
                let worked = api.large.work(work).await;
                worked.unwrap_or_else(|| (Some(refusal(dispatch::busy())), Vec::new()))
            };
            if let Some(answer) = answer
                && outbox.send(answer).await.is_ok()
            {
                for start in starts {
                    let _ = start.send(());
                }
            }
        });
    }
}

async fn write(
    sink: &mut SplitSink<WebSocket, Message>,
    inbox: &mut mpsc::Receiver<String>,
) -> End {
    let mut ping = interval_at(Instant::now() + PING_INTERVAL, PING_INTERVAL);
    loop {
        let message = tokio::select! {
            text = inbox.recv() => match text {
                Some(text) => Message::text(text),
                None => return End::Gone,
            },
            _ = ping.tick() => Message::Ping(axum::body::Bytes::new()),
        };
        match timeout(WRITE_TIMEOUT, sink.send(message)).await {
            Ok(Ok(())) => {}
            Ok(Err(_)) => return End::Gone,
            Err(_) => return End::Refused(close_code::POLICY, "too slow a reader".to_owned()),
        }
    }
}
