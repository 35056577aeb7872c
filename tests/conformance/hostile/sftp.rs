//! SFTP in an image that has no server: podspawn's own, asked for what it must refuse.

use crate::bench;

/// An image without OpenSSH's sftp-server.
const IMAGE: &str = "image: \"podspawn-alpine-like:latest\"";

#[test]
fn an_attribute_that_cannot_be_set_fails_at_the_client() {
    let bench = bench::shared();
    let user = bench.user_with(IMAGE);
    let here = tempfile::tempdir().unwrap();
    user.run("echo x >mine").quiet_success();
    for request in ["chmod 600 /nope", "chown 0 mine", "chgrp 0 mine", "chmod 777 /etc/passwd", "chmod 600 mine/x"] {
        let done = user.sftp(here.path(), &format!("{request}\n"));
        assert_eq!(done.code, Some(1), "{request}: {done:?}");
    }
    user.sftp(here.path(), "chmod 600 mine\n").quiet_success();
    assert_eq!(user.run("stat -c %a mine").success(), "600");
}

#[test]
fn no_output_shows_an_error_as_rust_does() {
    let bench = bench::shared();
    let user = bench.user_with(IMAGE);
    let here = tempfile::tempdir().unwrap();
    let batch =
        "-mkdir /etc\n-rmdir /etc\n-rename /etc /proc\n-get /nope\n-put /dev/null /proc/x\n-ln /nope /etc\n-ls /nope\n";
    let done = user.sftp(here.path(), batch);
    assert!(done.errors().contains("No such file"), "{done:?}");
    let mut said = vec![done.errors(), done.text()];
    let host = "podspawn status --socket /nope; podspawn list --socket /nope; podspawn check-config /nope; \
                podspawn backup --to /proc/x; podspawn restore /nope; \
                podspawn doctor; true";
    said.push(bench.root(&format!("({host}) 2>&1")));
    said.push(bench.root("journalctl --no-pager --output=cat SYSLOG_IDENTIFIER=podspawn"));
    for text in said {
        let line = text.lines().find(|line| line.contains("(os error "));
        assert_eq!(line, None);
    }
}
