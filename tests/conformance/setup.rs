//! `server-setup` on a host that is used: no user is locked out, whatever sshd's configuration says and whenever it ends.
//!
//! Every test takes the bench alone, since it changes the sshd that every login uses, and leaves it as it was.

mod alone;

use crate::{
    bench::{self, Bench, Disturbance, User, eventually},
    client::Finished,
};

/// Puts sshd's files back, and what else a test here changes.
pub(crate) const MEND: &str = r"
cd /run/podspawn-test
if systemctl --quiet is-active ssh.socket || [ -e /run/systemd/system/ssh.socket.d ]; then
    systemctl --quiet disable --now ssh.socket
    rm -rf /run/systemd/system/ssh.socket.d /run/systemd/system/ssh@.service
    systemctl daemon-reload
    systemctl stop ssh.service
    systemctl --quiet enable --now ssh.service
fi
if [ -d ssh ]; then
    rm -rf /etc/ssh && cp -a ssh /etc/ssh && rm -rf ssh
fi
rm -rf /nix /run/podspawn-test/fail /root/.ssh/authorized_keys /run/systemd/system/ssh.service.d /run/podspawn-test/wrapper /run/podspawn-test/count
systemctl daemon-reload
sshd -t && systemctl reload-or-restart ssh
for i in $(seq 100); do ssh-keyscan -T 1 127.0.0.1 >/dev/null 2>&1 && exit 0; sleep 0.1; done; exit 1
";

/// Keeps sshd's files, and gives root a key: the way in that is not podspawn's.
pub(crate) const KEEP: &str = r"
mkdir -p /run/podspawn-test && rm -rf /run/podspawn-test/ssh && cp -a /etc/ssh /run/podspawn-test/ssh
install -d -m 0700 /root/.ssh
cp /etc/podspawn/keys/alice /root/.ssh/authorized_keys && chmod 0600 /root/.ssh/authorized_keys
";

const WITHOUT_INCLUDE: &str =
    "sed -i '/^Include/d' /etc/ssh/sshd_config && rm -f /etc/ssh/sshd_config.d/00-podspawn.conf";

/// Has ssh.socket start sshd, as Ubuntu does: one that serves all connections, which the first one starts.
const SOCKET: &str = r"
systemctl --quiet disable --now ssh.socket ssh.service
systemctl --quiet enable --now ssh.socket
rm -rf /run/sshd
";

/// Has ssh.socket start one sshd for each connection.
const SOCKET_THAT_ACCEPTS: &str = r"
mkdir -p /run/systemd/system/ssh.socket.d
printf '[Socket]\nAccept=yes\n' >/run/systemd/system/ssh.socket.d/accept.conf
cat >/run/systemd/system/ssh@.service <<'END'
[Service]
ExecStart=-/usr/sbin/sshd -i
StandardInput=socket
KillMode=process
RuntimeDirectory=sshd
RuntimeDirectoryPreserve=yes
END
systemctl daemon-reload
";

/// Every file of sshd's with owner, mode and content; not the times.
fn files(bench: &Bench) -> String {
    bench.root("cd /etc/ssh && find . -type f -o -type l | sort | xargs -d '\\n' -I@ sh -c 'stat -c \"%n %U %a\" @; sha256sum @'")
}

fn server_setup(bench: &Bench, options: &str) -> Finished {
    bench.bash(&[], &format!("podspawn server-setup {options}"))
}

/// Refused with these words, and not one byte is otherwise.
#[track_caller]
fn assert_refused(bench: &Bench, options: &str, words: &[&str]) {
    let before = files(bench);
    let done = server_setup(bench, options);
    assert_eq!(done.code, Some(1), "{done:?}");
    for word in words {
        assert!(done.errors().contains(word), "{word}: {done:?}");
    }
    assert_eq!(files(bench), before, "{done:?}");
}

fn sshd_pid(bench: &Bench) -> String {
    bench.root("systemctl show --value -p MainPID ssh")
}

#[track_caller]
fn assert_all_get_in(user: &User<'_>) {
    let plain = user.bench.plain();
    assert_eq!(plain.run("id -un").success(), "plain");
    assert_eq!(user.run("cat /proc/1/comm").success(), "podspawn");
}

/// A program in the place of sshd that does something at the n-th question.
fn wrapper(bench: &Bench, script: &str) {
    bench.root(&format!(
        "rm -f /run/podspawn-test/count; cat >/run/podspawn-test/wrapper <<'END'\n#!/bin/sh\n\
         echo >>/run/podspawn-test/count\nn=$(wc -l </run/podspawn-test/count)\n{script}\nexec /usr/sbin/sshd \"$@\"\nEND\n\
         chmod 0755 /run/podspawn-test/wrapper"
    ));
}

/// What doctor says of sshd, each check with its outcome and its remedy.
fn doctors_words(bench: &Bench) -> Vec<(String, String, String)> {
    let json = bench.bash(&[], "podspawn doctor --json").text();
    let json: serde_json::Value = serde_json::from_str(&json).unwrap();
    let text = |check: &serde_json::Value, name: &str| check[name].as_str().unwrap().to_owned();
    let checks = json["checks"].as_array().unwrap().iter();
    let ours = checks.filter(|check| text(check, "check").starts_with("sshd-"));
    ours.map(|check| (text(check, "check"), text(check, "outcome"), text(check, "remedy"))).collect()
}

#[track_caller]
fn assert_doctor_passes(bench: &Bench) {
    let words = doctors_words(bench);
    assert!(words.len() > 4 && words.iter().all(|(_, outcome, _)| outcome == "pass"), "{words:?}");
}

#[test]
fn only_root_sets_a_host_up() {
    let bench = bench::shared();
    for verb in ["server-setup", "add-user x", "remove-user x", "list-users"] {
        let done = bench.bash(&["-u", "plain"], &format!("podspawn {verb}"));
        assert_eq!(done.code, Some(1));
        assert!(done.errors().contains("is for root: sudo podspawn"), "{done:?}");
    }
}
