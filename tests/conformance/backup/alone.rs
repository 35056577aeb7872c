//! What takes the bench host for itself.

use super::*;

#[test]
fn a_backup_is_made_whether_the_broker_is_up_down_or_was_killed() {
    let bench = bench::alone();
    bench.root(TIDY);
    let user = bench.user();
    user.run("true").success();
    let count = |path: &str| {
        bench.root(&format!("sqlite3 {path}/state.db 'select count(*) from sessions where user = \"{}\"'", user.name))
    };
    {
        let _down = Disturbance::of(&bench, STOP_BROKER, START_BROKER);
        assert_eq!(count(&bench.back_up("")), "1");
        // What only its owner could make is not made.
        assert_eq!(bench.root("ls -A /var/lib/podspawn | grep state | grep -v '[.]schema-'"), "state.db");
    }
    // A new index, in which a reader finds no place until the second change.
    let session = user.start(&[], "echo ready; exec sleep 1000");
    assert_eq!(count(&bench.back_up("")), "1");
    drop(session);
    assert_eq!(count(&bench.back_up("")), "1");
    // Masked, or systemd would have it back and end it politely.
    let kill = "systemctl --quiet mask --runtime podspawn-broker.service; \
        systemctl kill --signal=KILL podspawn-broker.service; systemctl stop podspawn-broker.socket podspawn-broker.service";
    let mend = "systemctl --quiet unmask --runtime podspawn-broker.service; systemctl reset-failed podspawn-broker.service; \
        systemctl start podspawn-broker.socket";
    {
        let _down = Disturbance::of(&bench, kill, mend);
        assert!(bench.root("ls -A /var/lib/podspawn").contains("state.db-wal"));
        assert_eq!(count(&bench.back_up("")), "1");
    }
    assert_eq!(user.run("echo back").success(), "back");
    bench.root(TIDY);
}

#[test]
fn the_unit_makes_backups_that_are_its_own_also_of_those_that_root_makes() {
    let bench = bench::alone();
    bench.root(TIDY);
    bench.root("podspawn backup; podspawn backup --keep 1; systemctl start podspawn-backup.service");
    assert_eq!(bench.root("systemctl show -P Result podspawn-backup.service"), "success");
    let owners = bench.root("find /var/backups/podspawn -mindepth 1 -printf '%u %m\\n' | sort -u");
    assert_eq!(owners, "podspawn-backup 600\npodspawn-backup 700");
    assert_eq!(bench.root("ls -A /var/backups/podspawn").lines().count(), 2);
    // And removes them in their turn.
    let report: Value = serde_json::from_str(&bench.root(&format!("{BACK_UP} --keep 1"))).unwrap();
    assert_eq!(report["pruned"].as_array().unwrap().len(), 2);
    let user = bench.user();
    let other = bench.bash(&["-u", &user.name], "podspawn backup --to /tmp/stolen; ls -A /tmp/stolen");
    assert_ne!(other.code, Some(0), "{other:?}");
    assert!(!other.text().contains('Z'), "{other:?}");
    bench.root(TIDY);
}

#[test]
fn an_altered_backup_is_refused_and_nothing_is_touched() {
    let bench = bench::alone();
    let user = bench.user();
    let _session = user.start(&[], "echo ready; exec sleep 1000");
    let path = bench.back_up("");
    bench.root("echo 'ssh-ed25519 mallory' >/etc/podspawn/keys/mallory");
    let live = || {
        bench.root(
            "find /etc/podspawn /var/lib/podspawn/state.db -printf '%p %i %s %m %u %g %T@\\n' | sort | sha256sum; \
             systemctl show -P MainPID podspawn-broker.service",
        )
    };
    let before = live();
    for (alteration, complaint) in [
        ("truncate --size -1 state.db", "state.db is not what the manifest says"),
        ("printf x | dd of=state.db bs=1 seek=5000 conv=notrunc status=none", "state.db is not what"),
        ("echo >>keys/$(ls keys | head -1)", "is not what the manifest says"),
        ("rm keys/$(ls keys | head -1)", "is missing"),
        ("rm -r users", "is missing"),
        ("echo 'ssh-ed25519 eve' >keys/eve", "keys/eve is not in the manifest"),
        ("mkdir homes", "homes is not in the manifest"),
        ("mv config.yaml /run/podspawn-test/elsewhere; ln -s /run/podspawn-test/elsewhere config.yaml", "config.yaml"),
        ("truncate --size 100 manifest.json", "manifest.json is not what manifest.sha256 says"),
        ("rm manifest.json", "manifest.json"),
        ("sed -i 's/\"0640\"/\"0666\"/' manifest.json", "manifest.json is not what"),
        // An attacker who alters a backup can alter the sum as well.
        (
            "sed -i 's|\"keys/[^\"]*\"|\"keys/../../../root/x\"|' manifest.json; sha256sum manifest.json >manifest.sha256",
            "does not stay in its place",
        ),
        (
            "sed -i 's|\"config.yaml\"|\"/etc/cron.d/x\"|' manifest.json; sha256sum manifest.json >manifest.sha256",
            "does not stay in its place",
        ),
        ("sed -i 's/\"format\": 1/\"format\": 2/' manifest.json; sha256sum manifest.json >manifest.sha256", "format 2"),
    ] {
        let copy = "/var/backups/podspawn/altered";
        bench.root(&format!("rm -rf {copy}; cp -a {path} {copy}; cd {copy}; {alteration}"));
        let refused = bench.restore(&format!("{copy} --force"));
        assert_eq!(refused.code, Some(1), "{alteration}: {refused:?}");
        let errors = refused.errors();
        assert!(errors.contains("is not a whole backup") && errors.contains(complaint), "{alteration}: {refused:?}");
        assert_eq!(live(), before, "{alteration}");
    }
    bench.root(TIDY);
}

