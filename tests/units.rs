//! The files of `systemd/`, as systemd and sshd read them.
//!
//! Every check runs the real program. Where one is missing the test fails: `tests/run` installs them.

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Output},
};
use tempfile::TempDir;

/// The highest exposure that a service may have, in tenths: 2.0 of 10.
const MAX_EXPOSURE: &str = "20";
/// Of what answers anybody on this host, and writes nothing.
const MAX_EXPOSURE_OF_METRICS: f32 = 1.5;

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd")
}

/// The directory `below` of systemd/ as a package installs it: `@bin@` replaced.
fn installed(below: &str) -> (TempDir, Vec<PathBuf>) {
    let target = tempfile::tempdir().unwrap();
    let mut files = Vec::new();
    for entry in fs::read_dir(source().join(below)).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            let text = fs::read_to_string(&path).unwrap().replace("@bin@", "/bin/true");
            let copy = target.path().join(path.file_name().unwrap());
            fs::write(&copy, text).unwrap();
            files.push(copy);
        }
    }
    assert!(!files.is_empty(), "systemd/{below} is empty");
    files.sort();
    (target, files)
}

fn run(program: &str, prepare: impl FnOnce(&mut Command)) -> Output {
    // sshd lives where an ordinary user's PATH does not lead.
    let path = format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default());
    let found = std::env::split_paths(&path).map(|directory| directory.join(program)).find(|path| path.exists());
    let found = found.unwrap_or_else(|| panic!("{program} is missing: tests/run installs it"));
    let mut command = Command::new(found);
    command.env("SYSTEMD_COLORS", "0").env("SYSTEMD_PAGER", "").env("LC_ALL", "C");
    prepare(&mut command);
    command.output().unwrap()
}

