//! One Varlink connection: calls in, replies out, each with a deadline.

use super::{
    admit::Counted,
    authorize::Caller,
    capped::Capped,
    methods::{Answer, Broker, Failure},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{os::fd::OwnedFd, rc::Rc, time::Duration};
use tokio::{
    sync::watch,
    time::{interval, timeout},
};
use zlink::{
    Reply,
    connection::{Connection, ReadConnection, WriteConnection, socket::Socket},
};

/// How long a peer may be connected without asking anything.
const IDLE: Duration = Duration::from_secs(30);
/// How long a peer may leave a reply unread once the socket's buffer is full.
const WRITE: Duration = Duration::from_secs(10);
/// The longest silence while a call is being worked on: the last report is repeated.
const KEEPALIVE: Duration = Duration::from_secs(5);
/// The longest that one call may take: a large image over a slow network.
const CALL: Duration = Duration::from_mins(30);

type Reader = ReadConnection<<Capped as Socket>::ReadHalf>;
type Writer = WriteConnection<<Capped as Socket>::WriteHalf>;

/// A call as it comes in; the flags are zlink's.
#[derive(Debug, Clone, Deserialize)]
struct Method {
    method: String,
    #[serde(default)]
    parameters: Option<Value>,
}

#[derive(Debug, Serialize)]
struct ErrorReply<'a> {
    error: &'a str,
    parameters: Value,
}

/// Serves the connection until the peer goes, is silent for too long or says something that is no call.
pub(super) async fn serve<E: crate::engine::Engine + 'static>(
    broker: Rc<Broker<E>>,
    caller: Caller,
    turn: &Counted,
    connection: Connection<Capped>,
) {
    let (mut reader, mut writer) = connection.split();
    while let Ok(Ok((call, _fds))) = timeout(IDLE, reader.receive_call::<Method>()).await {
        // Every method of ours has an answer that somebody should read.
        if call.oneway() {
            return;
        }
        let more = call.more();
        let Method { method, parameters } = call.method().clone();
        // The message is not kept while it is being worked on.
        drop(call);
        turn.wait().await;
        let parameters = parameters.unwrap_or_else(|| json!({}));
        let Some(answer) = answer(&broker, &caller, &method, parameters, more, &mut reader, &mut writer).await else {
            return;
        };
        if reply(&mut writer, answer).await.is_none() {
            return;
        }
    }
}

/// The method and the parameters of a call, as a connection reads them.
#[cfg(fuzzing)]
pub(super) fn read(bytes: &[u8]) -> Option<(String, Value)> {
    let call: zlink::Call<Method> = serde_json::from_slice(bytes).ok()?;
    let Method { method, parameters } = call.method().clone();
    Some((method, parameters.unwrap_or_else(|| json!({}))))
}

/// Answers the first call with a failure and hangs up.
pub(super) async fn refuse(connection: Connection<Capped>, reason: &str) {
    let (mut reader, mut writer) = connection.split();
    if let Ok(Ok(_)) = timeout(IDLE, reader.receive_call::<Method>()).await {
        let _ = reply(&mut writer, Err(Failure::unavailable(reason))).await;
    }
}

/// Works on one call; `None` if the peer went away meanwhile.
async fn answer<E: crate::engine::Engine + 'static>(
    broker: &Broker<E>,
    caller: &Caller,
    method: &str,
    parameters: Value,
    more: bool,
    reader: &mut Reader,
    writer: &mut Writer,
) -> Option<Result<Answer, Failure>> {
    let (report, mut reports) = watch::channel(None);
    let work = timeout(CALL, broker.call(caller, method, parameters, report));
    tokio::pin!(work);
    let mut ticks = interval(KEEPALIVE);
    ticks.reset();
    loop {
        let send = tokio::select! {
            biased;
            result = &mut work => {
                return Some(result.unwrap_or_else(|_| Err(Failure::unavailable("that took too long; try again"))));
            }
            // A client that waits has nothing to say: whatever comes, its end above all, ends the connection.
            _ = reader.receive_call::<Method>() => return None,
            Ok(()) = reports.changed() => true,
            _ = ticks.tick() => true,
        };
        let last: Option<Value> = reports.borrow_and_update().clone();
        if let (true, true, Some(parameters)) = (send, more, last) {
            let reply = Reply::new(Some(parameters)).set_continues(Some(true));
            timeout(WRITE, writer.send_reply(&reply, Vec::new())).await.ok()?.ok()?;
        }
    }
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
