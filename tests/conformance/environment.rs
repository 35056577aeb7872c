//! The environment of a session: what is documented, and nothing else.

mod alone;

use crate::{
    bench::{self, Disturbance, User},
    client::Finished,
    terminal::Terminal,
};
use std::{collections::BTreeMap, process::Command};

/// What the guest gave the shell, before the shell added anything of its own.
const INITIAL: &str = "tr '\\0' '\\n' </proc/$$/environ";

fn variables(text: &str) -> BTreeMap<String, String> {
    let lines = text.lines().filter_map(|line| line.trim_end().split_once('='));
    lines.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

fn names(variables: &BTreeMap<String, String>) -> Vec<&str> {
    variables.keys().map(String::as_str).collect()
}

/// The image sets LANG itself.
const WITHOUT_TERMINAL: [&str; 8] =
    ["HOME", "LANG", "LOGNAME", "PATH", "SHELL", "SSH_CLIENT", "SSH_CONNECTION", "USER"];

#[test]
fn a_command_has_the_documented_variables_and_no_other() {
    let bench = bench::shared();
    let user = bench.user();
    let variables = variables(&user.run(INITIAL).success());
    assert_eq!(names(&variables), WITHOUT_TERMINAL);
    let name = user.name.as_str();
    assert_eq!(variables["HOME"], format!("/home/{name}"));
    assert_eq!((variables["USER"].as_str(), variables["LOGNAME"].as_str()), (name, name));
    assert_eq!((variables["SHELL"].as_str(), variables["LANG"].as_str()), ("/bin/bash", "C.UTF-8"));
    let connection: Vec<&str> = variables["SSH_CONNECTION"].split(' ').collect();
    assert_eq!((connection.len(), connection[2], connection[3]), (4, bench.address().as_str(), "22"));
    assert_eq!(variables["SSH_CLIENT"], format!("{} {} 22", connection[0], connection[1]));
}

#[test]
fn a_terminal_adds_its_name_and_type() {
    let bench = bench::shared();
    let user = bench.user();
    user.run("true").success();
    let (_, shown) = user.terminal(Some(INITIAL)).finish();
    let variables = variables(&shown);
    let mut expected = WITHOUT_TERMINAL.to_vec();
    expected.extend(["SSH_TTY", "TERM"]);
    expected.sort_unstable();
    assert_eq!(names(&variables), expected, "{shown:?}");
    assert_eq!(variables["TERM"], "xterm-256color");
    assert!(variables["SSH_TTY"].starts_with("/dev/pts/"));
}

#[test]
fn a_forwarded_agent_adds_its_socket() {
    let bench = bench::shared();
    let user = bench.user();
    let agent = crate::agent::Agent::start();
    let done = Finished::of(agent.in_environment(user.ssh(&["-A"]).arg(INITIAL)), b"");
    let mut expected = WITHOUT_TERMINAL.to_vec();
    expected.push("SSH_AUTH_SOCK");
    expected.sort_unstable();
    assert_eq!(names(&variables(&done.success())), expected);
}

/// ssh that sends every one of these.
fn sending<'a>(user: &User<'_>, sent: &[(&'a str, &'a str)]) -> Command {
    let options: Vec<String> = sent.iter().map(|(name, _)| format!("-oSendEnv={name}")).collect();
    let mut ssh = user.ssh(&options.iter().map(String::as_str).collect::<Vec<_>>());
    ssh.envs(sent.iter().copied());
    ssh
}

#[test]
fn language_and_colour_are_the_clients() {
    let bench = bench::shared();
    let user = bench.user();
    let sent = [("LC_TIME", "C"), ("LC_ALL", "en_US.UTF-8"), ("COLORTERM", "truecolor"), ("NO_COLOR", "1")];
    let variables = variables(&Finished::of(sending(&user, &sent).arg(INITIAL), b"").success());
    for (name, value) in sent {
        assert_eq!(variables.get(name).map(String::as_str), Some(value), "{name}");
    }
}

/// The value of a variable, or nothing, when the client sends these.
fn value(user: &User<'_>, sent: &[(&str, &str)], name: &str) -> String {
    Finished::of(sending(user, sent).arg(format!("printenv {name} || true")), b"").quiet_success()
}

const FRENCH: &str = "fr_FR.UTF-8";
/// Not a reload: for a moment after that sshd refuses connections.
const RESTART: &str = "sshd -t && systemctl restart ssh";

/// Another locale for all who log in to the host.
fn french_host(bench: &bench::Bench) -> Disturbance<'_> {
    let locale = format!("printf 'LANG={FRENCH}\\nLC_PAPER={FRENCH}\\n'");
    Disturbance::of_file(bench, "/etc/default", "locale", &locale, "")
}

#[test]
fn what_a_client_may_send_arrives_as_with_plain_sshd() {
    let bench = bench::shared();
    let (user, plain) = (bench.user(), bench.plain());
    let long = "0123456789".repeat(1000);
    let sent =
        [("LC_X1", "1"), ("LC_lower", "x"), ("LC_LONG", long.as_str()), ("LC_LINES", "a\nLD_PRELOAD=/x\u{1b}[2J")];
    for (name, _) in sent {
        assert_eq!(value(&user, &sent, name), value(&plain, &sent, name), "{name}");
        assert!(!value(&user, &sent, name).is_empty(), "{name}");
    }
    let terminal = |user: &User<'_>| {
        let mut ssh = user.ssh(&["-tt"]);
        ssh.env("TERM", "x".repeat(5000)).arg("printf :%s: $TERM | wc -c");
        Terminal::open(&ssh, 24, 80).finish().1
    };
    assert_eq!(terminal(&user), terminal(&plain));
    assert!(terminal(&user).starts_with("5002\r\n"));
}

