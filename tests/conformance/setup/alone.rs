//! What takes the bench host for itself.

use super::*;

#[test]
fn a_host_that_is_set_up_is_left_alone() {
    let bench = bench::alone();
    let _mend = Disturbance::of(&bench, KEEP, MEND);
    server_setup(&bench, "").success();
    let look = "stat -c '%n %i %y %a %U %G' /etc/ssh/sshd_config /etc/ssh/sshd_config.d/* /etc/podspawn /etc/podspawn/* \
                /var/lib/podspawn /var/log/podspawn /run/podspawn; systemctl show -p MainPID -p StateChangeTimestamp ssh";
    let before = bench.root(look);
    let done = server_setup(&bench, "");
    let printed = done.quiet_success();
    assert!(printed.contains("nothing to change"), "{printed}");
    assert!(!printed.contains("made ") && !printed.contains("wrote ") && !printed.contains("reloaded"), "{printed}");
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
    let printed = server_setup(&bench, "").success();
    for made in ["group podspawn-admin", "directory /var/empty", "directory /etc/podspawn/keys"] {
        assert!(printed.contains(&format!("made {made}")), "{made}: {printed}");
    }
    assert_eq!(bench.root("stat -c '%a %G' /etc/podspawn/keys"), "750 podspawn-keys");
    bench.root("systemctl restart podspawn-broker.socket || systemctl start podspawn-broker.socket");
}

#[test]
fn sshd_without_podspawn_and_with_it_again_while_users_are_connected() {
    let bench = bench::alone();
    let user = bench.user();
    let _mend = Disturbance::of(&bench, KEEP, MEND);
    let mut connected = user.start(&[], "echo ready; cat");
    let pid = sshd_pid(&bench);
    let before = files(&bench);
    let printed = server_setup(&bench, "--remove").success();
    assert!(
        printed.contains("removed /etc/ssh/sshd_config.d/00-podspawn.conf") && printed.contains("reloaded ssh"),
        "{printed}"
    );
    assert!(user.run("true").errors().contains("Permission denied"));
    assert_eq!(bench.plain().run("id -un").success(), "plain");
    let dry = server_setup(&bench, "--dry-run").success();
    assert!(dry.contains("\n+Match Group podspawn\n") && dry.contains("nothing was changed"), "{dry}");
    assert!(user.run("true").errors().contains("Permission denied"));
    server_setup(&bench, "").success();
    assert_all_get_in(&user);
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
    let printed = server_setup(&bench, "").success();
    assert!(printed.contains("wrote /etc/ssh/podspawn.conf\nwrote /etc/ssh/sshd_config\n"), "{printed}");
    assert_all_get_in(&user);
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
        (global("PubkeyAuthentication no"), &["no administrator could log in to this host"]),
        (global("AllowUsers root plain"), &["AllowUsers leaves out"]),
        (global("AllowGroups root"), &["AllowGroups leaves out", "add group podspawn"]),
        (global("DenyGroups podspawn"), &["DenyGroups leaves out"]),
        (global("DenyUsers t* a* b* c*"), &["DenyUsers leaves out"]),
        (global("AuthenticationMethods publickey,password"), &["no administrator could log in to this host"]),
        (global("MaxSessions 0"), &["MaxSessions 0"]),
        (block("Match all\\n    AcceptEnv LD_*\\n"), &["AcceptEnv LD_*", "change that block"]),
        (block("Match all\\n    AuthenticationMethods any\\n"), &["must appear alone", "it is the default"]),
        (global("PermitRootLogin no"), &["no administrator could log in to this host"]),
        ("rm /root/.ssh/authorized_keys".into(), &["no administrator could log in to this host", "emergency.keys"]),
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
            // After a reload or a reboot, logins work.
            bench.root("sshd -t && systemctl reload ssh");
            eventually("plain gets in", || bench.plain().run("true").code == Some(0));
            bench.root(&format!("[ ! -e /run/podspawn-test/journal ] || mv /run/podspawn-test/journal {journal}"));
            let printed = server_setup(&bench, "").success();
            assert_eq!(printed.contains("was interrupted"), half == "half", "{printed}");
            assert_eq!(files(&bench), new, "question {question}");
            assert_all_get_in(&user);
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
    assert_refused(&bench, "", &["systemctl reload ssh", "files were put back"]);
    assert_eq!(sshd_pid(&bench), pid);
    assert_eq!(bench.plain().run("id -un").success(), "plain");
}

#[test]
fn where_a_socket_starts_sshd_the_host_is_set_up_and_taken_down_and_keeps_its_connections() {
    let bench = bench::alone();
    let user = bench.user();
    let _mend = Disturbance::of(&bench, KEEP, MEND);
    let waits = "ssh.socket starts sshd for the next connection";
    let restarted = "restarted ssh.service, which ssh.socket had started";
    for (arrangement, is_started, reported) in
        [(String::new(), false, waits), (String::new(), true, restarted), (SOCKET_THAT_ACCEPTS.into(), true, waits)]
    {
        bench.root(&format!("rm -f /etc/ssh/sshd_config.d/00-podspawn.conf\n{arrangement}{SOCKET}"));
        // Its first connection starts it, and lasts.
        let mut connected = is_started.then(|| bench.plain().start(&[], "echo ready; cat"));
        let printed = server_setup(&bench, "").success();
        assert!(printed.contains("proved with sshd -T") && printed.contains(reported), "{printed}");
        // Nothing is made for a question but what sshd's own unit makes.
        let directory = bench.bash(&[], "test -e /run/sshd").code;
        assert_eq!(directory, Some(i32::from(!is_started)), "{arrangement}");
        assert_doctor_passes(&bench);
        assert_all_get_in(&user);
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
        let printed = server_setup(&bench, "--remove").success();
        assert!(printed.contains("removed /etc/ssh/sshd_config.d/00-podspawn.conf"), "{printed}");
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
    assert_refused(&bench, "", &["systemctl restart ssh.service", "files were put back"]);
    eventually("plain gets in", || bench.plain().run("id -un").code == Some(0));
}

#[test]
fn a_block_of_an_earlier_podspawn_moves_to_where_it_is_read_first() {
    let bench = bench::alone();
    let user = bench.user();
    let _mend = Disturbance::of(&bench, KEEP, MEND);
    let new = files(&bench);
    // As 0.1.0 wrote it, in a file that others sort before.
    let earlier = include_str!("50-podspawn.conf").replace("@bin@", "/usr/bin/podspawn");
    bench.root(&format!(
        "cd /etc/ssh/sshd_config.d && rm 00-podspawn.conf && cat >50-podspawn.conf <<'END'\n{earlier}END"
    ));
    let printed = server_setup(&bench, "").success();
    assert!(printed.contains("wrote /etc/ssh/sshd_config.d/00-podspawn.conf"), "{printed}");
    assert!(printed.contains("removed /etc/ssh/sshd_config.d/50-podspawn.conf"), "{printed}");
    assert_eq!(files(&bench), new);
    assert_all_get_in(&user);
}
