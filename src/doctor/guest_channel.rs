//! `guest-channel`: containers answer through the host's socket, which sandboxes may not carry into them.

use super::{
    Check, Group, Host, Problem, Report,
    engine::{diagnosis, runtime},
};
use crate::{config::Settings, protocol::varlink::DiagnoseReply};

/// The check.
pub(super) const CHECK: Check = Check {
    name: "guest-channel",
    group: Group::Engine,
    passes_if: "containers answer through the host's socket, which sandboxes may not carry into them",
    problems: &[SILENT, SANDBOX],
    needs_root: false,
    run,
};
const SILENT: Problem = Problem::warn("a container runs and does not answer", "`podspawn stop {session}`");
const SANDBOX: Problem = Problem::warn(
    "the runtime is a sandbox, and no container has answered through it yet",
    "for runsc: runtimeArgs [\"--host-uds=open\"] in {engine-settings}",
)
.on_nixos("for runsc: runtimeArgs [\"--host-uds=open\"] in {engine-nixos-settings}.runtimes");

fn run(host: &Host) -> Report {
    match diagnosis(host, &CHECK) {
        Ok(reply) => channel(reply, &host.settings),
        Err(report) => report,
    }
}

fn channel(reply: &DiagnoseReply, settings: &Settings) -> Report {
    if let Some(first) = reply.silent.first() {
        let names = reply.silent.join(", ");
        let seen = format!("{} of {} containers run and do not answer: {names}", reply.silent.len(), reply.running);
        return CHECK.report(&SILENT, seen, &[("session", first)]);
    }
    let engine = reply.engine.as_ref().map(|engine| engine.default_runtime.as_str());
    let runtime = settings.config.security.runtime.as_deref().or(engine).unwrap_or("");
    match reply.running {
        0 if runtime::is_sandboxed(runtime) => {
            let seen =
                format!("runtime {runtime} may not carry the host's socket into containers, which sessions need");
            CHECK.report(&SANDBOX, seen, &[])
        }
        0 => CHECK.pass("no container runs that should answer"),
        running => CHECK.pass(format!("all {running} containers answer through the host's socket")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{doctor::Outcome, protocol::varlink::EngineInfo};

    #[test]
    fn containers_that_do_not_answer_are_named_and_a_sandbox_is_a_warning_until_one_answers() {
        let reply = |running, silent: &[&str]| DiagnoseReply {
            running,
            silent: silent.iter().map(|name| (*name).to_owned()).collect(),
            engine: Some(EngineInfo { default_runtime: "runsc".into(), ..EngineInfo::default() }),
            ..DiagnoseReply::default()
        };
        let silent = channel(&reply(2, &["alice@web"]), &Settings::default());
        assert_eq!((silent.outcome, silent.remedy.as_str()), (Outcome::Warn, "podspawn stop alice@web"));
        assert!(channel(&reply(0, &[]), &Settings::default()).remedy.contains("--host-uds=open"));
        assert_eq!(channel(&reply(2, &[]), &Settings::default()).outcome, Outcome::Pass);
    }
}
