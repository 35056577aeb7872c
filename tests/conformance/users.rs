//! `add-user`, `remove-user` and `list-users`: who gets in, who no longer does, and what is left of them.

mod alone;

use crate::{
    bench::{self, Bench, eventually},
    client::Finished,
};
use serde_json::Value;

/// An account that a test makes and that is gone when it ends, however it ends.
struct Guest<'a> {
    bench: &'a Bench,
    name: &'static str,
}

impl<'a> Guest<'a> {
    fn new(bench: &'a Bench, name: &'static str) -> Self {
        let guest = Self { bench, name };
        guest.clean();
        guest
    }

    fn clean(&self) {
        let name = self.name;
        self.bench.bash(
            &[],
            &format!(
                "podspawn remove-user --force --purge {name}; pkill -KILL -u {name} sshd; userdel -f {name}; \
                 rm -rf /home/{name} /etc/podspawn/keys/{name} /etc/podspawn/users/{name}.yaml /var/lib/podspawn/homes/{name}"
            ),
        );
    }

    fn add(&self, options: &str) -> Finished {
        self.bench.bash(&[], &format!("podspawn add-user {} {options}", self.name))
    }

    fn remove(&self, options: &str) -> Finished {
        self.bench.bash(&[], &format!("podspawn remove-user {} {options}", self.name))
    }

    /// Logs in with the bench's key and runs a command.
    fn run(&self, command: &str) -> Finished {
        let plain = self.bench.plain();
        Finished::of(plain.ssh(&["-l", self.name]).arg(command), b"")
    }

    /// Its line in `list-users --json`.
    fn listed(&self) -> Value {
        let users: Value = serde_json::from_str(&self.bench.root("podspawn list-users --json")).unwrap();
        let mut users = users.as_array().unwrap().iter();
        users.find(|user| user["user"] == self.name).cloned().unwrap_or(Value::Null)
    }

    fn key_file(&self) -> String {
        self.bench.root(&format!("cat /etc/podspawn/keys/{}", self.name))
    }

    #[track_caller]
    fn assert_gone(&self) {
        let name = self.name;
        self.bench.root(&format!("! getent passwd {name} && ! test -e /etc/podspawn/keys/{name}"));
        assert!(self.run("true").errors().contains("Permission denied"));
        assert_eq!(self.listed(), Value::Null);
    }
}

impl Drop for Guest<'_> {
    fn drop(&mut self) {
        self.clean();
    }
}

#[track_caller]
fn assert_refused(done: &Finished, word: &str) {
    assert_eq!(done.code, Some(1), "{done:?}");
    assert!(done.errors().contains(word), "{word}: {done:?}");
}

/// The bench's own public key, which ssh offers.
fn key(bench: &Bench) -> String {
    std::fs::read_to_string(bench.file("id_ed25519.pub")).unwrap().trim().to_owned()
}

/// Another one.
const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIICYEJEsICZWd82SRX/4mYTmC4HpPZeof62zppP7djKX";

#[test]
fn a_user_is_added_logs_in_and_is_removed() {
    let bench = bench::shared();
    let guest = Guest::new(&bench, "u-add");
    let printed = guest.add(&format!("--key '{}'", key(&bench))).success();
    assert!(printed.contains("made account u-add") && printed.contains("1 key(s)"), "{printed}");
    assert_eq!(guest.run("id -un; cat /proc/1/comm").success(), "u-add\npodspawn");
    let account = bench.root("getent passwd u-add | cut -d: -f6,7; id -gn u-add; getent shadow u-add | cut -d: -f2");
    assert_eq!(account, "/var/empty:/bin/sh\npodspawn\n*");
    assert_eq!(bench.root("stat -c '%U:%G %a' /etc/podspawn/keys/u-add"), "root:podspawn-keys 640");
    let listed = guest.listed();
    assert_eq!((listed["keys"].as_u64(), listed["sessions"].as_u64()), (Some(1), Some(1)), "{listed}");
    assert_eq!((listed["state"].as_str(), listed["overrides"].as_bool()), (Some("ok"), Some(false)), "{listed}");
    assert!(bench.root("podspawn list-users").lines().any(|line| line.starts_with("u-add ") && line.ends_with(" ok")));

    assert_refused(&guest.remove(""), "podspawn stop u-add, or --force");
    assert_eq!(guest.run("echo still").success(), "still");
    bench.root("podspawn stop u-add");
    eventually("the session is gone", || guest.listed()["sessions"] == 0);
    let printed = guest.remove("").success();
    assert!(printed.contains("removed the keys of u-add") && printed.contains("removed account u-add"), "{printed}");
    guest.assert_gone();
    assert_refused(&guest.remove(""), "there is no podspawn user u-add");
}

