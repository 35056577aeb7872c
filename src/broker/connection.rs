//! One Varlink connection: calls and their replies, each with a deadline.

use super::{
    caller::Caller,
    capped::Capped,
    methods,
    peers::Admitted,
    reply::{Answer, Failure},
    state::Broker,
};
use crate::engine::Engine;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{os::fd::OwnedFd, time::Duration};
use tokio::{
    sync::watch,
    time::{interval, timeout},
};
use zlink::{
    Reply,
    connection::{Connection, ReadConnection, WriteConnection, socket::Socket},
};

/// How long a peer may be connected without a call.
const IDLE: Duration = Duration::from_secs(30);
/// How long a peer may leave a reply unread once the socket's buffer is full.
const WRITE: Duration = Duration::from_secs(10);
/// The longest silence while a call is carried out: the last report is repeated.
const KEEPALIVE: Duration = Duration::from_secs(5);
/// The longest duration of one call: the pull of a large image over a slow network.
const CALL: Duration = Duration::from_mins(30);

type Reader = ReadConnection<<Capped as Socket>::ReadHalf>;
type Writer = WriteConnection<<Capped as Socket>::WriteHalf>;

/// A call as it is read; zlink reads its flags.
#[derive(Debug, Clone, Deserialize)]
struct RawCall {
    method: String,
    #[serde(default)]
    parameters: Option<Value>,
}

#[derive(Debug, Serialize)]
struct ErrorReply<'a> {
    error: &'a str,
    parameters: Value,
}

/// Serves the connection until the peer closes it, is silent for too long or sends something that is no call.
pub(super) async fn serve<E: Engine + 'static>(
    broker: &Broker<E>,
    caller: &Caller,
    admitted: &Admitted,
    connection: Connection<Capped>,
) {
    let (mut reader, mut writer) = connection.split();
    while let Ok(Ok((call, _fds))) = timeout(IDLE, reader.receive_call::<RawCall>()).await {
        // Every method has a reply that the caller should read.
        if call.oneway() {
            return;
        }
        let more = call.more();
        let RawCall { method, parameters } = call.method().clone();
        // Frees the message before the call is carried out.
        drop(call);
        admitted.next_call().await;
        let _in_flight = broker.in_flight.guard();
        let parameters = parameters.unwrap_or_else(|| json!({}));
        let (reports, progress) = watch::channel(None);
        let work = methods::call(broker, caller, &method, parameters, reports);
        let progress = more.then_some(progress);
        let Some(answer) = finish(work, progress, &mut reader, &mut writer).await else { return };
        if reply(&mut writer, answer).await.is_none() {
            return;
        }
    }
}

/// The method and the parameters of a call, as a connection reads them.
#[cfg(fuzzing)]
pub(super) fn read(bytes: &[u8]) -> Option<(String, Value)> {
    let call: zlink::Call<RawCall> = serde_json::from_slice(bytes).ok()?;
    let RawCall { method, parameters } = call.method().clone();
    Some((method, parameters.unwrap_or_else(|| json!({}))))
}

/// Answers the first call with a failure and closes the connection.
pub(super) async fn refuse(connection: Connection<Capped>, reason: &str) {
    let (mut reader, mut writer) = connection.split();
    if let Ok(Ok(_)) = timeout(IDLE, reader.receive_call::<RawCall>()).await {
        let _ = reply(&mut writer, Err(Failure::unavailable(reason))).await;
    }
}

/// Waits for the result of a call and reports its progress to a caller that asked for it. `None` if the peer closed the
/// connection meanwhile.
async fn finish(
    work: impl Future<Output = Result<Answer, Failure>>,
    progress: Option<watch::Receiver<Option<Value>>>,
    reader: &mut Reader,
    writer: &mut Writer,
) -> Option<Result<Answer, Failure>> {
    let mut work = std::pin::pin!(timeout(CALL, work));
    let mut progress = progress;
    let mut ticks = interval(KEEPALIVE);
    ticks.reset();
    loop {
        tokio::select! {
            biased;
            result = &mut work => {
                return Some(result.unwrap_or_else(|_| Err(Failure::unavailable("that took too long; try again"))));
            }
            // A waiting client sends nothing: whatever is read, an end of file above all, ends the connection.
            _ = reader.receive_call::<RawCall>() => return None,
            () = changed(&mut progress) => {}
            _ = ticks.tick() => {}
        }
        let last: Option<Value> = progress.as_mut().and_then(|progress| progress.borrow_and_update().clone());
        if let Some(parameters) = last {
            let reply = Reply::new(Some(parameters)).set_continues(Some(true));
            timeout(WRITE, writer.send_reply(&reply, Vec::new())).await.ok()?.ok()?;
        }
    }
}

/// Waits for the next report.
async fn changed(progress: &mut Option<watch::Receiver<Option<Value>>>) {
    if let Some(progress) = progress
        && progress.changed().await.is_ok()
    {
        return;
    }
    // No report will come.
    std::future::pending::<()>().await;
}

async fn reply(writer: &mut Writer, answer: Result<Answer, Failure>) -> Option<()> {
    let sent = match answer {
        Ok(Answer { parameters, fd }) => {
            let fds: Vec<OwnedFd> = fd.into_iter().collect();
            timeout(WRITE, writer.send_reply(&Reply::new(Some(parameters)), fds)).await
        }
        Err(Failure { error, parameters }) => {
            timeout(WRITE, writer.send_error(&ErrorReply { error, parameters }, Vec::new())).await
        }
    };
    sent.ok()?.ok()
}