fn text(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[track_caller]
fn assert_silent(output: &Output) {
    assert!(output.status.success() && text(output).is_empty(), "{}: {}", output.status, text(output));
}

#[test]
fn systemd_has_nothing_to_say_about_the_units() {
    let (_directory, units) = installed(".");
    let output = run("systemd-analyze", |command| {
        command.args(["verify", "--man=no"]).args(&units);
    });
    assert_silent(&output);
}

#[test]
fn every_service_is_as_locked_up_as_it_can_be() {
    let (_directory, units) = installed(".");
    let services: Vec<&PathBuf> =
        units.iter().filter(|unit| unit.extension().is_some_and(|e| e == "service")).collect();
    assert!(services.iter().any(|unit| unit.ends_with("podspawn-broker.service")));
    for service in services {
        let output = run("systemd-analyze", |command| {
            command.args(["security", "--offline=true", "--no-pager"]);
            command.arg(format!("--threshold={MAX_EXPOSURE}")).arg(service);
        });
        let text = text(&output);
        let exposure =
            text.lines().find_map(|line| line.split_once("Overall exposure level for ").map(|(_, rest)| rest));
        let exposure = exposure.unwrap_or_else(|| panic!("no exposure level: {text}"));
        let number: f32 = exposure.split_whitespace().nth(1).unwrap().parse().unwrap();
        let most = if service.ends_with("podspawn-metrics.service") { MAX_EXPOSURE_OF_METRICS } else { 2.0 };
        assert!(output.status.success() && number <= most, "{exposure}");
    }
}

#[test]
fn every_deviation_from_the_hardening_is_explained() {
    // The options that a reader would look for, and that the broker cannot have.
    let unit = fs::read_to_string(source().join("podspawn-broker.service")).unwrap();
    let lines: Vec<&str> = unit.lines().collect();
    for option in ["SupplementaryGroups=docker", "PrivateNetwork=no", "PrivateUsers=no", "SystemCallFilter=capset"] {
        let place = lines.iter().position(|line| *line == option).unwrap_or_else(|| panic!("{option} is gone"));
        assert!(lines[place - 1].starts_with('#'), "{option} has no comment above it");
    }
}

/// The settings of a unit, as `Key=value`.
fn settings(unit: &str) -> Vec<String> {
    let text = fs::read_to_string(source().join(unit)).unwrap();
    text.lines().filter(|line| line.contains('=') && !line.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn a_backup_may_read_everything_and_write_its_own_directory() {
    let service = settings("podspawn-backup.service");
    for line in [
        "User=podspawn-backup",
        "CapabilityBoundingSet=CAP_DAC_READ_SEARCH",
        "AmbientCapabilities=CAP_DAC_READ_SEARCH",
        "ProtectSystem=strict",
    ] {
        assert!(service.iter().any(|setting| setting == line), "{line}: {service:?}");
    }
    let writable: Vec<_> = service.iter().filter(|line| line.starts_with("ReadWritePaths=")).collect();
    assert_eq!(writable, ["ReadWritePaths=-/var/backups/podspawn", "ReadWritePaths=-/var/lib/podspawn-backup"]);
}

#[test]
fn a_backup_is_made_every_day_also_after_a_night_without_power() {
    let timer = settings("podspawn-backup.timer");
    for line in ["OnCalendar=daily", "Persistent=true", "WantedBy=timers.target"] {
        assert!(timer.iter().any(|setting| setting == line), "{line}: {timer:?}");
    }
    assert!(timer.iter().any(|setting| setting.starts_with("RandomizedDelaySec=")), "{timer:?}");
}

#[test]
fn what_serves_the_metrics_reaches_the_broker_and_nothing_else() {
    let service = settings("podspawn-metrics.service");
    for line in [
        "DynamicUser=yes",
        "SupplementaryGroups=podspawn podspawn-metrics",
        "CapabilityBoundingSet=",
        "PrivateNetwork=yes",
        "RestrictAddressFamilies=AF_UNIX",
        "IPAddressDeny=any",
        "ProtectSystem=strict",
    ] {
        assert!(service.iter().any(|setting| setting == line), "{line}: {service:?}");
    }
    assert!(!service.iter().any(|setting| setting.starts_with("ReadWritePaths=")), "{service:?}");
    let socket = settings("podspawn-metrics.socket");
    let listens: Vec<_> = socket.iter().filter_map(|line| line.strip_prefix("ListenStream=")).collect();
    assert_eq!(listens, ["127.0.0.1:9746", "/run/podspawn/metrics.sock"]);
    for line in ["SocketGroup=podspawn-metrics", "SocketMode=0660"] {
        assert!(socket.iter().any(|setting| setting == line), "{line}: {socket:?}");
    }
}

#[test]
fn only_the_broker_is_put_into_group_docker() {
    let (_directory, units) = installed(".");
    for unit in units {
        let text = fs::read_to_string(&unit).unwrap();
        let asks = text.lines().any(|line| !line.starts_with('#') && line.contains("docker") && line.contains("Group"));
        assert_eq!(asks, unit.ends_with("podspawn-broker.service"), "{}", unit.display());
    }
}

#[test]
fn logrotate_takes_its_configuration_and_notifies_the_broker_without_starting_it() {
    let (_directory, files) = installed("logrotate.d");
    let configuration = fs::read_to_string(&files[0]).unwrap();
    // It refuses accounts that are not there, and here podspawn's are not.
    fs::write(&files[0], configuration.replace("podspawn podspawn-admin", "root root")).unwrap();
    let output = run("logrotate", |command| {
        command.args(["--debug", "--state", "/dev/null"]).args(&files);
    });
    let printed = text(&output);
    assert!(output.status.success() && !printed.contains("error:"), "{printed}");
    for expected in [
        "/var/log/podspawn/audit.jsonl  weekly (1000 rotations)",
        "/var/log/podspawn/podspawn.log  after 1 days (1000 rotations)",
        "log files >= 104857600 are rotated earlier",
    ] {
        assert!(printed.contains(expected), "{expected}: {printed}");
    }
    assert!(!configuration.lines().any(|line| line.trim() == "copytruncate"));
    for (expected, times) in [
        ("create 0640 podspawn podspawn-admin", 2),
        ("systemctl try-reload-or-restart podspawn-broker.service", 2),
        ("delaycompress", 2),
        ("    maxsize 100M\n", 2),
        ("    maxage 365\n", 1),
        ("    maxage 14\n", 1),
    ] {
        assert_eq!(configuration.matches(expected).count(), times, "{expected}");
    }
}

#[test]
fn journalctl_takes_the_catalog_whole() {
    let root = tempfile::tempdir().unwrap();
    let (_directory, files) = installed("catalog");
    let place = root.path().join("usr/lib/systemd/catalog");
    fs::create_dir_all(&place).unwrap();
    fs::create_dir_all(root.path().join("var/lib/systemd/catalog")).unwrap();
    let mut entries = 0;
    for file in &files {
        fs::copy(file, place.join(file.file_name().unwrap())).unwrap();
        entries += fs::read_to_string(file).unwrap().lines().filter(|line| line.starts_with("-- ")).count();
    }
    let root = format!("--root={}", root.path().display());
    let update = run("journalctl", |command| {
        command.args(["--update-catalog", &root]);
    });
    assert_silent(&update);
    let list = run("journalctl", |command| {
        command.args(["--list-catalog", "--no-pager", &root]);
    });
    let list = text(&list);
    assert_eq!(list.lines().filter(|line| line.contains("podspawn: ")).count(), entries, "{list}");
}

#[test]
fn manual_pages_are_complete_and_man_reports_no_mistake() {
    let directory = tempfile::tempdir().unwrap();
    assert_silent(&Command::new(env!("CARGO_BIN_EXE_podspawn")).arg("man").arg(directory.path()).output().unwrap());
    let mut names = Vec::new();
    let mut references = Vec::new();
    let page_file = |name: &str| name.split(')').next().unwrap().replace('(', ".");
    let pages = |section| fs::read_dir(directory.path().join(section)).unwrap();
    for entry in ["man1", "man5", "man7", "man8"].into_iter().flat_map(pages) {
        let path = entry.unwrap().path();
        let section = path.extension().unwrap().to_string_lossy().into_owned();
        assert!(path.parent().unwrap().ends_with(format!("man{section}")), "{}", path.display());
        // A locale without UTF-8 has no character for what is not ASCII.
        let output = run("man", |command| {
            command
                .env("LC_ALL", "C")
                .env("MANWIDTH", "80")
                .env("MANROFFSEQ", "")
                .args(["--warnings", "--local-file"])
                .arg(&path);
        });
        assert!(output.status.success() && output.stderr.is_empty(), "{}: {}", path.display(), text(&output));
        let page = text(&output);
        assert!(page.contains("NAME") && page.contains("SEE ALSO"), "{page}");
        assert!(page.lines().next().unwrap().contains(&format!("({section})")), "{page}");
        if path.ends_with("podspawn-backup.8") {
            let (notes, examples) = page.split_once("NOTES\n").unwrap().1.split_once("EXAMPLES\n").unwrap();
            assert!(notes.contains("Copies the state database"), "{page}");
            assert!(examples.lines().any(|line| line.trim() == "podspawn backup --to /mnt/usb --homes"), "{page}");
        }
        if path.ends_with("podspawn.yaml.5") {
            let (_, key) = page.split_once("session.idle_timeout\n").unwrap();
            assert!(key.contains("Default: 0s"), "{page}");
        }
        if path.ends_with("podspawn.1") {
            assert!(page.contains("podspawn-list(1)") && page.contains("podspawn-add-user(8)"), "{page}");
            assert!(!page.contains("podspawn-add-user(1)"), "{page}");
        }
        names.push(path.file_name().unwrap().to_string_lossy().into_owned());
        let see_also: String = page.split_once("\nSEE ALSO\n").unwrap().1.split_whitespace().collect();
        references.extend(see_also.split(',').filter(|name| name.starts_with("podspawn")).map(page_file));
    }
    references.retain(|name| !names.contains(name));
    assert!(references.is_empty(), "SEE ALSO names pages that do not exist: {references:?}");
    let (_units, mut files) = installed(".");
    let (_catalog, catalog) = installed("catalog");
    files.extend(catalog);
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        let pages = text.lines().filter_map(|line| line.split_once("man:")).map(|(_, name)| page_file(name));
        let unwritten: Vec<String> = pages.filter(|page| !names.contains(page)).collect();
        assert!(unwritten.is_empty(), "{}: {unwritten:?}", file.display());
    }
    assert!(names.contains(&"podspawn.1".to_owned()) && names.contains(&"podspawn-list.1".to_owned()), "{names:?}");
    for name in ["podspawn-server-setup.8", "podspawn.7", "podspawn.yaml.5", "podspawn-projects.yaml.5"] {
        assert!(names.iter().any(|page| page == name), "{name}: {names:?}");
    }
    assert!(!names.iter().any(|name| name.contains("guest")), "{names:?}");
}

#[test]
fn a_shell_reads_its_completions_and_offers_the_verbs() {
    let directory = tempfile::tempdir().unwrap();
    let completions = |shell: &str| Command::new(env!("CARGO_BIN_EXE_podspawn")).args(["completions", shell]).output();
    for shell in ["zsh", "fish"] {
        let output = completions(shell).unwrap();
        assert!(output.status.success() && text(&output).contains("check-config"), "{shell}: {}", text(&output));
    }
    let script = directory.path().join("podspawn");
    fs::write(&script, completions("bash").unwrap().stdout).unwrap();
    let output = run("bash", |command| {
        command.args(["-euc", "source \"$1\"; COMP_WORDS=(podspawn ''); COMP_CWORD=1; COMPREPLY=(); set +e; _podspawn podspawn '' podspawn; echo \"${COMPREPLY[*]}\"", "-"]).arg(&script);
    });
    let words = text(&output);
    assert!(words.contains("list") && words.contains("check-config"), "{words}");
    assert!(!words.contains("guest") && !words.contains("broker"), "{words}");
}

/// An empty root with the accounts that systemd's tools need to start from.
fn empty_root() -> TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("etc")).unwrap();
    fs::write(root.path().join("etc/passwd"), "root:x:0:0:root:/root:/bin/sh\n").unwrap();
    fs::write(root.path().join("etc/group"), "root:x:0:\n").unwrap();
    root
}

