//! sshd's configuration against podspawn: no `Match` block of others, and nothing global, gives a user anything of the
//! host.
//!
//! Every test takes the bench alone, since it changes the sshd that every login uses, and leaves it as it was.

use crate::{
    bench::{self, Bench, Disturbance, User},
    client::Finished,
    setup::{KEEP, MEND},
};
use std::{fs, process::Command};

/// For a moment after a reload, sshd listens nowhere.
const RELOAD: &str = "sshd -t && systemctl reload ssh || exit 1
for i in $(seq 100); do ssh-keyscan -T 1 127.0.0.1 >/dev/null 2>&1 && exit 0; sleep 0.1; done; exit 1";
const D: &str = "/etc/ssh/sshd_config.d";

/// What others may have configured: each wins over a block that is read behind it, for a user of podspawn's.
fn winners(user: &User<'_>) -> Vec<String> {
    let name = &user.name;
    // The client of this suite is in the bench's own network.
    let network = format!("{}.0.0.0/8", user.bench.address().split('.').next().unwrap());
    vec![
        format!("Match Address {network}\n    ForceCommand /bin/echo escaped"),
        "Match all\n    ForceCommand /bin/echo escaped".to_owned(),
        format!("Match User={name}\n    ForceCommand=/bin/echo escaped"),
        "\"Match\" LocalPort 22\n    \"ForceCommand\" /bin/echo escaped".to_owned(),
        format!("=match user {name}\n    =forcecommand /bin/echo escaped"),
        "Match Group pod*,!root\n    ChrootDirectory /var/empty".to_owned(),
        format!("Match User {name},plain\n    PubkeyAuthentication no"),
        "Match all\n    AllowTcpForwarding yes\n    AllowStreamLocalForwarding yes\n    PermitTunnel yes".to_owned(),
    ]
}

/// The user is in the container, and reaches nothing of the host.
#[track_caller]
fn assert_confined(user: &User<'_>, why: &str) {
    let inside = user.run("cat /proc/1/comm");
    assert_eq!((inside.code, inside.text().as_str()), (Some(0), "podspawn\n"), "{why}: {inside:?}");
    let forwarded = Finished::of(&mut user.ssh(&["-W", "127.0.0.1:22"]), b"");
    assert!(forwarded.errors().contains("administratively prohibited"), "{why}: {forwarded:?}");
    let tunnel = user.run_with(&["-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:22"], "echo open", b"");
    assert!(tunnel.text().is_empty() && tunnel.errors().contains("forwarding failed"), "{why}: {tunnel:?}");
}

fn put(bench: &Bench, file: &str, text: &str) {
    bench.root(&format!("cat >{D}/{file} <<'END'\n{text}\nEND\n{RELOAD}"));
}

#[test]
fn no_block_of_others_decides_for_a_user_whatever_its_file_is_called() {
    let bench = bench::alone();
    let user = bench.user();
    let _mend = Disturbance::of(&bench, KEEP, MEND);
    for block in winners(&user) {
        put(&bench, "10-others.conf", &block);
        assert_confined(&user, &block);
    }
    // Where theirs is read first, doctor says so, and server-setup puts podspawn's before it.
    bench.root(&format!("rm {D}/10-others.conf"));
    let all = winners(&user).join("\n");
    put(&bench, "00-others.conf", &all);
    let printed = bench.bash(&[], "podspawn doctor").text();
    for number in [1, 3, 7] {
        let line = format!("in {D}/00-others.conf:{number}, ");
        assert!(printed.contains(&line), "{line}: {printed}");
    }
    let done = bench.root("podspawn server-setup");
    assert!(done.contains("wrote /etc/ssh/podspawn.conf") && done.contains("reloaded ssh.service"), "{done}");
    assert_confined(&user, &all);
    let healed = bench.bash(&[], "podspawn doctor").text();
    assert!(!healed.contains("reads before podspawn's block"), "{healed}");
}

#[test]
fn nothing_global_decides_for_a_user() {
    let bench = bench::alone();
    let user = bench.user();
    let _mend = Disturbance::of(&bench, KEEP, MEND);
    for global in [
        "AuthenticationMethods publickey,keyboard-interactive\nKbdInteractiveAuthentication yes",
        "PubkeyAuthentication no",
        "ChrootDirectory /var/empty",
        "ForceCommand /bin/echo escaped",
        "AuthorizedKeysFile /etc/podspawn/keys/%u",
        "AllowTcpForwarding yes\nAllowStreamLocalForwarding yes\nPermitTunnel yes\nGatewayPorts yes",
        "AcceptEnv *",
    ] {
        put(&bench, "00-global.conf", global);
        assert_confined(&user, global);
    }
    // The last one: what a client sends reaches no program of the host.
    let sent = user.run_with(&["-o", "SetEnv=LD_PRELOAD=/nonexistent.so"], "env", b"");
    assert!(!sent.text().contains("LD_PRELOAD") && !sent.errors().contains("nonexistent"), "{sent:?}");
}

#[test]
fn a_certificate_of_an_authority_that_the_host_trusts_is_no_way_around_the_key_file() {
    let bench = bench::alone();
    let user = bench.user();
    let _mend = Disturbance::of(&bench, KEEP, MEND);
    let directory = tempfile::tempdir().unwrap();
    let at = |name: &str| directory.path().join(name).display().to_string();
    let keygen = |arguments: &[&str]| {
        Finished::of(Command::new("ssh-keygen").arg("-q").args(arguments), b"").success();
    };
    for key in ["ca", "key"] {
        keygen(&["-t", "ed25519", "-N", "", "-f", &at(key)]);
    }
    let principals = format!("{},plain", user.name);
    keygen(&["-s", &at("ca"), "-I", "stranger", "-n", &principals, &at("key.pub")]);
    let authority = fs::read_to_string(at("ca.pub")).unwrap();
    bench.root(&format!("echo '{authority}' >/etc/ssh/ca.pub"));
    put(&bench, "00-global.conf", "TrustedUserCAKeys /etc/ssh/ca.pub");
    // A client of the bench's with that key and its certificate, and no other.
    let own = bench.file("id_ed25519").display().to_string();
    let config = fs::read_to_string(bench.file("ssh_config")).unwrap().replace(&own, &at("key"));
    fs::write(at("config"), config).unwrap();
    let come = |user: &User<'_>| {
        let mut client = Command::new("ssh");
        client.args(["-F", &at("config"), &format!("{}@bench", user.name), "id -un"]).env("HOME", "/nonexistent");
        Finished::of(&mut client, b"")
    };
    // It is a way in for others, so that the refusal is podspawn's.
    assert_eq!(come(&bench.plain()).success(), "plain");
    let done = come(&user);
    assert!(done.code == Some(255) && done.errors().contains("Permission denied"), "{done:?}");
    assert!(user.sessions().is_empty());
}
