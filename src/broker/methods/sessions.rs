//! `io.podspawn.Sessions`: entering, listing, stopping.

use super::{Answer, Broker, Failure, asks_for_own, capacity, parse, progress_of, to_value, value};
use crate::{
    broker::{
        authorize::{Caller, Scope},
        events,
        login::Login,
    },
    domain::{ProjectName, SessionKey, Span, UserName},
    engine::Engine,
    policy,
    protocol::{
        guest::{MAX_COMMAND_BYTES, Program},
        varlink::{
            AttachParameters, AttachReply, EndedParameters, EndedReply, ListReply, NO_SUCH_SESSION, Nothing, Reason,
            SessionInfo, StopParameters,
        },
    },
    session::{AttachError, Request, Step, Summary},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use serde_json::Value;
use std::time::Instant;
use tokio::sync::watch;

/// How much of a project's name is told where it is refused.
const MAX_TOLD: usize = 64;

impl<E: Engine + 'static> Broker<E> {
    pub(super) async fn attach(
        &self,
        caller: &Caller,
        parameters: Value,
        report: watch::Sender<Option<Value>>,
    ) -> Result<Answer, Failure> {
        let parameters: AttachParameters = parse(parameters)?;
        // Whatever was sent: as much of it as a name may have.
        let project = parameters.project.as_ref().map(|name| name.chars().take(MAX_TOLD).collect::<String>());
        let Some(user) = &caller.user else { return Err(Failure::permission_denied()) };
        self.last_login.set(Some(Instant::now()));
        let login = Login::begin(&self.measures);
        let request = self.request(user, parameters).map_err(|(kind, failure)| {
            login.denied(kind);
            let reason = failure.parameters["reason"].as_str().unwrap_or_default();
            if self.sessions.audit_denial(user, project.as_deref(), Some(caller.uid), reason) {
                events::refused(caller, user, reason);
            }
            failure
        })?;
        let mut progress = |step: &Step| {
            login.waits();
            report.send_replace(Some(to_value(&AttachReply {
                progress: Some(progress_of(step)),
                ..AttachReply::default()
            })));
        };
        let attached = self.sessions.attach(&request, &mut progress).await.map_err(|error| {
            login.failed(&error);
            let text = error.for_user();
            let is_denied = matches!(error, AttachError::Denied(_));
            let may_log = if is_denied {
                self.sessions.audit_denial(user, project.as_deref(), Some(caller.uid), &text)
            } else {
                self.sessions.may_log_failure(user)
            };
            if may_log {
                events::not_attached(&request.key, &error);
            }
            if is_denied { Failure::denied(text) } else { Failure::unavailable(text) }
        })?;
        login.succeeded();
        let reply = AttachReply {
            progress: None,
            session: Some(attached.session.to_string()),
            container: Some(attached.container.to_string()),
            channel_fd: Some(0),
        };
        Ok(Answer { parameters: to_value(&reply), fd: Some(attached.channel) })
    }

    /// Checks what the user asks for against the settings.
    fn request(&self, user: &UserName, parameters: AttachParameters) -> Result<Request, (&'static str, Failure)> {
        let invalid = |failure| ("invalid", failure);
        if parameters.user.as_ref().is_some_and(|claimed| claimed != user.as_ref()) {
            let reason = format!("you are {user}, and can enter your own containers only");
            return Err(("not_allowed", Failure::denied(reason)));
        }
        let project = parameters.project.as_deref().map(str::parse::<ProjectName>).transpose();
        let project = project.map_err(|error| invalid(Failure::denied(error.to_string())))?;
        let program = match parameters.command {
            None => Program::Shell,
            Some(command) => {
                let command = BASE64_STANDARD.decode(command).map_err(|_| invalid(Failure::invalid("command")))?;
                program(command).map_err(invalid)?
            }
        };
        let settings = self.settings_after(|live| live.refresh_for(user));
        let plan = policy::decide(&settings, user, project.as_ref())
            .map_err(|denial| (denial.kind(), Failure::denied(denial.to_string())))?;
        Ok(Request {
            key: SessionKey { user: user.clone(), project },
            plan,
            capacity: capacity(&settings),
            program,
            environment: policy::environment::filter(&parameters.environment, self.host.borrow_mut().current()),
        })
    }

    pub(super) fn list(&self, caller: &Caller, parameters: &Value) -> Result<Answer, Failure> {
        let user = match if asks_for_own(parameters) { caller.own() } else { caller.scope() } {
            Scope::Everybody => None,
            Scope::Own(user) => Some(user),
            Scope::Nothing => return Err(Failure::permission_denied()),
        };
        let sessions = self.sessions.list(user).iter().map(info).collect();
        Ok(value(&ListReply { sessions }))
    }

    /// Why a session of the caller's ended. Whether one exists is nobody else's business: the answer is the same as for
    /// one that goes on.
    pub(super) async fn ended(&self, caller: &Caller, parameters: Value) -> Result<Answer, Failure> {
        let EndedParameters { session } = parse(parameters)?;
        let session = session.parse().map_err(|_| Failure::invalid("session"))?;
        if caller.scope() == Scope::Nothing {
            return Err(Failure::permission_denied());
        }
        let reason = self.sessions.why_ended(&session, |user| caller.scope().includes(user)).await;
        Ok(value(&EndedReply { reason }))
    }

    pub(super) fn stop(&self, caller: &Caller, parameters: Value) -> Result<Answer, Failure> {
        let parameters: StopParameters = parse(parameters)?;
        let user = match (&parameters.user, &caller.user) {
            (Some(name), _) => name.parse().map_err(|_| Failure::invalid("user"))?,
            (None, Some(own)) => own.clone(),
            (None, None) => {
                let reason = "you have no container of your own; say whose to stop: podspawn stop USER[@PROJECT]";
                return Err(Failure::denied(reason));
            }
        };
        // Before anything else: whether a session exists is nobody else's business.
        if !caller.scope().includes(&user) {
            return Err(Failure::permission_denied());
        }
        let project =
            parameters.project.as_deref().map(str::parse).transpose().map_err(|_| Failure::invalid("project"))?;
        let key = SessionKey { user, project };
        let by = match &caller.user {
            Some(own) => own.to_string(),
            None if caller.uid == 0 => "root".to_owned(),
            None => format!("uid {}", caller.uid),
        };
        if self.sessions.stop(&key, format!("stopped by {by}")) {
            Ok(value(&Nothing {}))
        } else {
            let reason = format!("{key} has no running session");
            Err(Failure { error: NO_SUCH_SESSION, parameters: to_value(&Reason { reason }) })
        }
    }
}