fn make_accounts(root: &Path) {
    let (_directory, files) = installed("sysusers.d");
    let output = run("systemd-sysusers", |command| {
        command.arg(format!("--root={}", root.display())).args(&files);
    });
    assert!(output.status.success(), "{}", text(&output));
}

#[test]
fn sysusers_makes_the_accounts_without_login_and_the_groups() {
    let root = empty_root();
    make_accounts(root.path());
    let passwd = fs::read_to_string(root.path().join("etc/passwd")).unwrap();
    for account in ["podspawn", "podspawn-keys", "podspawn-backup"] {
        let line = passwd.lines().find(|line| line.starts_with(&format!("{account}:"))).expect(account);
        assert!(line.ends_with("nologin"), "{line}");
    }
    let group = fs::read_to_string(root.path().join("etc/group")).unwrap();
    for name in ["podspawn", "podspawn-admin", "podspawn-metrics", "podspawn-keys", "podspawn-backup"] {
        let line = group.lines().find(|line| line.starts_with(&format!("{name}:"))).expect(name);
        assert!(line.ends_with(':'), "{line} has members");
    }
    assert!(!group.contains("docker"));
    // A second time it finds nothing to do.
    make_accounts(root.path());
    assert_eq!(fs::read_to_string(root.path().join("etc/passwd")).unwrap(), passwd);
}

