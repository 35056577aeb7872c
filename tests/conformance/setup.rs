//! `server-setup` on a host that is used: nobody is locked out, whatever sshd's configuration says and whenever it ends.
//!
//! Every test takes the bench alone, since it changes what everybody logs in through, and leaves it as it was.

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
fn assert_everybody_gets_in(user: &User<'_>) {
    let plain = user.bench.plain();
    assert_eq!(plain.run("id -un").success(), "plain");
    assert_eq!(user.run("cat /proc/1/comm").success(), "podspawn");
}

#[test]
fn a_host_that_is_set_up_is_left_alone() {
    let bench = bench::alone();
    let _mend = Disturbance::of(&bench, KEEP, MEND);
    server_setup(&bench, "").success();
    let look = "stat -c '%n %i %y %a %U %G' /etc/ssh/sshd_config /etc/ssh/sshd_config.d/* /etc/podspawn /etc/podspawn/* \
                /var/lib/podspawn /var/log/podspawn /run/podspawn; systemctl show -p MainPID -p StateChangeTimestamp ssh";
    let before = bench.root(look);
    let done = server_setup(&bench, "");
    let told = done.quiet_success();
    assert!(told.contains("nothing to change"), "{told}");
    assert!(!told.contains("made ") && !told.contains("wrote ") && !told.contains("reloaded"), "{told}");
    assert_eq!(bench.root(look), before);
}

#[test]
fn what_is_missing_is_made_with_the_modes_it_should_have() {
    let bench = bench::alone();
    let _mend = Disturbance::of(&bench, KEEP, MEND);
    bench.root("rmdir /var/empty; chmod 0777 /etc/podspawn/keys; groupdel podspawn-admin");
    let dry = server_setup(&bench, "--dry-run").success();
    assert!(dry.contains("would make group podspawn-admin"), "{dry}");
    assert_eq!(bench.root("stat -c %a /etc/podspawn/keys"), "777");
    let told = server_setup(&bench, "").success();
    for made in ["group podspawn-admin", "directory /var/empty", "directory /etc/podspawn/keys"] {
        assert!(told.contains(&format!("made {made}")), "{made}: {told}");
    }
    assert_eq!(bench.root("stat -c '%a %G' /etc/podspawn/keys"), "750 podspawn-keys");
    bench.root("systemctl restart podspawn-broker.socket || systemctl start podspawn-broker.socket");
}

#[test]
fn sshd_without_podspawn_and_with_it_again_while_people_are_connected() {
    let bench = bench::alone();
    let user = bench.user();
    let _mend = Disturbance::of(&bench, KEEP, MEND);
    let mut connected = user.start(&[], "echo ready; cat");
    let pid = sshd_pid(&bench);
    let before = files(&bench);
    let told = server_setup(&bench, "--remove").success();
    assert!(
        told.contains("removed /etc/ssh/sshd_config.d/00-podspawn.conf") && told.contains("reloaded ssh"),
        "{told}"
    );
    assert!(user.run("true").errors().contains("Permission denied"));
    assert_eq!(bench.plain().run("id -un").success(), "plain");
    let dry = server_setup(&bench, "--dry-run").success();
    assert!(dry.contains("\n+Match Group podspawn\n") && dry.contains("nothing was changed"), "{dry}");
    assert!(user.run("true").errors().contains("Permission denied"));
    server_setup(&bench, "").success();
    assert_everybody_gets_in(&user);
    assert_eq!(files(&bench), before);
    // The same sshd all along, and a connection that never noticed.
    assert_eq!(sshd_pid(&bench), pid);
    connected.send(b"still".to_vec());
    assert_eq!(connected.finish().code, Some(0));
}

