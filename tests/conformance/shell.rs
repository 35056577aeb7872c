//! A person's login shell.

use crate::{
    bench,
    client::Finished,
    terminal::{PROMPT, Terminal},
};

#[test]
fn a_configured_shell_that_the_image_lacks_is_reported_at_a_terminal_and_nowhere_else() {
    let bench = bench::shared();
    let user = bench.user_with("shell: /bin/zhs");
    assert_eq!(user.run("echo $0").quiet_success(), "bash");
    for _ in 0..2 {
        let mut terminal = user.terminal(None);
        terminal.wait_for("podspawn: this image has no shell /bin/zhs, which is configured; /bin/bash runs instead");
        terminal.send("echo $0; exit 5\n");
        terminal.wait_for("-bash");
        assert_eq!(terminal.finish().0, 5);
    }
    // The default was chosen by no configuration.
    let alpine = bench.user_with("image: \"podspawn-alpine-like:latest\"");
    let mut terminal = alpine.terminal(None);
    terminal.send("echo al''ive; exit 6\n");
    terminal.wait_for("alive");
    let (code, shown) = terminal.finish();
    assert!(code == 6 && !shown.contains("no shell"), "{shown:?}");
    // And one that ends every login never comes into force.
    let done = bench.bash(
        &[],
        "mkdir -p /run/podspawn-test/shell/users; echo 'shell: /bin/false' >/run/podspawn-test/shell/users/x.yaml
         podspawn check-config /run/podspawn-test/shell",
    );
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(
        done.errors().contains("users/x.yaml:1:8: shell: \"/bin/false\" is not a shell that runs logins"),
        "{done:?}"
    );
}

#[test]
fn a_shell_runs_on_a_terminal_of_the_container() {
    let bench = bench::shared();
    let user = bench.user();
    let mut terminal = user.shell();
    terminal.send("echo on:$(tty):${SSH_TTY}:$(id -un):$(cat /proc/1/cmdline | tr '\\0' ' '):\n");
    terminal.wait_for("on:/dev/pts/");
    terminal.wait_for(":/dev/pts/");
    terminal.wait_for(&format!(":{}:/.podspawn/podspawn guest ", user.name));
    terminal.send("test \"$(tty)\" = \"$SSH_TTY\" && test -c \"$(tty)\" && echo same'-'terminal\n");
    terminal.wait_for("same-terminal");
    terminal.send("exit\n");
    assert_eq!(terminal.finish().0, 0);
}

#[test]
fn the_shell_is_a_login_shell() {
    let bench = bench::shared();
    let user = bench.user();
    let mut terminal = user.shell();
    terminal.send("shopt -q login_shell && echo name:$0: home:$(pwd):\n");
    terminal.wait_for("name:-bash:");
    terminal.wait_for(&format!("home:/home/{}:", user.name));
}

#[test]
fn a_terminal_has_the_clients_size_from_the_start() {
    let bench = bench::shared();
    let user = bench.user();
    let mut ssh = user.ssh(&["-tt"]);
    ssh.env("TERM", "xterm").arg("stty size");
    let (code, shown) = Terminal::open(&ssh, 33, 101).finish();
    assert_eq!((code, shown.contains("33 101")), (0, true), "{shown:?}");
}

#[test]
fn a_terminal_without_a_size_and_its_speed_are_the_clients() {
    let bench = bench::shared();
    let seen = |user: &crate::bench::User<'_>| {
        let ssh = user.ssh(&["-tt"]);
        let mut slow = std::process::Command::new("sh");
        slow.env("TERM", "xterm").args(["-c", "stty 9600; exec \"$@\"", "sh"]);
        slow.arg(ssh.get_program()).args(ssh.get_args()).arg("stty size; stty speed");
        Terminal::open(&slow, 0, 0).finish().1
    };
    let plain = seen(&bench.plain());
    assert!(plain.starts_with("0 0\r\n9600\r\n"), "{plain:?}");
    let user = bench.user();
    user.run("true").success();
    // A size that is set a moment later is seen by chance.
    for _ in 0..5 {
        assert_eq!(seen(&user), plain);
    }
}

