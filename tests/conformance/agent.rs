//! `ssh -A`.

use crate::{
    bench::{self, eventually},
    client::Finished,
};
use std::{
    io::{BufRead, BufReader},
    path::PathBuf,
    process::{Child, Command, Stdio},
};
use tempfile::TempDir;

/// An ssh-agent of this machine with one key.
pub(crate) struct Agent {
    process: Child,
    directory: TempDir,
    /// `SHA256:…` of its key.
    pub(crate) fingerprint: String,
}

impl Agent {
    /// With a key of its own that opens nothing.
    pub(crate) fn start() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let key = directory.path().join("key");
        let generate = ["-q", "-t", "ed25519", "-N", "", "-C", "a test's", "-f"];
        Finished::of(Command::new("ssh-keygen").args(generate).arg(&key), b"").success();
        Self::with(directory, key)
    }

    /// With this key.
    pub(crate) fn with(directory: TempDir, key: PathBuf) -> Self {
        let socket = directory.path().join("agent");
        let mut command = Command::new("ssh-agent");
        command.arg("-D").arg("-a").arg(&socket).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command.spawn().unwrap();
        let mut agent = Self { process, directory, fingerprint: String::new() };
        eventually("ssh-agent listens", || socket.exists());
        Finished::of(agent.in_environment(Command::new("ssh-add").arg("-q").arg(key)), b"").success();
        let list = Finished::of(agent.in_environment(Command::new("ssh-add").arg("-l")), b"").success();
        agent.fingerprint.push_str(list.split(' ').nth(1).unwrap());
        agent
    }

    pub(crate) fn in_environment<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command.env("SSH_AUTH_SOCK", self.directory.path().join("agent"))
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[test]
fn a_forwarded_agent_answers_inside() {
    let bench = bench::shared();
    let user = bench.user();
    let agent = Agent::start();
    let list = Finished::of(agent.in_environment(user.ssh(&["-A"]).arg("ssh-add -l")), b"");
    assert!(list.success().contains(&agent.fingerprint), "{list:?}");
    // Many questions, some at once.
    let often = "for i in 1 2 3 4 5 6; do ssh-add -l & done; wait; ssh-add -l; ssh-add -l";
    let often = Finished::of(agent.in_environment(user.ssh(&["-A"]).arg(often)), b"").success();
    assert_eq!(often.matches(&agent.fingerprint).count(), 8, "{often}");
}

#[test]
fn without_dash_a_there_is_no_agent() {
    let bench = bench::shared();
    let user = bench.user();
    let agent = Agent::start();
    let none = Finished::of(agent.in_environment(user.ssh(&["-a"]).arg("echo \"<$SSH_AUTH_SOCK>\"; ssh-add -l")), b"");
    assert_eq!((none.code, none.text().as_str()), (Some(2), "<>\n"), "{none:?}");
}

#[test]
fn two_sessions_at_once_have_their_own_agents() {
    let bench = bench::shared();
    let user = bench.user();
    let agents = [Agent::start(), Agent::start()];
    // Both are open at the same time, in the same container, and each asks twice.
    let command = "ssh-add -l; echo ready; read -r go; ssh-add -l";
    let mut sessions: Vec<_> = agents
        .iter()
        .map(|agent| {
            let mut ssh = user.ssh(&["-A"]);
            let (process, out) = crate::client::Process::start_with_output(agent.in_environment(ssh.arg(command)));
            (process, std::io::BufReader::new(out))
        })
        .collect();
    for ((_, out), agent) in sessions.iter_mut().zip(&agents) {
        let mut line = String::new();
        std::io::BufRead::read_line(out, &mut line).unwrap();
        assert!(line.contains(&agent.fingerprint), "{line}");
    }
    for ((process, out), agent) in sessions.iter_mut().zip(&agents) {
        process.send(b"go\n".to_vec());
        let mut rest = String::new();
        std::io::Read::read_to_string(out, &mut rest).unwrap();
        assert!(rest.contains(&agent.fingerprint), "{rest}");
    }
}

#[test]
fn an_agents_socket_is_gone_when_its_session_is() {
    let bench = bench::shared();
    let user = bench.user();
    let agent = Agent::start();
    let command =
        "test -S \"$SSH_AUTH_SOCK\" && stat -c '%U %a' \"$(dirname \"$SSH_AUTH_SOCK\")\"; echo \"$SSH_AUTH_SOCK\"";
    let done = Finished::of(agent.in_environment(user.ssh(&["-A"]).arg(command)), b"").success();
    let (owner, socket) = done.split_once('\n').unwrap();
    assert_eq!(owner, format!("{} 700", user.name));
    eventually("the socket is removed", || user.run(format!("test -e '{socket}'")).code == Some(1));
}

#[test]
fn an_agent_that_dies_is_an_error_and_no_hang() {
    let bench = bench::shared();
    let user = bench.user();
    let agent = Agent::start();
    let mut ssh = user.ssh(&["-A"]);
    let command = "ssh-add -l >/dev/null && echo ready && read -r go; ssh-add -l >/dev/null 2>&1; echo code:$?";
    let (mut process, out) = crate::client::Process::start_with_output(agent.in_environment(ssh.arg(command)));
    let mut lines = BufReader::new(out).lines().map(Result::unwrap);
    assert_eq!(lines.next().as_deref(), Some("ready"));
    drop(agent);
    process.send(b"go\n".to_vec());
    let code = lines.next().unwrap();
    process.finish().success();
    // 141: it was writing (SIGPIPE) when the connection ended.
    assert!(["code:1", "code:2", "code:141"].contains(&code.as_str()), "{code}");
}

#[test]
fn git_clones_over_ssh_from_inside_with_the_forwarded_key() {
    let bench = bench::shared();
    let user = bench.user();
    let name = format!("origin-{}.git", user.name);
    bench.root(&format!(
        "rm -rf /home/plain/{name}; su plain -c 'git init --quiet --bare ~/{name} && cd ~/{name} && \
         git -c user.name=a -c user.email=a@b commit-tree -m first $(git mktree </dev/null) >first && \
         git update-ref refs/heads/main $(cat first) && git symbolic-ref HEAD refs/heads/main'"
    ));
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("key");
    std::fs::copy(bench.file("id_ed25519"), &key).unwrap();
    let agent = Agent::with(directory, key);
    user.run("true").success();
    let gateway = bench.root(&format!(
        "docker inspect --format '{{{{range .NetworkSettings.Networks}}}}{{{{.Gateway}}}}{{{{end}}}}' {}",
        user.container()
    ));
    let clone = format!(
        "GIT_SSH_COMMAND='ssh -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR' \
         git clone --quiet plain@{gateway}:{name} cloned && git -C cloned log --format=%s"
    );
    let done = Finished::of(agent.in_environment(user.ssh(&["-A"]).arg(clone)), b"");
    assert_eq!(done.success(), "first");
}