#[test]
fn where_no_include_is_reached_the_first_line_includes_the_block() {
    let bench = bench::alone();
    let user = bench.user();
    let _mend = Disturbance::of(&bench, KEEP, MEND);
    bench.root(WITHOUT_INCLUDE);
    let before = files(&bench);
    let told = server_setup(&bench, "").success();
    assert!(told.contains("wrote /etc/ssh/podspawn.conf\nwrote /etc/ssh/sshd_config\n"), "{told}");
    assert_everybody_gets_in(&user);
    let head = bench.root("head -n 3 /etc/ssh/sshd_config | tail -n 2");
    assert_eq!(head, "Include \"/etc/ssh/podspawn.conf\"\n# END podspawn");
    assert!(server_setup(&bench, "").success().contains("nothing to change"));
    server_setup(&bench, "--remove").success();
    assert_eq!(files(&bench), before);
}

#[test]
fn every_kind_of_sabotage_is_named_and_no_byte_changes() {
    let bench = bench::alone();
    let _mend = Disturbance::of(&bench, KEEP, MEND);
    let main = "/etc/ssh/sshd_config";
    let first = "/etc/ssh/sshd_config.d/00-afirst.conf";
    let global = |line: &str| format!("sed -i '1i {line}' {main}");
    let block = |text: &str| format!("printf '{text}' >{first}");
    let kinds: Vec<(String, &[&str])> = vec![
        (global("PermitRotLogin yes"), &["PermitRotLogin", "before any change"]),
        (global("Port seventy"), &["before any change"]),
        (block("AllowTcpForwarding perhaps\\n"), &["00-afirst.conf", "before any change"]),
        (format!("printf 'Match User x\\n    Port 23\\n' >>{main}"), &["not allowed within a Match block"]),
        (global("PubkeyAuthentication no"), &["nobody could administer this host"]),
        (global("AllowUsers root plain"), &["AllowUsers leaves out"]),
        (global("AllowGroups root"), &["AllowGroups leaves out", "add group podspawn"]),
        (global("DenyGroups podspawn"), &["DenyGroups leaves out"]),
        (global("DenyUsers t* a* b* c*"), &["DenyUsers leaves out"]),
        (global("AuthenticationMethods publickey,password"), &["nobody could administer this host"]),
        (global("MaxSessions 0"), &["MaxSessions 0"]),
        (block("Match all\\n    AcceptEnv LD_*\\n"), &["AcceptEnv LD_*", "change that block"]),
        (block("Match all\\n    AuthenticationMethods any\\n"), &["must appear alone", "it is the default"]),
        (global("PermitRootLogin no"), &["nobody could administer this host"]),
        ("rm /root/.ssh/authorized_keys".into(), &["nobody could administer this host", "emergency.keys"]),
        ("echo '# mine' >/etc/ssh/sshd_config.d/00-podspawn.conf".into(), &["00-podspawn.conf exists", "mv "]),
        (format!("{WITHOUT_INCLUDE}; echo '# BEGIN podspawn' >>{main}"), &["do not belong together"]),
        (
            format!("mkdir -p /nix/store/x && mv {main} /nix/store/x/ && ln -s /nix/store/x/sshd_config {main}"),
            &["made by NixOS", "services.podspawn.enable = true"],
        ),
    ];
    for (sabotage, words) in kinds {
        bench.root(&format!(
            "rm -rf /etc/ssh /nix && cp -a /run/podspawn-test/ssh /etc/ssh && rm /etc/ssh/sshd_config.d/00-podspawn.conf\n\
             cp /etc/podspawn/keys/alice /root/.ssh/authorized_keys\n{sabotage}"
        ));
        assert_refused(&bench, "", words);
    }
    // sshd itself never read any of it.
    assert_eq!(bench.plain().run("id -un").success(), "plain");
}

/// A program in the place of sshd that does something at the n-th question.
fn wrapper(bench: &Bench, script: &str) {
    bench.root(&format!(
        "rm -f /run/podspawn-test/count; cat >/run/podspawn-test/wrapper <<'END'\n#!/bin/sh\n\
         echo >>/run/podspawn-test/count\nn=$(wc -l </run/podspawn-test/count)\n{script}\nexec /usr/sbin/sshd \"$@\"\nEND\n\
         chmod 0755 /run/podspawn-test/wrapper"
    ));
}

