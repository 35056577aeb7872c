//! Nothing of a podspawn user runs on the host but sshd's forced command: no start-up file of a shell, no user manager,
//! no job, whichever administrator put the account into the group.

mod alone;

use crate::{
    bench::{self, Bench, Disturbance, eventually},
    client::Finished,
};

/// An account of the host with everything by which an account can run something there at a login.
struct Trap<'a> {
    bench: &'a Bench,
    name: &'static str,
}

impl<'a> Trap<'a> {
    fn set(bench: &'a Bench, name: &'static str) -> Self {
        let trap = Self { bench, name };
        trap.clean();
        let key = std::fs::read_to_string(bench.file("id_ed25519.pub")).unwrap();
        bench.root(&format!(
            r#"
useradd --no-log-init --create-home --shell /bin/bash --password '$y$j9T$aaaaaaaaaaaaaaaa' {name}
cd /home/{name}; umask 077
for file in .bashrc .bash_profile .profile .bash_login .zshenv .ssh/rc .shrc; do
    mkdir -p "$(dirname $file)"; echo "touch /tmp/escaped-{name}-\$(basename $file)" >$file
done
mkdir -p .config/systemd/user/default.target.wants
printf '[Service]\nExecStart=/bin/sh -c "touch /tmp/escaped-{name}-unit; exec sleep 1000"\n' >.config/systemd/user/trap.service
ln -s ../trap.service .config/systemd/user/default.target.wants/trap.service
echo '{key}' >.ssh/authorized_keys
chown -R {name}: .
"#,
            key = key.trim()
        ));
        trap
    }

    fn clean(&self) {
        let name = self.name;
        self.bench.bash(
            &[],
            &format!(
                "podspawn remove-user --force --purge {name}; loginctl disable-linger {name}; loginctl terminate-user {name}; \
                 pkill -KILL -u {name} sshd; sleep 0.3; crontab -u {name} -r; rm -f /var/spool/cron/crontabs/{name}; \
                 userdel -f {name}; rm -rf /home/{name} /etc/podspawn/keys/{name} /tmp/escaped-{name}-*"
            ),
        );
    }

    fn add(&self, options: &str) -> Finished {
        let key = std::fs::read_to_string(self.bench.file("id_ed25519.pub")).unwrap();
        self.bench.bash(&[], &format!("podspawn add-user {} {options} --key '{}'", self.name, key.trim()))
    }

    fn run(&self, command: &str) -> Finished {
        Finished::of(self.bench.plain().ssh(&["-l", self.name]).arg(command), b"")
    }

    /// The keys that sshd gets for it, without a login: many logins that fail would make it refuse connections (`PerSourcePenalties`).
    fn keys(&self) -> String {
        self.bench.bash(&["-u", "podspawn-keys"], &format!("podspawn auth-keys {} 2>/dev/null", self.name)).text()
    }

    /// What of it ran on the host.
    fn escaped(&self) -> String {
        self.bench.root(&format!("cd /tmp; ls -d escaped-{}-* 2>/dev/null || true", self.name))
    }

    /// Processes of it on the host that are no connection.
    fn processes(&self) -> String {
        let list = format!("ps -o comm= -u {} | grep -v -e sshd -e podspawn || true", self.name);
        self.bench.root(&list)
    }

    fn field(&self, number: u8) -> String {
        self.bench.root(&format!("getent passwd {} | cut -d: -f{number}", self.name))
    }
}

impl Drop for Trap<'_> {
    fn drop(&mut self) {
        self.clean();
    }
}