#[test]
fn keys_that_are_there_stay_and_none_is_stored_twice() {
    let bench = bench::shared();
    let guest = Guest::new(&bench, "u-keys");
    assert_refused(&guest.add(""), "give --key, --key-file or --github");
    bench.root("! getent passwd u-keys");
    let own = key(&bench);
    guest.add(&format!("--key 'from=\"10.9.8.7\" {OTHER} office'")).success();
    let printed = guest.add(&format!("--key '{OTHER} again' --key '{own}' --key '{own}'")).success();
    assert!(printed.contains("2 key(s)") && printed.contains("1 added, 2 known already"), "{printed}");
    assert_eq!(guest.key_file(), format!("from=\"10.9.8.7\" {OTHER} office\n{own}"));
    bench.root(&format!("printf '# two\\n{OTHER}\\n\\n{own}\\n' | podspawn add-user u-keys --key-file -"));
    assert_eq!(guest.key_file().lines().count(), 2);
    assert_eq!(guest.run("id -un").success(), "u-keys");

    let before = guest.key_file();
    for (options, word) in [
        ("--key 'ssh-ed25519 AAAA'", "--key:1: skipped: there is no public key"),
        ("--key-file /etc/ssh/ssh_host_ed25519_key", "not a public key"),
        ("--key-file /etc/hostname", "no public key"),
        ("--key-file /nowhere", "/nowhere: No such file"),
    ] {
        assert_refused(&guest.add(&format!("--key '{own}' {options}")), word);
        assert_eq!(guest.key_file(), before);
    }
}

#[test]
fn a_locked_account_of_podspawns_is_opened() {
    let bench = bench::shared();
    let guest = Guest::new(&bench, "u-locked");
    bench.root(
        "useradd --no-log-init --no-create-home --home-dir /var/empty --shell /usr/sbin/nologin --no-user-group \
         --gid podspawn u-locked",
    );
    assert_eq!(bench.root("getent shadow u-locked | cut -d: -f2"), "!");
    assert_eq!(guest.listed()["state"], "locked");
    let printed = guest.add(&format!("--key '{}'", key(&bench))).success();
    assert!(printed.contains("opened account u-locked") && printed.contains("the shell /bin/sh"), "{printed}");
    assert_eq!(bench.root("getent shadow u-locked | cut -d: -f2"), "*");
    assert_eq!(guest.run("id -un").success(), "u-locked");
    assert!(!guest.add("").success().contains("opened"));
}

