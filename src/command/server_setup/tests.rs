//! Against the real sshd of this machine, with configurations and accounts of their own. Group games stands in for group
//! podspawn, and its account for podspawn's users.

mod blocks;

use super::{journal::Journal, sshd_files::SshdFiles, *};
use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink},
    process::Command,
};

const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIICYEJEsICZWd82SRX/4mYTmC4HpPZeof62zppP7djKX";

/// A host's files: `@` in a configuration is their directory.
struct Host {
    root: tempfile::TempDir,
}

impl Host {
    fn new(main: &str) -> Self {
        let host = Self { root: tempfile::tempdir().unwrap() };
        fs::create_dir_all("/run/sshd").unwrap();
        for directory in ["etc", "ssh/sshd_config.d", "root/.ssh"] {
            fs::create_dir_all(host.at(directory)).unwrap();
        }
        let accounts = "root:x:0:0::/root:/bin/bash\ngames:x:5:60::/usr/games:/bin/sh\ndaemon:x:1:1::/:/bin/sh\n";
        fs::write(host.at("etc/passwd"), accounts).unwrap();
        fs::write(host.at("etc/group"), "root:x:0:\ngames:x:60:\n").unwrap();
        fs::write(host.at("etc/shadow"), "root:*:1::::::\ngames:*:1::::::\n").unwrap();
        fs::write(host.at("root/.ssh/authorized_keys"), KEY).unwrap();
        let key = host.at("key");
        let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key).status().unwrap();
        assert!(made.success());
        host.write("sshd_config", &format!("HostKey {}\n{main}", key.display()));
        host
    }

    fn at(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let text = text.replace('@', self.at("ssh").to_str().unwrap());
        fs::write(self.at("ssh").join(name), text).unwrap();
    }

    fn setup(&self) -> Setup {
        Setup {
            sshd: Sshd::find(None).unwrap(),
            config: self.at("ssh/sshd_config"),
            block: Block { binary: "/usr/bin/env".into(), group: "games".into() },
            service: None,
            root: self.root.path().to_owned(),
            caller: None,
            dry_run: false,
        }
    }

    fn run(&self, setup: &Setup, remove: bool) -> Result<(), String> {
        let local = LocalAccounts::read(self.root.path()).unwrap();
        let done = setup
            .preflight(remove)
            .and_then(|()| if remove { setup.remove(&local) } else { setup.setup(&local).map(drop) });
        done.map_err(|error| format!("{error:#}"))
    }

    /// Every file of sshd's: its content, mode, and inode.
    fn files(&self) -> BTreeMap<PathBuf, (Vec<u8>, u32, u64)> {
        let mut files = BTreeMap::new();
        for directory in ["ssh", "ssh/sshd_config.d"] {
            for entry in fs::read_dir(self.at(directory)).unwrap() {
                let path = entry.unwrap().path();
                let about = fs::metadata(&path).unwrap();
                if about.is_file() {
                    files.insert(path.clone(), (fs::read(&path).unwrap(), about.mode(), about.ino()));
                }
            }
        }
        files
    }

    /// An option that is in force for a user.
    fn option(&self, user: &str, option: &str) -> String {
        let connection = sshd::Connection::new(user, sshd::ELSEWHERE);
        self.setup().sshd.effective(&self.at("ssh/sshd_config"), &connection).unwrap().value(option).to_owned()
    }
}

const WITH_INCLUDE: &str =
    "Include @/sshd_config.d/*.conf\nX11Forwarding yes\nAcceptEnv LANG\nSubsystem sftp internal-sftp\n";
const WITHOUT_INCLUDE: &str = "X11Forwarding yes\nSubsystem sftp internal-sftp\nMatch User daemon\n    PermitTTY no\n";