#[test]
fn tmpfiles_makes_the_directories_with_the_modes_of_the_contract() {
    let root = empty_root();
    make_accounts(root.path());
    let (_directory, files) = installed("tmpfiles.d");
    let output = run("systemd-tmpfiles", |command| {
        command.args(["--create", &format!("--root={}", root.path().display())]).args(&files);
    });
    assert_silent(&output);
    for (path, mode) in [
        ("etc/podspawn", 0o755),
        ("etc/podspawn/keys", 0o750),
        ("etc/podspawn/users", 0o755),
        ("var/lib/podspawn", 0o700),
        ("var/lib/podspawn/homes", 0o700),
        ("var/log/podspawn", 0o2750),
        ("var/backups/podspawn", 0o700),
        ("run/podspawn", 0o755),
        ("run/podspawn/guests", 0o700),
        ("run/podspawn/measurements", 0o2750),
        ("var/lib/podspawn-backup", 0o755),
    ] {
        let found = fs::metadata(root.path().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"));
        assert_eq!(found.permissions().mode() & 0o7777, mode, "{path}");
    }
}

/// What sshd makes of the drop-in for a user, one option a line. `group` is what its Match block asks for: the test
/// may run where group podspawn is empty, so one of root's groups stands in for it.
fn sshd(group: &str, user: &str) -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let key = directory.path().join("key");
    let generate = run("ssh-keygen", |command| {
        command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(&key);
    });
    assert!(generate.status.success(), "{}", text(&generate));
    let drop_in = fs::read_to_string(source().join("sshd_config.d/00-podspawn.conf")).unwrap();
    assert!(drop_in.contains("Match Group podspawn\n"));
    let drop_in = drop_in
        .replace("@bin@", "/usr/bin/podspawn")
        .replace("Match Group podspawn\n", &format!("Match Group {group}\n"));
    fs::write(directory.path().join("00-podspawn.conf"), drop_in).unwrap();
    let main = directory.path().join("sshd_config");
    let included = directory.path().join("*.conf");
    // Another tool's hook, which must stay its own; the rest is behind our Match block, as on Debian.
    let text_of_main = format!(
        "HostKey {}\nAuthorizedKeysCommand /bin/echo other\nAuthorizedKeysCommandUser nobody\nInclude {}\nX11Forwarding yes\n",
        key.display(),
        included.display()
    );
    fs::write(&main, text_of_main).unwrap();
    fs::create_dir_all("/run/sshd").unwrap();
    let check = run("sshd", |command| {
        command.arg("-t").arg("-f").arg(&main);
    });
    assert_silent(&check);
    let output = run("sshd", |command| {
        command.arg("-T").arg("-C").arg(format!("user={user},host=h,addr=127.0.0.1")).arg("-f").arg(&main);
    });
    assert!(output.status.success(), "{}", text(&output));
    text(&output).lines().map(str::to_owned).collect()
}

