use super::*;
use std::os::unix::fs::PermissionsExt as _;

fn image(files: &[(&str, &str, u32)]) -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    for (path, content, mode) in files {
        let path = root.path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
    }
    root
}

fn look(root: &tempfile::TempDir) -> Facts {
    Examiner { root: root.path().to_owned(), image: Vec::new(), own: Some(70_000), runs: false }
        .look(&Login { name: LOGIN.parse().unwrap(), shell: "/bin/bash".into() })
}

#[test]
fn an_image_of_nothing_gets_an_account_and_a_home_and_has_nothing_else() {
    let facts = look(&image(&[("app", "\x7fELF", 0o755)]));
    assert_eq!((facts.account.uid, facts.account.problem, facts.account.holder), (Some(70_000), None, None));
    assert_eq!(facts.account.home, format!("/home/{LOGIN}"));
    assert!(facts.account.temporary_problem.is_some(), "there is no /tmp");
    assert_eq!((facts.shell, facts.git, facts.sftp_server, facts.image_machine), (None, None, None, None));
    assert!(facts.locales.is_empty() && facts.certificates.is_none() && !facts.has_zones && !facts.is_musl);
}

#[test]
fn what_an_image_has_is_found_where_distributions_keep_it() {
    let root = image(&[
        ("etc/passwd", "root:x:0:0::/:/bin/sh\nubuntu:x:1000:1000::/home/ubuntu:/bin/bash\n", 0o644),
        ("etc/ssl/cert.pem", "x", 0o644),
        ("bin/sh", "", 0o755),
        ("usr/bin/git", "", 0o755),
        ("usr/bin/rsync", "", 0o755),
        ("usr/bin/sudo", "", 0o4755),
        ("bin/mount", "", 0o4755),
        ("usr/lib/ssh/sftp-server", "", 0o755),
        ("usr/lib/locale/C.utf8/LC_CTYPE", "", 0o644),
        ("usr/share/zoneinfo/Etc/UTC", "x", 0o644),
        ("lib/ld-musl-x86_64.so.1", "", 0o755),
    ]);
    let facts = look(&root);
    assert_eq!((facts.account.uid, facts.account.holder), (Some(70_000), None));
    let root = image(&[("etc/passwd", "odd:x:70000:1::/:/bin/sh\n", 0o644)]);
    assert_eq!(look(&root).account.holder.as_deref(), Some("odd"));
    assert_eq!(facts.shell.unwrap().path, "/bin/sh");
    assert_eq!(facts.git.unwrap().path, "/usr/bin/git");
    assert_eq!((facts.rsync.as_deref(), facts.scp), (Some("/usr/bin/rsync"), None));
    assert_eq!(facts.sftp_server.as_deref(), Some("/usr/lib/ssh/sftp-server"));
    assert_eq!(facts.certificates.as_deref(), Some("/etc/ssl/cert.pem"));
    assert_eq!(facts.locales, ["C.utf8"]);
    assert!(facts.has_zones && facts.is_musl);
    // Only root's count; the tests may run as another user.
    if rustix::process::geteuid().is_root() {
        assert_eq!(facts.set_uid, ["sudo", "mount"]);
    }
}

#[test]
fn accounts_that_cannot_be_read_are_the_whole_report() {
    let root = image(&[("etc/passwd/file", "", 0o644), ("bin/sh", "", 0o755)]);
    let facts = look(&root);
    assert!(facts.account.problem.unwrap().contains("not a regular file"));
    assert_eq!((facts.account.uid, facts.shell), (None, None));
}

#[test]
fn a_temporary_directory_for_all_users_is_writable_and_one_for_root_is_not() {
    let root = image(&[("bin/sh", "", 0o755)]);
    fs::create_dir(root.path().join("tmp")).unwrap();
    fs::set_permissions(root.path().join("tmp"), fs::Permissions::from_mode(0o1777)).unwrap();
    // What is above it is the test's own.
    fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
    assert_eq!(look(&root).account.temporary_problem, None);
    if rustix::process::geteuid().is_root() {
        fs::set_permissions(root.path().join("tmp"), fs::Permissions::from_mode(0o755)).unwrap();
        assert!(look(&root).account.temporary_problem.is_some());
    }
    assert_eq!(fs::read_dir(root.path().join("tmp")).unwrap().count(), 0);
}
