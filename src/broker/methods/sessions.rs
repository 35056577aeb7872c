//! `io.podspawn.Sessions`: log in, list, stop.

use crate::{
    broker::{
        authorize::Grant,
        caller::Caller,
        events,
        login::Login,
        reply::{Answer, Failure, Reports, to_value},
        state::{Broker, capacity},
    },
    domain::{ProjectName, SessionKey, UserName},
    engine::Engine,
    policy,
    protocol::{
        guest::{MAX_COMMAND_BYTES, Program},
        varlink::{
            AttachParameters, AttachReply, EndedParameters, EndedReply, ListReply, NO_SUCH_SESSION, Nothing, Own,
            Reason, Step, StopParameters,
            methods::{Attach, Ended, List, Stop},
        },
    },
    session::{AttachError, Request},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use std::time::Instant;

/// Most characters of a project's name in the record of a refusal.
const MAX_PROJECT: usize = 64;

impl<E: Engine + 'static> Broker<E> {
    /// Opens a channel into the caller's container, which is created if there is none.
    pub(super) async fn attach(
        &self,
        grant: Grant<'_, Attach>,
        parameters: AttachParameters,
        reports: Reports,
    ) -> Result<Answer, Failure> {
        let user = grant.own()?;
        // The name is unchecked: no more of it than a valid one can have.
        let project = parameters.project.as_ref().map(|name| name.chars().take(MAX_PROJECT).collect::<String>());
        let attempt = Attempt { caller: grant.caller(), user, project: project.as_deref() };
        self.last_login.set(Some(Instant::now()));
        let login = Login::begin(&self.measures);
        let request = self.request(user, parameters).map_err(|refusal| self.refused(&attempt, &login, refusal))?;
        let mut progress = |step: &Step| {
            login.waits();
            let reply = AttachReply { progress: Some(step.clone()), ..AttachReply::default() };
            reports.send_replace(Some(to_value(&reply)));
        };
        let attached = self.sessions.attach(&request, &mut progress).await;
        let attached = attached.map_err(|error| self.not_attached(&attempt, &login, &request.key, &error))?;
        login.succeeded();
        let reply = AttachReply {
            progress: None,
            session: Some(attached.session.to_string()),
            container: Some(attached.container.to_string()),
            channel_fd: Some(0),
        };
        Ok(Answer { parameters: to_value(&reply), fd: Some(attached.channel) })
    }

    /// Counts and records a login that policy refused before any session was looked up.
    fn refused(&self, attempt: &Attempt<'_>, login: &Login, (kind, failure): (&'static str, Failure)) -> Failure {
        login.denied(kind);
        let reason = failure.parameters["reason"].as_str().unwrap_or_default();
        if self.audit_denial(attempt, reason) {
            events::refused(attempt.caller, attempt.user, reason);
        }
        failure
    }

    /// Counts and records a login that failed later.
    fn not_attached(&self, attempt: &Attempt<'_>, login: &Login, key: &SessionKey, error: &AttachError) -> Failure {
        login.failed(error);
        let text = error.for_user();
        let is_denied = matches!(error, AttachError::Denied(_));
        let may_log =
            if is_denied { self.audit_denial(attempt, &text) } else { self.sessions.may_log_failure(attempt.user) };
        if may_log {
            events::not_attached(key, error);
        }
        if is_denied { Failure::denied(text) } else { Failure::unavailable(text) }
    }

    fn audit_denial(&self, attempt: &Attempt<'_>, reason: &str) -> bool {
        self.sessions.audit_denial(attempt.user, attempt.project, Some(attempt.caller.uid), reason)
    }

    /// Checks a login against the settings. A refusal has the kind that it is counted by.
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

    /// The sessions that the caller may see.
    // A grant is for one call.
    #[allow(clippy::needless_pass_by_value)]
    pub(super) fn list(&self, grant: Grant<'_, List>, own: Own) -> Result<ListReply, Failure> {
        let user = grant.sessions_of(own.is_set())?;
        Ok(ListReply { sessions: self.sessions.list(user) })
    }

    /// Why a session ended. The reply for another user's session is the same as for one that still runs.
    pub(super) async fn ended(
        &self,
        grant: Grant<'_, Ended>,
        EndedParameters { session }: EndedParameters,
    ) -> Result<EndedReply, Failure> {
        let session = session.parse().map_err(|_| Failure::invalid("session"))?;
        let reason = self.sessions.why_ended(&session, |user| grant.covers(user)).await;
        Ok(EndedReply { reason })
    }

    /// Begins to end a session.
    // A grant is for one call.
    #[allow(clippy::needless_pass_by_value)]
    pub(super) fn stop(&self, grant: Grant<'_, Stop>, parameters: StopParameters) -> Result<Nothing, Failure> {
        let caller = grant.caller();
        let user = match (&parameters.user, &caller.user) {
            (Some(name), _) => name.parse().map_err(|_| Failure::invalid("user"))?,
            (None, Some(own)) => own.clone(),
            (None, None) => {
                let reason = "you have no container of your own; name the user: podspawn stop USER[@PROJECT]";
                return Err(Failure::denied(reason));
            }
        };
        // First of all: only the user and administrators may learn whether a session exists.
        if !grant.covers(&user) {
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
            Ok(Nothing {})
        } else {
            let reason = format!("{key} has no running session");
            Err(Failure::of(NO_SUCH_SESSION, &Reason { reason }))
        }
    }
}

/// One call of Attach, for the records of its refusal.
struct Attempt<'a> {
    caller: &'a Caller,
    user: &'a UserName,
    /// The project's name as the caller wrote it, shortened.
    project: Option<&'a str>,
}

/// The program that a forced command's original text requests.
fn program(command: Vec<u8>) -> Result<Program, Failure> {
    if command.len() >= MAX_COMMAND_BYTES {
        return Err(Failure::denied(format!(
            "the command is longer than the {MAX_COMMAND_BYTES} bytes that a process takes"
        )));
    }
    if command.contains(&0) {
        return Err(Failure::invalid("command"));
    }
    // sshd runs its configured subsystem through the forced command. The path is the host's; the container need not have it.
    let program = command.split(u8::is_ascii_whitespace).next().unwrap_or_default();
    let is_sftp = program == b"internal-sftp" || (program.starts_with(b"/") && program.ends_with(b"/sftp-server"));
    Ok(if is_sftp { Program::Sftp } else { Program::Command(command) })
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