#[test]
fn a_member_gets_the_command_and_others_what_they_had_and_a_second_run_changes_nothing() {
    for main in [WITH_INCLUDE, WITHOUT_INCLUDE, "Port 22"] {
        let host = Host::new(main);
        let before = host.files();
        let setup = host.setup();
        host.run(&setup, false).unwrap();
        assert_eq!(host.option("games", "forcecommand"), "exec /usr/bin/env spawn", "{main}");
        assert_eq!(host.option("games", "authorizedkeyscommand"), "/usr/bin/env auth-keys %u %t %k");
        assert_eq!(host.option("root", "forcecommand"), "none");
        let after = host.files();
        assert_ne!(after, before);
        host.run(&setup, false).unwrap();
        assert_eq!(host.files(), after, "{main}");

        host.run(&setup, true).unwrap();
        let bytes = |files: BTreeMap<PathBuf, (Vec<u8>, u32, u64)>| -> Vec<_> {
            files.into_iter().map(|(path, (bytes, mode, _))| (path, bytes, mode)).collect()
        };
        assert_eq!(bytes(host.files()), bytes(before), "{main}");
        host.run(&setup, true).unwrap();
    }
}

#[test]
fn a_dry_run_touches_nothing() {
    for main in [WITH_INCLUDE, WITHOUT_INCLUDE] {
        let host = Host::new(main);
        let before = host.files();
        host.run(&Setup { dry_run: true, ..host.setup() }, false).unwrap();
        assert_eq!(host.files(), before);
        host.run(&host.setup(), false).unwrap();
        let after = host.files();
        host.run(&Setup { dry_run: true, ..host.setup() }, true).unwrap();
        assert_eq!(host.files(), after);
    }
}

/// Refused with these words in the message, and every byte of every file as it was.
#[track_caller]
fn assert_refused(host: &Host, setup: &Setup, words: &[&str]) {
    let before = host.files();
    let error = host.run(setup, false).expect_err("it was accepted");
    for word in words {
        assert!(error.contains(word), "{word:?} is not in: {error}");
    }
    assert_eq!(host.files(), before, "{error}");
}

#[test]
fn a_configuration_that_keeps_podspawns_users_out_is_refused_and_left_as_it_was() {
    for (main, words) in [
        ("AllowUsers root daemon\n", ["AllowUsers", "AllowGroups"]),
        ("AllowGroups root\n", ["AllowGroups", "add group podspawn"]),
        ("DenyUsers *\n", ["DenyUsers", "out of DenyUsers"]),
        ("DenyGroups ga*\n", ["DenyGroups", "take group podspawn out"]),
        ("MaxSessions 0\n", ["MaxSessions 0", "10 or more"]),
    ] {
        for rest in [WITH_INCLUDE, WITHOUT_INCLUDE] {
            let host = Host::new(&format!("{main}{rest}"));
            assert_refused(&host, &host.setup(), &words);
        }
    }
    // What another block adds, wherever it is.
    let host = Host::new(WITH_INCLUDE);
    host.write("sshd_config.d/90-last.conf", "Match all\n    AcceptEnv LD_*\n");
    assert_refused(&host, &host.setup(), &["AcceptEnv LD_*", "exclude group podspawn"]);
    // sshd itself refuses this word behind any other value of the option, whether the block applies or not.
    for rest in ["AuthenticationMethods any\n", "Match User daemon\n    AuthenticationMethods any\n"] {
        let host = Host::new(&format!("{WITH_INCLUDE}{rest}"));
        assert_refused(&host, &host.setup(), &["must appear alone", "it is the default"]);
    }
}

#[test]
fn a_configuration_that_sshd_does_not_accept_is_named_with_what_sshd_says() {
    for (main, word) in [
        ("PermitRootLogn yes\n", "PermitRootLogn"),
        ("Port seventy\n", "port number"),
        ("Match\n", "Match"),
        ("Banner \"x\n", "quotes"),
        ("HostKey /nowhere\nMatch User x\n    Port 22\n", "not allowed within a Match block"),
    ] {
        let host = Host::new(&format!("{main}{WITHOUT_INCLUDE}"));
        assert_refused(&host, &host.setup(), &["before any change", "sshd says: ", word]);
    }
    let host = Host::new(WITH_INCLUDE);
    host.write("sshd_config.d/20-broken.conf", "AllowTcpForwarding perhaps\n");
    assert_refused(&host, &host.setup(), &["20-broken.conf", "before any change"]);
}