#[test]
fn what_does_not_fit_is_named_on_a_terminal_and_nowhere_else() {
    let bench = bench::shared();
    let user = bench.user();
    let long = "x".repeat(20_000);
    let sent = [("LC_LONG", long.as_str()), ("LC_TIME", "C")];
    assert_eq!(value(&user, &sent, "LC_TIME"), "C");
    let mut ssh = sending(&user, &sent);
    ssh.arg("-tt").arg("echo time:$LC_TIME:");
    let (_, shown) = Terminal::open(&ssh, 24, 80).finish();
    assert!(shown.contains("podspawn: not passed on, too large in all or not UTF-8: LC_LONG\r"), "{shown:?}");
    assert!(shown.contains("time:C:"), "{shown:?}");
}

#[test]
fn nothing_else_of_the_client_gets_in() {
    let bench = bench::shared();
    let user = bench.user();
    // LD_PRELOAD would change ssh itself.
    let sent = [
        ("LD_BIND_NOW", "1"),
        ("FOO", "bar"),
        ("BASH_ENV", "/tmp/evil"),
        ("ENV", "/tmp/evil"),
        ("PODSPAWN_FOO", "x"),
        ("DOCKER_HOST", "x"),
        ("SSH_ORIGINAL_COMMAND", "x"),
        ("RUST_LOG", "trace"),
        ("TMPDIR", "/x"),
    ];
    let variables = variables(&Finished::of(sending(&user, &sent).arg(INITIAL), b"").success());
    assert_eq!(names(&variables), WITHOUT_TERMINAL);
    let asked = user.run_with(&["-o", "SetEnv=LD_PRELOAD=/tmp/evil.so PATH=/evil HOME=/evil USER=root"], INITIAL, b"");
    let after = crate::environment::variables(&asked.success());
    assert_eq!(names(&after), WITHOUT_TERMINAL);
    for name in ["PATH", "HOME", "USER"] {
        assert_eq!(after[name], variables[name], "{name}");
    }
}

#[test]
fn a_value_with_a_newline_smuggles_nothing_in() {
    let bench = bench::shared();
    let user = bench.user();
    let sent = [("LC_TIME", "C\nLD_PRELOAD=/evil.so"), ("LC_PAPER", "\u{1b}[2J")];
    // Each variable on a line of its own, whatever is in its value.
    let whole = "tr '\\n\\0' ' \\n' </proc/$$/environ";
    let variables = variables(&Finished::of(sending(&user, &sent).arg(whole), b"").success());
    let mut expected = WITHOUT_TERMINAL.to_vec();
    expected.extend(["LC_PAPER", "LC_TIME"]);
    expected.sort_unstable();
    assert_eq!(names(&variables), expected);
    assert_eq!(variables["LC_TIME"], "C LD_PRELOAD=/evil.so");
}

#[test]
fn a_users_own_variables_from_the_server_are_set() {
    let bench = bench::shared();
    let user = bench.user_with("env: {EDITOR: vi, GREETING: \"hello  world\"}");
    assert_eq!(user.run("echo \"$EDITOR:$GREETING\"").success(), "vi:hello  world");
}

#[test]
fn umask_and_limits_are_not_the_hosts_services() {
    let bench = bench::shared();
    let (user, plain) = (bench.user(), bench.plain());
    // What the host's PAM sets for its own accounts depends on their groups; a container's is the usual one.
    assert_eq!(user.run("umask").success(), "0022");
    // Nothing but the three streams is open, and no signal is blocked or ignored that plain sshd leaves alone.
    let command = "ls -1 /proc/self/fd | head -n 3 | tr '\\n' ' '; grep -E '^Sig(Blk|Ign)' /proc/self/status";
    assert_eq!(user.run(command).success(), plain.run(command).success());
    // Expanded by the shell itself, which opens the directory to do so: a pipeline would have descriptors of its own.
    let open = |user: &User<'_>| -> Vec<String> {
        let paths = user.run("echo /proc/$$/fd/*").success();
        paths.split_whitespace().filter_map(|path| path.rsplit('/').next()).map(ToOwned::to_owned).collect()
    };
    assert_eq!(open(&user), open(&plain));
}

#[test]
fn a_crash_leaves_no_core_file_unless_the_user_asks_for_one() {
    let bench = bench::shared();
    let (user, plain) = (bench.user(), bench.plain());
    let limits = "ulimit -Sc; ulimit -Hc";
    assert_eq!(user.run(limits).success(), plain.run(limits).success());
    assert_eq!(user.run("ulimit -Sc").success(), "0");
    let crash = "cd $(mktemp -d); sh -c 'kill -SEGV $$' 2>/dev/null; echo $?; ls -A";
    assert_eq!(user.run(crash).success(), "139");
    assert_eq!(user.run("ulimit -c unlimited && ulimit -c").success(), "unlimited");
}

#[test]
fn a_login_on_a_terminal_inherits_no_descriptor() {
    let bench = bench::shared();
    let user = bench.user();
    // A terminal that waits for its container shows that.
    user.run("true").success();
    let mut ssh = user.ssh(&["-tt"]);
    // Without a pipeline, whose pipe the shell holds for a moment.
    ssh.env("TERM", "xterm").arg("ls /proc/$$/fd >/tmp/fds; tr '\\n' ' ' </tmp/fds; echo end");
    let (_, shown) = Terminal::open(&ssh, 24, 80).finish();
    assert!(shown.starts_with("0 1 2 end") || shown.starts_with("0 1 2 255 end"), "{shown:?}");
}