#[test]
fn sshd_gives_a_podspawn_user_our_command_and_no_way_around_it() {
    let options = sshd("root", "root");
    for option in [
        "authorizedkeyscommand /usr/bin/podspawn auth-keys %u %t %k",
        "authorizedkeyscommanduser podspawn-keys",
        "authorizedkeysfile none",
        "forcecommand exec /usr/bin/podspawn spawn",
        "passwordauthentication no",
        "kbdinteractiveauthentication no",
        "permituserrc no",
        "permittunnel no",
        "allowtcpforwarding no",
        "allowstreamlocalforwarding no",
        "allowagentforwarding yes",
        "gatewayports no",
        "x11forwarding no",
        "permitopen any",
    ] {
        let similar =
            || options.iter().filter(|line| line.split(' ').next() == option.split(' ').next()).collect::<Vec<_>>();
        let found = options.iter().any(|line| line == option);
        assert!(found, "{option}: {:?}", similar());
    }
    let accepted: Vec<&str> = options.iter().filter_map(|line| line.strip_prefix("acceptenv ")).collect();
    assert_eq!(accepted, ["LANG", "LC_*", "COLORTERM", "NO_COLOR", "PODSPAWN_PROJECT"]);
}

#[test]
fn sshd_leaves_all_other_users_alone() {
    let options = sshd("no-such-group", "root");
    for option in [
        "authorizedkeyscommand /bin/echo other",
        "authorizedkeyscommanduser nobody",
        "forcecommand none",
        "x11forwarding yes",
    ] {
        assert!(options.iter().any(|line| line == option), "{option}: {options:#?}");
    }
    assert!(!options.iter().any(|line| line.contains("podspawn")));
}

/// The lines of the shell block in docs/install.md that begins with `first`.
fn install_block(first: &str) -> String {
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/install.md")).unwrap();
    let (_, rest) = page.split_once(&format!("```sh\n{first}")).expect(first);
    format!("{first}{}", rest.split_once("```").unwrap().0)
}

/// Every file and link below `root`.
fn files_below(root: &Path) -> Vec<String> {
    let list = run("find", |command| {
        command.arg(root).args(["!", "-type", "d", "-printf", "%P\n"]);
    });
    let mut files: Vec<String> = text(&list).lines().map(str::to_owned).collect();
    files.sort();
    files
}