#[test]
fn an_ordinary_account_is_taken_only_if_that_is_said_and_never_falls_back_to_a_shell_by_itself() {
    let bench = bench::shared();
    let guest = Guest::new(&bench, "u-plain");
    let own = key(&bench);
    bench.root(&format!(
        "useradd --create-home --shell /bin/bash --password '*' u-plain; install -d -m 0700 -o u-plain ~u-plain/.ssh; \
         echo '{own}' >~u-plain/.ssh/authorized_keys; chown -R u-plain ~u-plain/.ssh"
    ));
    assert_eq!(guest.run("cat /proc/1/comm").success(), "systemd");
    assert_refused(&guest.add(&format!("--key '{own}'")), "--existing");
    assert_refused(&guest.remove(""), "ordinary account");
    bench.root("! test -e /var/lib/podspawn-accounts/u-plain");
    bench.root("! id -nG u-plain | grep -w podspawn && ! test -e /etc/podspawn/keys/u-plain");
    eventually("the connection has ended", || bench.bash(&[], "pgrep -u u-plain sshd").code == Some(1));
    let printed = guest.add(&format!("--existing --key '{own}'")).success();
    for word in ["noted what u-plain was", "gave u-plain the home /var/empty", "put u-plain into group podspawn"] {
        assert!(printed.contains(word), "{word}: {printed}");
    }
    assert_eq!(guest.run("cat /proc/1/comm").success(), "podspawn");
    assert_eq!(guest.listed()["state"], "ok");
    let printed = guest.remove("--force").success();
    assert!(printed.contains("u-plain is an account of this host again"), "{printed}");
    // As it was: its own keys, home and shell.
    assert_eq!(guest.run("cat /proc/1/comm; pwd; echo $0").success(), "systemd\n/home/u-plain\nbash");
    bench.root("! test -e /var/lib/podspawn-accounts/u-plain && ! id -nG u-plain | grep -w podspawn");
    for (name, word) in [("root", "is root"), ("podspawn", "podspawn's own"), ("sshd", "system account")] {
        let done = bench.bash(&[], &format!("podspawn add-user {name} --existing --key '{own}'"));
        assert_refused(&done, word);
    }
}

#[test]
fn force_ends_sessions_and_open_connections_and_purge_removes_a_home_full_of_traps() {
    let bench = bench::shared();
    let guest = Guest::new(&bench, "u-force");
    bench.root("printf 'mode: named\\n' >/etc/podspawn/users/u-force.yaml");
    guest.add(&format!("--key '{}'", key(&bench))).success();
    let plant = "umask 000; ln -s /etc ~/etc; ln -s / ~/root; mkfifo ~/fifo; mkdir -p ~/a/b/c; ln -s /etc/passwd ~/a/b/c/p; \
                 cd ~; for i in $(seq 200); do mkdir d && cd d; done; echo planted";
    assert_eq!(guest.run(plant).success(), "planted");
    assert!(bench.root("ls /var/lib/podspawn/homes/u-force").contains("fifo"));
    let connected = bench.plain().start(&["-l", "u-force"], "echo ready; sleep 600");
    assert_refused(&guest.remove(""), "1 session(s) with 1 connection(s)");
    assert_eq!(guest.listed()["mode"], "named");
    let printed = guest.remove("--force --purge").success();
    for word in ["removed the keys", "users/u-force.yaml", "removed account", "homes/u-force"] {
        assert!(printed.contains(word), "{word}: {printed}");
    }
    assert_ne!(connected.finish().code, Some(0));
    guest.assert_gone();
    bench.root("test ! -e /var/lib/podspawn/homes/u-force && test -s /etc/passwd && test -d /etc/podspawn");
    let left = bench.root("docker ps -aq --filter label=podspawn-user=u-force; pgrep -u u-force 2>/dev/null || true");
    assert_eq!(left, "");
}

#[test]
fn a_home_stays_until_it_is_purged() {
    let bench = bench::shared();
    let guest = Guest::new(&bench, "u-home");
    bench.root("printf 'mode: named\\n' >/etc/podspawn/users/u-home.yaml");
    guest.add(&format!("--key '{}'", key(&bench))).success();
    guest.run("echo kept >~/kept").success();
    let printed = guest.remove("--force").success();
    assert!(printed.contains("/var/lib/podspawn/homes/u-home stays; --purge removes it"), "{printed}");
    guest.assert_gone();
    bench.root("test -e /var/lib/podspawn/homes/u-home/kept");
    guest.remove("--purge").success();
    bench.root("test ! -e /var/lib/podspawn/homes/u-home");
}