#[test]
fn what_is_typed_before_the_shell_is_ready_reaches_it() {
    let bench = bench::shared();
    let user = bench.user();
    user.run("true").success();
    for round in 0..10 {
        let terminal = user.terminal(None);
        terminal.send(format!("echo round:$(({round} + 30)):\nexit 7\n"));
        let (code, shown) = terminal.finish();
        assert_eq!(code, 7, "{shown:?}");
        assert!(shown.contains(&format!("round:{}:", round + 30)), "{shown:?}");
    }
}

#[test]
fn a_resize_reaches_the_process_as_sigwinch() {
    let bench = bench::shared();
    let user = bench.user();
    // bash forgets a signal that comes while its handler runs: the handler only marks, the loop says.
    let script = "trap changed=1 WINCH; echo ready; while :; do sleep 0.05; \
                  test -n \"$changed\" && { changed=; echo \"size:$(stty size):\"; }; done";
    let mut terminal = user.terminal(Some(script));
    terminal.wait_for("ready");
    for (rows, columns) in [(40, 120), (10, 20), (50, 200)] {
        terminal.resize(rows, columns);
        terminal.wait_for(&format!("size:{rows} {columns}:"));
    }
}

#[test]
fn control_c_interrupts_the_command_and_not_the_shell() {
    let bench = bench::shared();
    let user = bench.user();
    let mut terminal = user.shell();
    // Said by the command itself: what comes while bash hands the terminal to it, bash keeps.
    terminal.send("sh -c 'echo sleeping-''now; exec sleep 1000'; echo code:$?\n");
    terminal.wait_for("sleeping-now");
    terminal.send("\x03");
    terminal.wait_for(PROMPT);
    terminal.send("echo alive:$((40 + 2)):\n");
    terminal.wait_for("alive:42:");
}

#[test]
fn control_z_stops_a_job_and_fg_goes_on_with_it() {
    let bench = bench::shared();
    let user = bench.user();
    let mut terminal = user.shell();
    terminal.send("sh -c 'echo cat-''runs; exec cat'\n");
    terminal.wait_for("cat-runs");
    terminal.send("echoed by cat\n");
    terminal.wait_for("echoed by cat\r\nechoed by cat");
    terminal.send("\x1a");
    terminal.wait_for("Stopped");
    terminal.wait_for(PROMPT);
    terminal.send("jobs; echo jobs:$?:\n");
    terminal.wait_for("jobs:0:");
    terminal.wait_for(PROMPT);
    terminal.send("fg\n");
    terminal.wait_for("exec cat'\r\n");
    terminal.send("again\n");
    terminal.wait_for("again\r\nagain");
    terminal.send("\x04");
    terminal.wait_for(PROMPT);
    terminal.send("echo over:$?:\n");
    terminal.wait_for("over:0:");
}

#[test]
fn control_d_ends_the_shell_with_its_last_code() {
    let bench = bench::shared();
    let user = bench.user();
    let mut terminal = user.shell();
    terminal.send("(exit 7); echo set''-code; (exit 7)\n");
    terminal.wait_for("set-code");
    terminal.wait_for(PROMPT);
    terminal.send("\x04");
    assert_eq!(terminal.finish().0, 7);
}

#[test]
fn the_terminal_type_is_the_clients() {
    let bench = bench::shared();
    let user = bench.user();
    let mut ssh = user.ssh(&["-tt"]);
    ssh.env("TERM", "screen-256color").arg("echo term:$TERM:");
    let (_, shown) = Terminal::open(&ssh, 24, 80).finish();
    assert!(shown.contains("term:screen-256color:"), "{shown:?}");
}

