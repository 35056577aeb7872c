//! Several bench hosts of one checkout: which one a command is about, and where its files are.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::{
    path::Path,
    process::{Command, Output},
};

const VARIABLE: &str = "PODSPAWN_BENCH_HOST";

fn bench(arguments: &[&str], host: Option<&str>) -> Output {
    let mut command = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench"));
    command.args(arguments).env_remove(VARIABLE).envs(host.map(|host| (VARIABLE, host))).output().unwrap()
}

fn path(arguments: &[&str], host: Option<&str>) -> String {
    let done = bench(&[arguments, &["path"]].concat(), host);
    assert!(done.status.success(), "{done:?}");
    let path = String::from_utf8(done.stdout).unwrap();
    path.trim_end().strip_prefix(env!("CARGO_MANIFEST_DIR")).unwrap().to_owned()
}

#[test]
fn each_host_has_a_directory_of_its_own_and_the_option_is_before_the_variable() {
    assert_eq!(path(&[], None), "/target/bench");
    assert_eq!(path(&["--host", "podspawn-bench"], Some("other")), "/target/bench");
    assert_eq!(path(&[], Some("other")), "/target/bench/hosts/other");
    assert_eq!(path(&["--host", "one"], Some("other")), "/target/bench/hosts/one");
    assert_eq!(path(&["--host=one"], None), "/target/bench/hosts/one");
}

#[test]
fn a_name_that_is_no_host_s_is_refused() {
    for name in ["", "../x", "a/b", "-x", "a b"] {
        let done = bench(&["--host", name, "path"], None);
        assert_eq!(done.status.code(), Some(2), "{name:?}: {done:?}");
        assert!(done.stdout.is_empty(), "{done:?}");
    }
    assert_eq!(bench(&["--host"], None).status.code(), Some(2));
}