#[test]
fn the_last_administrator_is_not_locked_out() {
    let no_key = |host: &Host| fs::write(host.at("root/.ssh/authorized_keys"), "# none\n").unwrap();
    for rest in [WITH_INCLUDE, WITHOUT_INCLUDE] {
        let host = Host::new(rest);
        no_key(&host);
        assert_refused(&host, &host.setup(), &["no administrator could log in", "/etc/podspawn/emergency.keys"]);

        let host = Host::new(&format!("PermitRootLogin no\n{rest}"));
        assert_refused(&host, &host.setup(), &["no administrator could log in"]);

        // The one administrator would be put into a container.
        let host = Host::new(&format!("PermitRootLogin no\n{rest}"));
        fs::write(host.at("etc/group"), "root:x:0:\ngames:x:60:\nsudo:x:27:games\n").unwrap();
        assert_refused(&host, &host.setup(), &["no administrator could log in"]);

        let host = Host::new(&format!("AuthorizedKeysFile .ssh/authorized_keys @/emergency.keys\n{rest}"));
        no_key(&host);
        host.write("emergency.keys", KEY);
        // Absolute paths are below the test's own root.
        let real = host.at(host.at("ssh/emergency.keys").strip_prefix("/").unwrap().to_str().unwrap());
        fs::create_dir_all(real.parent().unwrap()).unwrap();
        fs::write(real, KEY).unwrap();
        host.run(&host.setup(), false).unwrap();

        let host = Host::new(rest);
        no_key(&host);
        fs::write(host.at("etc/shadow"), "daemon:$y$j9T$aaaaaaaaaaaaaaaa:1::::::\n").unwrap();
        host.run(&Setup { caller: Some("daemon".into()), ..host.setup() }, false).unwrap();
    }
}

#[test]
fn a_foreign_file_is_not_replaced() {
    let host = Host::new(WITH_INCLUDE);
    let other = host.setup().block.text().replace("PermitTTY yes", "PermitTTY no");
    host.write("sshd_config.d/00-podspawn.conf", &other);
    assert_refused(&host, &host.setup(), &["00-podspawn.conf exists", "mv "]);

    let host = Host::new(&format!("{WITHOUT_INCLUDE}# BEGIN podspawn\n"));
    assert_refused(&host, &host.setup(), &["do not belong together"]);
}

#[test]
fn a_binary_that_sshd_would_not_run_is_refused() {
    let host = Host::new(WITH_INCLUDE);
    let binary = host.at("podspawn");
    fs::write(&binary, "").unwrap();
    fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
    // Below /tmp, which all users may write to.
    let setup = Setup { block: Block { binary, ..host.setup().block }, ..host.setup() };
    assert_refused(&host, &setup, &["sshd will not run", "install it as root"]);
}

/// A program in the place of sshd that does what `script` says before the real one.
fn sshd_that(host: &Host, script: &str) -> Sshd {
    let real = crate::sys::program::find("sshd").unwrap();
    let wrapper = host.at("sshd-wrapper");
    let count = host.at("count");
    let text =
        format!("#!/bin/sh\necho >>{0}\nn=$(wc -l <{0})\n{script}\nexec {1} \"$@\"\n", count.display(), real.display());
    fs::write(&wrapper, text).unwrap();
    fs::set_permissions(&wrapper, fs::Permissions::from_mode(0o755)).unwrap();
    let _ = fs::remove_file(count);
    Sshd::find(Some(&wrapper)).unwrap()
}

#[test]
fn an_old_sshd_is_refused() {
    let host = Host::new(WITH_INCLUDE);
    let old = "[ \"$1\" != -V ] || { echo 'OpenSSH_8.4p1 Debian-5, OpenSSL 1.1.1w' >&2; exit 1; }";
    let setup = Setup { sshd: sshd_that(&host, old), ..host.setup() };
    assert_refused(&host, &setup, &["this is OpenSSH 8.4", "8.8 or later"]);
}