#[test]
fn a_run_that_is_killed_at_any_question_leaves_an_sshd_that_works_and_the_next_completes_it() {
    let bench = bench::alone();
    let user = bench.user();
    let _mend = Disturbance::of(&bench, KEEP, MEND);
    for (prepare, is_first) in [("rm -f /etc/ssh/sshd_config.d/00-podspawn.conf", true), (WITHOUT_INCLUDE, false)] {
        bench.root(prepare);
        let old = files(&bench);
        wrapper(&bench, "");
        server_setup(&bench, "--dry-run --sshd /run/podspawn-test/wrapper").success();
        let asked: usize = bench.root("wc -l </run/podspawn-test/count").trim().parse().unwrap();
        server_setup(&bench, "").success();
        let new = files(&bench);
        server_setup(&bench, "--remove").success();
        assert_eq!(files(&bench), old);
        // Before a file is touched, the last time before, and each kind of question behind it.
        let questions = if is_first { vec![2, asked, asked + 1, asked + 2] } else { vec![asked + 1] };
        for question in questions {
            wrapper(&bench, &format!("[ \"$n\" != {question} ] || kill -KILL $PPID"));
            let done = server_setup(&bench, "--sshd /run/podspawn-test/wrapper");
            assert_ne!(done.code, Some(0), "question {question} of {asked}: {done:?}");
            let journal = "/etc/ssh/.podspawn-setup.journal";
            let half = bench.root(&format!("test -e {journal} && echo half || true"));
            assert_eq!(half == "half", question > asked, "question {question} of {asked}");
            bench.root(&format!("[ ! -e {journal} ] || cp -a {journal} /run/podspawn-test/journal; rm -f {journal}"));
            let found = files(&bench);
            assert!(found == old || found == new, "question {question}: {found}");
            // Whoever reloads or reboots now gets in.
            bench.root("sshd -t && systemctl reload ssh");
            eventually("plain gets in", || bench.plain().run("true").code == Some(0));
            bench.root(&format!("[ ! -e /run/podspawn-test/journal ] || mv /run/podspawn-test/journal {journal}"));
            let told = server_setup(&bench, "").success();
            assert_eq!(told.contains("was interrupted"), half == "half", "{told}");
            assert_eq!(files(&bench), new, "question {question}");
            assert_everybody_gets_in(&user);
            server_setup(&bench, "--remove").success();
            assert_eq!(files(&bench), old);
        }
    }
}