#[test]
fn yesterdays_state_comes_back_under_running_containers() {
    let bench = bench::alone();
    bench.root(TIDY);
    let (stays, ended) = (bench.user(), bench.user());
    let mut session = stays.start(&[], "echo ready; exec sleep 1000");
    ended.run("true").success();
    let container = stays.container();
    let path = bench.back_up("");

    bench.root(&format!("podspawn stop {}", ended.name));
    eventually("it is gone", || ended.containers().is_empty());
    let later = bench.user();
    let unknown = later.start(&[], "echo ready; exec sleep 1000");
    bench.root("install -m 0640 -g podspawn-keys /dev/null /etc/podspawn/keys/mallory");

    let refused = bench.restore(&path);
    assert_eq!(refused.code, Some(1), "{refused:?}");
    assert!(refused.errors().contains("sessions (") && refused.errors().contains("--force"), "{refused:?}");
    let dry = bench.restore(&format!("{path} --dry-run")).success();
    for line in ["replace  /var/lib/podspawn/state.db", "remove   /etc/podspawn/keys/mallory", "needs --force"] {
        assert!(dry.contains(line), "{line}: {dry}");
    }
    assert_eq!((later.containers().len(), bench.root("ls /etc/podspawn/keys/mallory").is_empty()), (1, false));

    let done = bench.restore(&format!("{path} --force"));
    assert!(done.success().ends_with("restored"), "{done:?}");
    // A session that the backup does not know ends, with all its connections.
    let gone = unknown.finish();
    assert_eq!(gone.code, Some(255), "{gone:?}");
    eventually("its container is gone", || later.containers().is_empty());
    let networks = || bench.root(&format!("docker network ls -q --filter label=podspawn-user={}", later.name));
    eventually("its network is gone", || networks().is_empty());
    assert!(later.sessions().is_empty());
    // A row without a container goes.
    eventually("the row without container is gone", || ended.sessions().is_empty());
    // What both know has not noticed.
    assert!(!session.has_ended());
    assert_eq!((stays.container(), stays.connections()), (container, 1));
    for user in [&stays, &ended, &later] {
        assert_eq!(user.run("echo works").success(), "works");
    }
    assert_eq!(bench.root("ls -d /etc/podspawn/keys.before-restore-*/mallory | wc -l"), "1");
    let owners = bench.root(
        "stat -c '%a %U:%G' /etc/podspawn/keys /etc/podspawn/keys/$(ls /etc/podspawn/keys | head -1) /etc/podspawn/users \
         /var/lib/podspawn/state.db; ls /etc/podspawn/keys/mallory 2>&1 | grep -c 'No such'; \
         find /etc/podspawn /var/lib/podspawn -path /var/lib/podspawn/homes -prune -o -name '.*' -print -o -name 'restore.*' -print",
    );
    assert_eq!(owners, "750 root:podspawn-keys\n640 root:podspawn-keys\n755 root:root\n600 podspawn:podspawn\n1");
    assert_eq!(bench.restore(&format!("{path} --dry-run")).code, Some(0));
    bench.root(TIDY);
}

