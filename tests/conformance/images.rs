//! Images that have little: no bash, no sftp-server, no C library, no shell.

use crate::bench;

const ALPINE_LIKE: &str = "image: \"podspawn-alpine-like:latest\"";
const SCRATCH: &str = "image: \"podspawn-scratch:latest\"";

#[test]
fn an_alpine_like_image_has_shell_and_commands() {
    let bench = bench::shared();
    let user = bench.user_with(ALPINE_LIKE);
    let name = &user.name;
    let printed = user.run("echo $SHELL; id -un; id -u; pwd; cat").success();
    assert_eq!(printed, format!("/bin/sh\n{name}\n{}\n/home/{name}", user.uid()));
    assert_eq!(user.run("exit 3").code, Some(3));
    let terminal = user.terminal(None);
    terminal.send("tty; stty size; exit 5\n");
    let (code, shown) = terminal.finish();
    assert!(code == 5 && shown.contains("/dev/pts/") && shown.contains("24 80"), "{code} {shown:?}");
}

#[test]
fn an_image_that_is_one_binary_runs_what_it_has() {
    let bench = bench::shared();
    let user = bench.user_with(SCRATCH);
    assert_eq!(user.run("/busybox echo hi").success(), "hi");
    assert_eq!(user.run_with(&[], "/busybox wc -c", b"12345").success(), "5");
    assert_eq!(user.run("/nothing").code, Some(127));
}

#[test]
fn an_image_without_a_shell_says_so_to_a_login_that_wants_one() {
    let bench = bench::shared();
    let user = bench.user_with(SCRATCH);
    let (code, shown) = user.terminal(None).finish();
    assert_ne!(code, 0, "{shown:?}");
    assert!(shown.contains("shell"), "{shown:?}");
}

#[test]
fn the_login_user_is_no_root_and_has_no_way_to_become_it() {
    let bench = bench::shared();
    for overrides in ["", ALPINE_LIKE, SCRATCH].map(|image| format!("{image}\ncpus: 1.0")) {
        let user = bench.user_with(&overrides);
        let program = if overrides.contains("scratch") { "/busybox " } else { "" };
        assert_eq!(user.run(format!("{program}id -u")).success(), user.uid().to_string());
        let status = user.run(format!("{program}cat /proc/self/status")).success();
        for line in status.lines().filter(|line| line.starts_with("CapEff") || line.starts_with("CapPrm")) {
            assert!(line.ends_with("0000000000000000"), "{line}");
        }
        assert!(status.lines().any(|line| line.split_whitespace().eq(["NoNewPrivs:", "1"])), "{status}");
        assert!(status.lines().any(|line| line.split_whitespace().eq(["Seccomp:", "2"])), "{status}");
    }
}