#[test]
fn a_reload_that_fails_puts_everything_back() {
    let bench = bench::alone();
    let _mend = Disturbance::of(&bench, KEEP, MEND);
    bench.root(
        "rm /etc/ssh/sshd_config.d/00-podspawn.conf; mkdir -p /run/systemd/system/ssh.service.d\n\
         printf '[Service]\\nExecReload=\\nExecReload=/bin/false\\n' >/run/systemd/system/ssh.service.d/fail.conf\n\
         systemctl daemon-reload",
    );
    let pid = sshd_pid(&bench);
    assert_refused(&bench, "", &["systemctl reload ssh", "files are as they were"]);
    assert_eq!(sshd_pid(&bench), pid);
    assert_eq!(bench.plain().run("id -un").success(), "plain");
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
fn where_a_socket_starts_sshd_the_host_is_set_up_and_taken_down_and_keeps_its_connections() {
    let bench = bench::alone();
    let user = bench.user();
    let _mend = Disturbance::of(&bench, KEEP, MEND);
    let waits = "ssh.socket starts sshd for the next connection";
    let restarted = "restarted ssh.service, which ssh.socket had started";
    for (arrangement, is_started, told_of) in
        [(String::new(), false, waits), (String::new(), true, restarted), (SOCKET_THAT_ACCEPTS.into(), true, waits)]
    {
        bench.root(&format!("rm -f /etc/ssh/sshd_config.d/00-podspawn.conf\n{arrangement}{SOCKET}"));
        // Its first connection starts it, and lasts.
        let mut connected = is_started.then(|| bench.plain().start(&[], "echo ready; cat"));
        let told = server_setup(&bench, "").success();
        assert!(told.contains("proved with sshd -T") && told.contains(told_of), "{told}");
        // Nothing is made for a question but what sshd's own unit makes.
        let directory = bench.bash(&[], "test -e /run/sshd").code;
        assert_eq!(directory, Some(i32::from(!is_started)), "{arrangement}");
        assert_doctor_passes(&bench);
        assert_everybody_gets_in(&user);
        assert!(server_setup(&bench, "").success().contains("nothing to change"));
        assert_doctor_passes(&bench);
        // What changes is read, by doctor's own remedy where one is needed.
        bench.root("sleep 0.1; touch /etc/ssh/sshd_config");
        for (check, outcome, remedy) in doctors_words(&bench) {
            assert!(outcome == "pass" || check == "sshd-reload", "{check}: {remedy}");
            if outcome != "pass" {
                bench.root(&remedy);
            }
        }
        assert_doctor_passes(&bench);
        let told = server_setup(&bench, "--remove").success();
        assert!(told.contains("removed /etc/ssh/sshd_config.d/00-podspawn.conf"), "{told}");
        assert!(user.run("true").errors().contains("Permission denied"));
        assert_eq!(bench.plain().run("id -un").success(), "plain");
        if let Some(mut connected) = connected.take() {
            connected.send(b"still".to_vec());
            assert_eq!(connected.finish().code, Some(0));
        }
    }
}

#[test]
fn a_restart_that_fails_puts_everything_back_where_a_socket_starts_sshd() {
    let bench = bench::alone();
    let _mend = Disturbance::of(&bench, KEEP, MEND);
    bench.root(&format!(
        "rm -f /etc/ssh/sshd_config.d/00-podspawn.conf\n{SOCKET}\nmkdir -p /run/systemd/system/ssh.service.d\n\
         printf '[Service]\\nExecStartPre=/bin/sh -c \"! rm /run/podspawn-test/fail\"\\n' \
         >/run/systemd/system/ssh.service.d/fail.conf; systemctl daemon-reload"
    ));
    assert_eq!(bench.plain().run("id -un").success(), "plain");
    bench.root("touch /run/podspawn-test/fail");
    assert_refused(&bench, "", &["systemctl restart ssh.service", "files are as they were"]);
    eventually("plain gets in", || bench.plain().run("id -un").code == Some(0));
}

#[test]
fn a_block_of_an_earlier_podspawn_moves_to_where_it_is_read_first() {
    let bench = bench::alone();
    let user = bench.user();
    let _mend = Disturbance::of(&bench, KEEP, MEND);
    let new = files(&bench);
    // As 0.1.0 wrote it, in a file that others sort before.
    let earlier = include_str!("setup/50-podspawn.conf").replace("@bin@", "/usr/bin/podspawn");
    bench.root(&format!(
        "cd /etc/ssh/sshd_config.d && rm 00-podspawn.conf && cat >50-podspawn.conf <<'END'\n{earlier}END"
    ));
    let told = server_setup(&bench, "").success();
    assert!(told.contains("wrote /etc/ssh/sshd_config.d/00-podspawn.conf"), "{told}");
    assert!(told.contains("removed /etc/ssh/sshd_config.d/50-podspawn.conf"), "{told}");
    assert_eq!(files(&bench), new);
    assert_everybody_gets_in(&user);
}

#[test]
fn nobody_but_root_sets_a_host_up() {
    let bench = bench::shared();
    for verb in ["server-setup", "add-user x", "remove-user x", "list-users"] {
        let done = bench.bash(&["-u", "plain"], &format!("podspawn {verb}"));
        assert_eq!(done.code, Some(1));
        assert!(done.errors().contains("is for root: sudo podspawn"), "{done:?}");
    }
}