#[test]
fn a_damaged_state_is_replaced_with_force_which_allows_that_sessions_are_lost() {
    let bench = bench::alone();
    bench.root(TIDY);
    let user = bench.user();
    user.run("true").success();
    let path = bench.back_up("");
    // A state that is still damaged at the end would fail every test after this one.
    let damage = format!("{STOP_BROKER}; head -c 8192 /dev/urandom >/var/lib/podspawn/state.db; {START_BROKER}");
    let mend =
        format!("podspawn list >/dev/null || {{ {STOP_BROKER}; rm -f /var/lib/podspawn/state.db*; {START_BROKER}; }}");
    let _damaged = Disturbance::of(&bench, &damage, mend);
    let refused = user.run("true");
    assert_eq!(refused.code, Some(255), "{refused:?}");
    assert_ne!(bench.bash(&[], BACK_UP).code, Some(0), "a damaged state is no backup");
    assert_eq!(bench.root("ls -A /var/backups/podspawn | grep -cv partial"), "1");
    let unsure = bench.restore(&path);
    assert!(unsure.code == Some(1) && unsure.errors().contains("--force"), "{unsure:?}");
    bench.restore(&format!("{path} --force")).success();
    assert_eq!(user.run("echo works").success(), "works");
    assert_eq!(user.containers().len(), 1);
    bench.root(TIDY);
}

#[test]
fn homes_come_back_as_they_were() {
    let bench = bench::alone();
    bench.root(TIDY);
    let user = bench.user();
    let home = format!("/var/lib/podspawn/homes/{}", user.name);
    let made = format!(
        "install -d -m 0700 -o podspawn -g podspawn /var/lib/podspawn/homes; install -d -m 0700 -o 1000 -g 1000 {home} {home}/deep; \
         echo secret >{home}/deep/file; chmod 0600 {home}/deep/file; ln -s /etc/shadow {home}/link; mkfifo {home}/fifo; \
         touch -d @1000000000 {home}/deep/file; chown -h 1000:1000 {home}/deep/file {home}/link"
    );
    bench.root(&made);
    let state = || {
        bench.root(&format!(
            "cd {home}; find . ! -type p -printf '%p %y %m %U:%G %l\\n' | sort; cat deep/file; stat -c %Y deep/file"
        ))
    };
    let before = state();
    let path = bench.back_up("--homes");
    bench.root(&format!("rm -rf {home}; install -d -o 1000 -g 1000 {home}; touch {home}/newer"));
    bench.restore(&format!("{path} --force")).success();
    assert_eq!(state(), before);
    assert_eq!(bench.root(&format!("ls {home}.before-restore-*")), "newer");
    bench.root(&format!("{TIDY}; rm -rf {home}"));
}

#[test]
fn a_backup_that_is_killed_leaves_whole_ones_only() {
    let bench = bench::alone();
    let points: u32 = bench.steps(KILL_BACKUP, DEADLINE * 8).parse().unwrap();
    assert!(points >= 20, "{points}");
}

fn kill_restores(calls: &str) -> (u32, u32) {
    let bench = bench::alone();
    bench.root(TIDY);
    // Kept until it is stopped: a busy machine takes longer than a grace period.
    let user = bench.user_with("memory: 1g\nmode: named");
    user.run("true").success();
    let path = bench.back_up("");
    let container = user.container();
    let script = ["bash", "-euc", KILL_RESTORE, "-", &path, calls, &user.name];
    let printed = Process::start(bench.command(&[]).args(script)).finish_within(DEADLINE * 9);
    let printed = printed.success();
    let (points, pending) = printed.split_once(' ').unwrap();
    bench.restore(&format!("{path} --force")).success();
    assert_eq!(user.container(), container, "a container was lost");
    bench.root(TIDY);
    (points.parse().unwrap(), pending.parse().unwrap())
}

#[test]
fn a_restore_that_is_killed_while_it_renames_leaves_the_old_or_the_new() {
    let (points, pending) = kill_restores("renameat2 rename");
    assert!(points >= 8 && pending >= 5, "killed {points} times, {pending} of them half-way");
}

#[test]
fn a_restore_that_is_killed_while_it_writes_leaves_the_old_or_the_new() {
    let (points, pending) = kill_restores("fsync syncfs unlink mkdirat");
    assert!(points >= 10 && pending >= 3, "killed {points} times, {pending} of them half-way");
}

#[test]
fn a_restore_that_is_killed_while_it_copies_leaves_the_old_or_the_new() {
    let (points, _) = kill_restores("openat write fchown");
    assert!(points >= 15, "killed {points} times");
}