#[test]
fn whichever_question_sshd_fails_every_byte_stays() {
    for main in [WITH_INCLUDE, WITHOUT_INCLUDE] {
        let host = Host::new(main);
        // Each account is several questions, and each question a run.
        fs::write(host.at("etc/passwd"), "root:x:0:0::/root:/bin/bash\ngames:x:5:60::/usr/games:/bin/sh\n").unwrap();
        let whole = Setup { sshd: sshd_that(&host, ""), dry_run: true, ..host.setup() };
        host.run(&whole, false).unwrap();
        let asked = fs::read_to_string(host.at("count")).unwrap().lines().count();
        assert!(asked > 10, "{asked}");
        // The dry run asks about the files as they are and as they would be; the real one asks once more.
        let last = asked + asked / 2 - 1;
        // Every question where two files change, and where one does the ends of the three rounds.
        let is_end = |fail: &usize| [2, asked / 2, asked, last].contains(fail);
        let questions = (2..=last).filter(|fail| main == WITHOUT_INCLUDE || is_end(fail));
        let before: Vec<_> = host.files().into_iter().map(|(path, (bytes, mode, _))| (path, bytes, mode)).collect();
        for fail in questions {
            let script = format!("[ \"$n\" != {fail} ] || {{ echo broken >&2; exit 255; }}");
            let setup = Setup { sshd: sshd_that(&host, &script), ..host.setup() };
            let error = host.run(&setup, false).expect_err(&format!("question {fail} of {asked} did not matter"));
            assert!(error.contains("broken"), "{fail}: {error}");
            let after: Vec<_> = host.files().into_iter().map(|(path, (bytes, mode, _))| (path, bytes, mode)).collect();
            assert_eq!(after, before, "question {fail}");
        }
    }
}

#[test]
fn a_run_that_was_killed_is_undone_by_the_next() {
    for main in [WITH_INCLUDE, WITHOUT_INCLUDE] {
        let host = Host::new(main);
        let before = host.files().into_iter().map(|(path, (bytes, ..))| (path, bytes)).collect::<Vec<_>>();
        let files = SshdFiles::of(&host.at("ssh/sshd_config"), &host.setup().block).unwrap();
        let changes = files.setup(&host.setup().block).unwrap();
        // As far as it gets before it has asked sshd about the files themselves.
        std::mem::forget(Journal::apply(&files.main, &changes).unwrap());
        let left = Journal::left_by_another(&files.main).unwrap().unwrap();
        left.undo().unwrap();
        let after = host.files().into_iter().map(|(path, (bytes, ..))| (path, bytes)).collect::<Vec<_>>();
        assert_eq!(after, before);

        std::mem::forget(Journal::apply(&files.main, &changes).unwrap());
        host.run(&host.setup(), false).unwrap();
        assert_eq!(host.option("games", "forcecommand"), "exec /usr/bin/env spawn");
        assert!(Journal::left_by_another(&files.main).unwrap().is_none());
    }
}

#[test]
fn a_removal_that_would_give_a_user_a_shell_of_the_host_is_refused() {
    let host = Host::new(WITH_INCLUDE);
    host.run(&host.setup(), false).unwrap();
    // The account's own name is the group's here, which is the broker's; another member is a person.
    fs::write(host.at("etc/group"), "root:x:0:\ngames:x:60:daemon\n").unwrap();
    fs::create_dir_all(host.at(".ssh")).unwrap();
    fs::write(host.at(".ssh/authorized_keys"), KEY).unwrap();
    let before = host.files();
    let error = host.run(&host.setup(), true).unwrap_err();
    assert!(
        error.contains("daemon would log in to this host itself") && error.contains("remove-user daemon"),
        "{error}"
    );
    assert_eq!(host.files(), before);
    fs::remove_file(host.at(".ssh/authorized_keys")).unwrap();
    host.run(&host.setup(), true).unwrap();
}

#[test]
fn a_link_is_followed_and_stays_a_link_but_not_into_the_store() {
    let host = Host::new(WITHOUT_INCLUDE);
    fs::rename(host.at("ssh/sshd_config"), host.at("ssh/real")).unwrap();
    symlink(host.at("ssh/real"), host.at("ssh/sshd_config")).unwrap();
    host.run(&host.setup(), false).unwrap();
    assert!(fs::symlink_metadata(host.at("ssh/sshd_config")).unwrap().is_symlink());
    assert_eq!(host.option("games", "forcecommand"), "exec /usr/bin/env spawn");
}

#[test]
fn two_runs_at_once_do_not_mix() {
    let host = Host::new(WITH_INCLUDE);
    let lock = host.setup().begin().unwrap();
    assert_refused(&host, &host.setup(), &["another server-setup is at work"]);
    drop(lock);
    host.run(&host.setup(), false).unwrap();
}