/// The program that the original text of a forced command asks for.
fn program(command: Vec<u8>) -> Result<Program, Failure> {
    if command.len() >= MAX_COMMAND_BYTES {
        return Err(Failure::denied(format!(
            "the command is longer than the {MAX_COMMAND_BYTES} bytes that a process takes"
        )));
    }
    if command.contains(&0) {
        return Err(Failure::invalid("command"));
    }
    // sshd runs its configured subsystem through the forced command; the path is one of this host, of which the
    // container knows nothing.
    let program = command.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    let is_sftp = program == b"internal-sftp" || (program.starts_with(b"/") && program.ends_with(b"/sftp-server"));
    Ok(if is_sftp { Program::Sftp } else { Program::Command(command) })
}

fn info(summary: &Summary) -> SessionInfo {
    SessionInfo {
        session: summary.id.to_string(),
        user: summary.key.user.to_string(),
        project: summary.key.project.as_ref().map(ToString::to_string),
        container: summary.container.to_string(),
        status: summary.state.to_string(),
        connections: u32::try_from(summary.connections).unwrap_or(u32::MAX),
        uid: summary.uid,
        created: summary.created,
        image: summary.image.clone(),
        mode: summary.mode.to_string(),
        lifetime: summary.lifetime.map(Span::as_secs),
        abandoned: summary.abandoned,
        ends: summary.ends,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::varlink::DENIED;

    #[test]
    fn a_subsystem_request_is_sftp_whatever_the_host_calls_it() {
        for sftp in ["internal-sftp", "/usr/lib/openssh/sftp-server -l INFO", "/nix/store/x/libexec/sftp-server"] {
            assert_eq!(program(sftp.into()).unwrap(), Program::Sftp, "{sftp}");
        }
        for command in ["ls", "sftp-server", "echo internal-sftp", "", " internal-sftpx"] {
            assert_eq!(program(command.into()).unwrap(), Program::Command(command.into()), "{command}");
        }
    }

    #[test]
    fn a_command_that_no_process_could_take_is_refused() {
        assert_eq!(program(vec![b'x'; MAX_COMMAND_BYTES]).unwrap_err().error, DENIED);
        assert!(program(vec![b'x'; MAX_COMMAND_BYTES - 1]).is_ok());
        assert!(program(b"a\0b".to_vec()).is_err());
    }
}