#[test]
fn the_terminals_modes_are_those_of_plain_sshd() {
    let bench = bench::shared();
    let modes = |user: &crate::bench::User<'_>| {
        let mut ssh = user.ssh(&["-tt"]);
        ssh.env("TERM", "xterm").arg("stty -g");
        Terminal::open(&ssh, 24, 80).finish().1.trim().to_owned()
    };
    assert_eq!(modes(&bench.user()), modes(&bench.plain()));
}

#[test]
fn text_beyond_ascii_survives_both_ways() {
    let bench = bench::shared();
    let user = bench.user();
    let mut terminal = user.terminal(Some("stty -echo; echo ready; read -r line; printf '<%s>' \"$line\""));
    terminal.wait_for("ready");
    terminal.send("grüße 日本語 🚀 \u{1b}[31m\n");
    terminal.wait_for("<grüße 日本語 🚀 \u{1b}[31m>");
    assert_eq!(terminal.finish().0, 0);
}

#[test]
fn a_backspace_takes_a_whole_character() {
    let bench = bench::shared();
    // IUTF8 is the client's to ask for; ssh passes on what its own terminal has.
    let typed = |user: &crate::bench::User<'_>| {
        let mut terminal = user.terminal(Some("echo ready; read -r line; printf '<%s>' \"$line\" | od -An -tx1"));
        terminal.wait_for("ready");
        terminal.send("aü\x7fb\n");
        terminal.wait_for("3c");
        terminal.finish().1.rsplit("3c").next().unwrap().trim().to_owned()
    };
    assert_eq!(typed(&bench.user()), typed(&bench.plain()));
}

#[test]
fn a_command_has_a_terminal_with_dash_t_and_none_without() {
    let bench = bench::shared();
    let user = bench.user();
    let (code, shown) = user.terminal(Some("tty; exit 4")).finish();
    assert_eq!((code, shown.contains("/dev/pts/")), (4, true), "{shown:?}");
    let without = user.run_with(&["-T"], "tty; test -z \"$SSH_TTY\" && echo nothing", b"");
    assert_eq!(without.success(), "not a tty\nnothing");
}

#[test]
fn a_shell_without_a_terminal_reads_commands_from_its_input() {
    let bench = bench::shared();
    let user = bench.user();
    let done = Finished::of(&mut user.ssh(&["-T"]), b"echo one\nshopt -q login_shell && echo login\nexit 9\n");
    assert_eq!((done.code, done.text().as_str()), (Some(9), "one\nlogin\n"), "{done:?}");
}

#[test]
fn exit_3_ends_with_3() {
    let bench = bench::shared();
    let user = bench.user();
    let terminal = user.shell();
    terminal.send("exit 3\n");
    assert_eq!(terminal.finish().0, 3);
    assert_eq!(user.run("exit 3").code, Some(3));
}

#[test]
fn a_terminals_last_output_is_complete() {
    let bench = bench::shared();
    let user = bench.user();
    // More than any buffer on the way holds, and the process is gone before most of it has been read.
    let (code, shown) = user.terminal(Some("seq 1 100000")).finish();
    let expected: String = (1..=100_000).map(|n| format!("{n}\r\n")).collect();
    assert_eq!(code, 0);
    // A busy machine's user reads first that the container is being made.
    assert!(shown.contains(&expected), "{} of {} bytes", shown.len(), expected.len());
}

#[test]
fn a_long_paste_arrives_whole() {
    let bench = bench::shared();
    let user = bench.user();
    let mut terminal = user.terminal(Some("stty -echo; echo ready; cat | sha256sum"));
    terminal.wait_for("ready");
    let lines: String = (0..4000).map(|n| format!("line {n} of what was pasted\n")).collect();
    terminal.send(&lines);
    terminal.send("\x04");
    let expected = Finished::of(&mut std::process::Command::new("sha256sum"), lines.as_bytes()).success();
    terminal.wait_for(&expected);
}