#[test]
fn a_new_user_of_an_old_name_gets_the_old_home_only_if_that_is_said() {
    let bench = bench::shared();
    let guest = Guest::new(&bench, "u-heir");
    let (own, named) = (key(&bench), "printf 'mode: named\n' >/etc/podspawn/users/u-heir.yaml");
    bench.root(named);
    guest.add(&format!("--key '{own}'")).success();
    guest.run("echo secret >~/kept").success();
    // Another key of the same user is no new user.
    guest.add(&format!("--key '{OTHER}'")).success();
    guest.remove("--force").success();
    assert_refused(&guest.add(&format!("--key '{own}'")), "say --keep-home if u-heir gets them, --new-home if not");
    bench.root("! getent passwd u-heir && ! test -e /etc/podspawn/keys/u-heir");
    bench.root(named);
    let printed = guest.add(&format!("--new-home --key '{own}'")).success();
    assert!(printed.contains("moved /var/lib/podspawn/homes/u-heir to /var/lib/podspawn/homes/.u-heir."), "{printed}");
    assert_eq!(guest.run("ls ~; echo end").success(), "end");
    assert_eq!(bench.root("cat /var/lib/podspawn/homes/.u-heir.*/kept"), "secret");
    bench.root("rm -r /var/lib/podspawn/homes/.u-heir.*");

    guest.run("echo mine >~/kept").success();
    guest.remove("--force").success();
    bench.root(named);
    guest.add(&format!("--keep-home --key '{own}'")).success();
    assert_eq!(guest.run("cat ~/kept").success(), "mine");
    let both = guest.add("--keep-home --new-home");
    assert_eq!(both.code, Some(2), "{both:?}");
}

/// Starts a server of one directory on the bench host's loopback; it ends by itself.
const SERVE: &str = r"
set -e
d=/run/podspawn-test/tls; rm -rf $d; mkdir -p $d/www; cd $d
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=ca -keyout ca.key -out ca.pem 2>/dev/null
openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=localhost -keyout key.pem -out req.pem 2>/dev/null
printf 'subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n' >ext
openssl x509 -req -in req.pem -CA ca.pem -CAkey ca.key -CAcreateserial -days 2 -extfile ext -out cert.pem 2>/dev/null
cat >www/gina.keys
cd www
timeout 120 openssl s_server -accept 18443 -cert ../cert.pem -key ../key.pem -WWW -quiet >/dev/null 2>&1 &
for i in $(seq 100); do (exec 3<>/dev/tcp/127.0.0.1/18443) 2>/dev/null && exit 0; sleep 0.1; done; exit 1
";

#[test]
fn keys_are_fetched_over_tls_from_a_server_that_the_host_trusts() {
    let bench = bench::shared();
    let guest = Guest::new(&bench, "u-github");
    let own = key(&bench);
    let keys = format!("{own}\n{OTHER} x\nfrom=\"*\" {OTHER}\nssh-dss AAAA\n");
    Finished::of(bench.command(&[]).args(["bash", "-c", SERVE]), keys.as_bytes()).success();
    let url = "--github gina --github-url https://localhost:18443";
    let done = guest.add(url);
    assert_refused(&done, "fetching https://localhost:18443/gina.keys");
    bench.root("! getent passwd u-github");
    let trusting = |options: &str| {
        bench.bash(&[], &format!("SSL_CERT_FILE=/run/podspawn-test/tls/ca.pem podspawn add-user u-github {options}"))
    };
    // The certificate is another name's.
    assert_refused(&trusting(&url.replace("localhost", "127.0.0.1")), "fetching https://127.0.0.1");
    let printed = trusting(url).success();
    assert!(printed.contains("2 line(s) of localhost are no keys") && printed.contains("2 key(s)"), "{printed}");
    let bare = own.split(' ').take(2).collect::<Vec<_>>().join(" ");
    assert_eq!(guest.key_file(), format!("{bare} gina@localhost\n{OTHER} gina@localhost"));
    assert_eq!(guest.run("id -un").success(), "u-github");
    let done = bench.bash(&[], "podspawn add-user u-github --github gina --github-url http://git.example.org");
    assert_eq!(done.code, Some(2), "{done:?}");
    assert!(done.errors().contains("only https is safe"), "{done:?}");
    bench.bash(&[], "pkill -f 's_server -accept 18443'; rm -rf /run/podspawn-test/tls");
}