#[test]
fn an_installation_from_source_is_removed_completely() {
    let root = tempfile::tempdir().unwrap();
    let stubs = tempfile::tempdir().unwrap();
    // What acts on the machine and not on files; and `podspawn list-users`, which wants one.
    for stub in ["cargo", "systemctl", "journalctl", "sysctl", "userdel", "groupdel"] {
        fs::write(stubs.path().join(stub), "#!/bin/sh\n").unwrap();
    }
    let binary = env!("CARGO_BIN_EXE_podspawn");
    let podspawn =
        format!("#!/bin/sh\ncase $1 in man|completions) exec {binary} \"$@\" ;; list-users) echo '[]' ;; esac\n");
    fs::write(stubs.path().join("podspawn"), podspawn).unwrap();
    for stub in fs::read_dir(stubs.path()).unwrap() {
        fs::set_permissions(stub.unwrap().path(), fs::Permissions::from_mode(0o755)).unwrap();
    }
    for directory in [
        "usr/bin",
        "usr/lib/systemd/system",
        "usr/lib/sysusers.d",
        "usr/lib/tmpfiles.d",
        "usr/lib/sysctl.d",
        "etc/logrotate.d",
        "usr/share/bash-completion/completions",
    ] {
        fs::create_dir_all(root.path().join(directory)).unwrap();
    }
    let follow = |block: String| {
        let mut script = block.replace("target/*-linux-gnu/release/podspawn", binary);
        for top in ["usr", "etc", "var", "run"] {
            for before in [" ", "\""] {
                script =
                    script.replace(&format!("{before}/{top}/"), &format!("{before}{}/{top}/", root.path().display()));
            }
        }
        let path = format!("{}:{}", stubs.path().display(), std::env::var("PATH").unwrap());
        let done = run("bash", |command| {
            command.args(["-euo", "pipefail", "-c", &script]).env("PATH", path).current_dir(env!("CARGO_MANIFEST_DIR"));
        });
        assert!(done.status.success(), "{script}\n{}", text(&done));
    };
    follow(install_block("cargo build --release\n"));
    let there = files_below(root.path());
    for file in [
        "usr/bin/podspawn",
        "usr/share/man/man8/podspawn-doctor.8",
        "usr/lib/systemd/system/user@.service.d/podspawn.conf",
    ] {
        assert!(there.iter().any(|found| found == file), "{file}: {there:?}");
    }
    // Whatever is in systemd/ for every host is among them.
    for below in [
        ".",
        "sysusers.d",
        "tmpfiles.d",
        "sysctl.d",
        "user@.service.d",
        "catalog",
        "logrotate.d",
        "prometheus",
        "grafana",
    ] {
        for file in installed(below).1 {
            let name = file.file_name().unwrap().to_string_lossy().into_owned();
            assert!(there.iter().any(|found| found.ends_with(&format!("/{name}"))), "{below}/{name} is not installed");
        }
    }
    follow(install_block("podspawn list-users --json | jq"));
    assert_eq!(files_below(root.path()), Vec::<String>::new());
}

#[test]
fn a_user_manager_is_skipped_for_the_group_and_started_for_all_other_users() {
    let text_of = fs::read_to_string(source().join("user@.service.d/podspawn.conf")).unwrap();
    let line = text_of.lines().find_map(|line| line.strip_prefix("ExecCondition=+/bin/sh -c '")).unwrap();
    let script = line.strip_suffix('\'').unwrap().replace("%i", "1000");
    let stubs = tempfile::tempdir().unwrap();
    let id = stubs.path().join("id");
    let code = |groups: &str| {
        fs::write(&id, format!("#!/bin/sh\n[ \"$1 $2 $3\" = '-Gn -- 1000' ] || exit 9\n{groups}\n")).unwrap();
        fs::set_permissions(&id, fs::Permissions::from_mode(0o755)).unwrap();
        let path = stubs.path().display().to_string();
        Command::new("/bin/sh").args(["-c", &script]).env("PATH", path).status().unwrap().code()
    };
    assert_eq!((code("echo podspawn"), code("echo users podspawn docker")), (Some(1), Some(1)));
    for other in
        ["echo users", "echo podspawn-admin sudo", "echo my-podspawn", "exit 1", "echo 'id: no such user' >&2; exit 1"]
    {
        assert_eq!(code(other), Some(0), "{other}");
    }
}