#[test]
fn an_account_that_was_converted_runs_nothing_on_the_host() {
    let bench = bench::shared();
    let trap = Trap::set(&bench, "mallory");
    trap.add("--existing").success();
    assert_eq!(trap.run("cat /proc/1/comm; id -un").success(), "podspawn\nmallory");
    let mut connected = bench.plain().start(&["-l", trap.name], "echo ready; sleep 600");
    eventually("the connection is there", || bench.bash(&[], "pgrep -u mallory podspawn").code == Some(0));
    assert_eq!((trap.escaped(), trap.processes()), (String::new(), String::new()));
    assert_eq!((trap.field(6), trap.field(7)), ("/var/empty".into(), "/bin/sh".into()));
    connected.kill();

    bench.root("podspawn remove-user mallory --force");
    assert_eq!((trap.field(6), trap.field(7)), ("/home/mallory".into(), "/bin/bash".into()));
    assert_eq!(bench.root("getent shadow mallory | cut -d: -f2"), "$y$j9T$aaaaaaaaaaaaaaaa");
    // The traps work: as an account of the host it steps into them.
    trap.run("true").success();
    eventually("its start-up file has run", || trap.escaped().contains(".bashrc"));
}

#[test]
fn a_podspawn_user_has_no_user_manager_and_other_accounts_have_theirs() {
    let bench = bench::shared();
    let user = bench.user();
    let mut connected = user.start(&[], "echo ready; sleep 600");
    eventually("it is connected", || user.connections() == 1);
    assert_eq!(bench.root(&format!("ps -o comm= -u {} | grep -v -e sshd -e podspawn || true", user.name)), "");
    let plain = bench.plain();
    let mut ordinary = plain.start(&[], "echo ready; sleep 600");
    eventually("an ordinary account has one", || bench.bash(&[], "pgrep -u plain -x systemd").code == Some(0));
    // Not started by hand either, and no failure that would alert an administrator.
    let name = &user.name;
    bench.root(&format!(
        "systemctl start user@$(id -u {name}).service; ! systemctl is-failed user@$(id -u {name}).service"
    ));
    assert_eq!(bench.bash(&[], &format!("pgrep -u {name} -x systemd")).code, Some(1));
    connected.kill();
    ordinary.kill();
}

#[test]
fn an_account_that_joined_the_group_by_hand_gets_no_key_and_is_named() {
    let bench = bench::shared();
    let trap = Trap::set(&bench, "joiner");
    bench.root(
        "usermod --append --groups podspawn joiner; cat ~joiner/.ssh/authorized_keys >/etc/podspawn/keys/joiner
         chgrp podspawn-keys /etc/podspawn/keys/joiner; chmod 0640 /etc/podspawn/keys/joiner",
    );
    assert!(trap.run("true").errors().contains("Permission denied"));
    assert_eq!(trap.escaped(), "");
    let done = bench.bash(&["-u", "podspawn-keys"], "podspawn auth-keys joiner");
    assert_eq!((done.code, done.text().as_str()), (Some(0), ""));
    assert!(done.errors().contains("joiner has the home /home/joiner, which is not /var/empty"), "{done:?}");
    assert!(
        bench
            .root("podspawn list-users")
            .lines()
            .any(|line| line.starts_with("joiner ") && line.ends_with("not confined"))
    );
    let printed = bench.bash(&[], "podspawn doctor").text();
    let line = printed.lines().find(|line| line.contains("accounts-confined")).unwrap_or_default();
    assert!(line.starts_with("fail") && printed.contains("podspawn add-user joiner --existing"), "{printed}");

    // Its own shell alone, or its own home alone, is as much.
    for change in ["--home /var/empty", "--home /home/joiner --shell /bin/sh"] {
        bench.root(&format!("usermod {change} joiner"));
        assert_eq!(trap.keys(), "", "{change}");
    }
    bench.root("usermod --home /var/empty --shell /bin/sh joiner");
    assert_eq!(trap.run("cat /proc/1/comm").success(), "podspawn");
    assert_eq!(trap.escaped(), "");
}

#[test]
fn an_account_with_work_on_the_host_is_not_converted_and_nothing_of_it_is_changed() {
    let bench = bench::shared();
    let trap = Trap::set(&bench, "worker");
    let unchanged = "getent passwd worker | cut -d: -f6,7; id -nG worker; getent shadow worker | cut -d: -f2";
    let before = bench.root(unchanged);
    let refused = |word: &str| {
        let done = trap.add("--existing");
        assert!(done.code == Some(1) && done.errors().contains(word), "{word}: {done:?}");
        assert_eq!(bench.root(unchanged), before);
        bench.root("! test -e /etc/podspawn/keys/worker && ! test -e /var/lib/podspawn-accounts/worker");
    };
    bench.root("mkdir -p /var/spool/cron/crontabs; echo '* * * * * true' >/var/spool/cron/crontabs/worker");
    refused("/var/spool/cron/crontabs/worker");
    bench.root(
        "rm /var/spool/cron/crontabs/worker; mkdir -p /var/spool/cron/atjobs; touch /var/spool/cron/atjobs/a01; \
                chown worker /var/spool/cron/atjobs/a01",
    );
    refused("/var/spool/cron/atjobs/a01");
    bench.root("rm /var/spool/cron/atjobs/a01; setsid runuser -u worker -- sleep 611 >/dev/null 2>&1 </dev/null &");
    eventually("it runs", || bench.bash(&[], "pgrep -u worker -x sleep").code == Some(0));
    refused("sleep (");
    bench.root("pkill -u worker -x sleep; true");

    // A user manager alone is ended, and what lingered does so again afterwards.
    bench.root("loginctl enable-linger worker");
    eventually("its unit runs", || trap.escaped().contains("unit"));
    refused("sleep (");
    bench.root(
        "runuser -u worker -- env XDG_RUNTIME_DIR=/run/user/$(id -u worker) systemctl --user stop trap.service; \
                rm /tmp/escaped-worker-*",
    );
    bench.root("rm -r /home/worker/.config");
    eventually("it is converted", || trap.add("--existing").code == Some(0));
    bench.root("! test -e /var/lib/systemd/linger/worker && ! pgrep -u worker");
    assert_eq!(trap.run("id -un").success(), "worker");
    bench.root("podspawn remove-user worker --force");
    bench.root("test -e /var/lib/systemd/linger/worker");
    assert_eq!(bench.root(unchanged), before);
}

/// Whatever is done when it is killed: the account is confined or has no keys, and both verbs bring it to their end.
#[test]
fn a_conversion_that_is_killed_anywhere_frees_no_user_and_can_be_repeated_or_undone() {
    let bench = bench::shared();
    let trap = Trap::set(&bench, "killed");
    let facts = "getent passwd killed | cut -d: -f6,7; id -nG killed; getent shadow killed | cut -d: -f2";
    let before = bench.root(facts);
    // The tools are slowed down, so that each step is met.
    let key = std::fs::read_to_string(bench.file("id_ed25519.pub")).unwrap();
    for verb in [format!("add-user killed --existing --key '{}'", key.trim()), "remove-user killed --force".to_owned()]
    {
        for tenths in 0..6 {
            bench.bash(&[], &format!("timeout -s KILL 0.0{tenths}5 podspawn {verb}"));
            // A member of the group has sshd's keys from podspawn alone, and is confined where it gets some.
            let is_member = bench.bash(&[], "id -nG killed | grep -qw podspawn").code == Some(0);
            let is_confined = trap.field(6) == "/var/empty" && trap.field(7) == "/bin/sh";
            assert!(trap.keys().is_empty() || is_confined, "{verb}: {is_member}");
            let stays_out = is_member || trap.field(6) != "/home/killed" || trap.keys().is_empty();
            assert!(stays_out, "{verb}: an account of the host has podspawn's keys");
        }
        eventually("the verb comes to its end", || {
            let done = bench.bash(&[], &format!("podspawn {verb}"));
            done.code == Some(0) || done.errors().contains("is an ordinary account of this host, not podspawn's")
        });
        if verb.starts_with("add-user") {
            assert_eq!(trap.run("cat /proc/1/comm").success(), "podspawn");
            assert_eq!((trap.field(6), trap.escaped()), ("/var/empty".into(), String::new()));
        }
    }
    assert_eq!(bench.root(facts), before);
    bench.root("! test -e /var/lib/podspawn-accounts/killed && ! test -e /etc/podspawn/keys/killed");
}
