use super::*;
use std::{
    fmt::Write as _,
    fs,
    io::{BufRead as _, BufReader, Write as _},
    os::unix::net::UnixListener,
    process::Command,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// A tree with these lines in `etc/passwd` and `etc/group`.
fn tree(passwd: &str, group: &str) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir_all(root.path().join("etc")).unwrap();
    fs::write(root.path().join("etc/passwd"), passwd).unwrap();
    fs::write(root.path().join("etc/group"), group).unwrap();
    root
}

/// A user database that answers one call with `reply`, and what it was asked.
fn userdb(root: &Path, reply: &'static str) -> std::thread::JoinHandle<String> {
    let directory = root.join("run/systemd/userdb");
    fs::create_dir_all(&directory).unwrap();
    let listener = UnixListener::bind(directory.join("io.systemd.Multiplexer")).unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let mut asked = Vec::new();
        BufReader::new(stream.try_clone().unwrap()).read_until(0, &mut asked).unwrap();
        stream.write_all(reply.as_bytes()).unwrap();
        asked.pop();
        String::from_utf8(asked).unwrap()
    })
}

/// A getent in the tree. Another process writes it: a test that forks while this one held it open for writing would
/// make it "text file busy".
fn getent(root: &Path, script: &str) {
    let path = root.join("usr/bin/getent");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let write = "printf '#!/bin/sh\\n%s\\n' \"$1\" > \"$2\" && chmod 755 \"$2\"";
    let status = Command::new("sh").args(["-c", write, "sh", script]).arg(path).status().unwrap();
    assert!(status.success());
}

#[test]
fn the_first_line_of_an_uid_is_its_account() {
    let root = tree(
        "# comment\n\nbroken:line\n+::::::\nroot:x:0:0:root:/root:/bin/bash\nalice:x:1000:100:Ä,,:/home/alice:\n\
         alias:x:1000:100::/x:/bin/sh\nbad name:x:1001:1:::\nshort:x:1002:1\nsigned:x:+1003:1:::\n",
        "podspawn:x:990:alice\nbroken:x:y:\n",
    );
    let accounts = Accounts::under(root.path());
    let alice = accounts.by_uid(1000).unwrap();
    assert_eq!((alice.name.as_ref(), alice.gid), ("alice", 100));
    assert_eq!((alice.home, alice.shell), ("/home/alice".into(), "/bin/sh".into()));
    for uid in [1, 1001, 1002, 1003] {
        assert!(matches!(accounts.by_uid(uid), Err(AccountError::Unknown)), "{uid}");
    }
    assert_eq!(accounts.by_name(&"alice".parse().unwrap()).unwrap().uid, 1000);
    assert_eq!(accounts.group("podspawn").unwrap(), 990);
    for name in ["nogroup", "broken", "a:b", ""] {
        assert!(matches!(accounts.group(name), Err(AccountError::Unknown)), "{name}");
    }
}

#[test]
fn an_answer_lasts_until_the_file_changes() {
    let root = tree("alice:x:1000:100::/home/alice:/bin/sh\n", "");
    let accounts = Accounts::under(root.path());
    assert_eq!(accounts.by_uid(1000).unwrap().name.as_ref(), "alice");
    assert!(accounts.by_uid(1001).is_err());
    // As useradd does: a new file, moved into place.
    let new = root.path().join("etc/passwd+");
    fs::write(&new, "bob:x:1000:100::/home/bob:/bin/sh\ncarol:x:1001:100::/:/bin/sh\n").unwrap();
    fs::rename(new, root.path().join("etc/passwd")).unwrap();
    assert_eq!(accounts.by_uid(1000).unwrap().name.as_ref(), "bob");
    assert_eq!(accounts.by_uid(1001).unwrap().name.as_ref(), "carol");
}

#[test]
fn ten_thousand_accounts_cost_little_and_then_nothing() {
    let mut passwd = String::new();
    for n in 0..10_000 {
        writeln!(passwd, "user{n}:x:{}:100:Some Body,,,:/home/user{n}:/bin/bash", 10_000 + n).unwrap();
    }
    let root = tree(&passwd, "");
    let accounts = Accounts::under(root.path());
    let cold = Instant::now();
    assert_eq!(accounts.by_uid(19_999).unwrap().name.as_ref(), "user9999");
    let cold = cold.elapsed();
    let warm = Instant::now();
    for _ in 0..100 {
        accounts.by_uid(19_999).unwrap();
    }
    let warm = warm.elapsed() / 100;
    println!("cold {cold:?}, warm {warm:?}");
    // Generous for a debug build on a busy machine; the release figures are 1 ms and one stat.
    assert!(cold < Duration::from_millis(200) && warm < Duration::from_millis(2), "{cold:?} {warm:?}");
}

#[test]
fn the_user_database_knows_whom_the_file_does_not() {
    let root = tree("", "");
    let asked = userdb(
        root.path(),
        "{\"parameters\":{\"record\":{\"userName\":\"ldap-user\",\"uid\":70000,\"gid\":71000,\
         \"homeDirectory\":\"/home/l\",\"shell\":\"/bin/zsh\",\"more\":[1]},\"incomplete\":false}}\0",
    );
    let account = Accounts::under(root.path()).by_uid(70_000).unwrap();
    assert_eq!((account.name.as_ref(), account.gid, account.home), ("ldap-user", 71_000, "/home/l".into()));
    let asked: serde_json::Value = serde_json::from_str(&asked.join().unwrap()).unwrap();
    assert_eq!(asked["method"], "io.systemd.UserDatabase.GetUserRecord");
    assert_eq!(asked["parameters"]["uid"], 70_000);
}

#[test]
fn a_no_of_the_user_database_is_final_and_another_account_is_a_no() {
    for reply in [
        "{\"error\":\"io.systemd.UserDatabase.NoRecordFound\",\"parameters\":{}}\0",
        "{\"parameters\":{\"record\":{\"userName\":\"other\",\"uid\":1}}}\0",
        "{\"parameters\":{\"record\":{\"userName\":\"../x\",\"uid\":70000}}}\0",
    ] {
        let root = tree("", "");
        getent(root.path(), "echo ldap-user:x:70000:1:::");
        let database = userdb(root.path(), reply);
        assert!(matches!(Accounts::under(root.path()).by_uid(70_000), Err(AccountError::Unknown)), "{reply}");
        database.join().unwrap();
    }
}

#[test]
fn getent_is_asked_where_the_user_database_does_not_say() {
    for reply in ["{\"error\":\"io.systemd.UserDatabase.ServiceNotAvailable\"}\0", "not json\0", ""] {
        let root = tree("", "");
        getent(root.path(), "[ \"$1 $2 $3\" = 'passwd -- 70000' ] && echo \"u:x:70000:5::${PATH_INFO-/h}:/bin/sh\"");
        let database = userdb(root.path(), reply);
        assert_eq!(Accounts::under(root.path()).by_uid(70_000).unwrap().gid, 5, "{reply}");
        database.join().unwrap();
    }
    let root = tree("", "");
    getent(root.path(), "echo \"$3:x:77:\"");
    assert_eq!(Accounts::under(root.path()).group("ldap-group").unwrap(), 77);
}

#[test]
fn silence_is_unavailable_and_not_unknown() {
    let root = tree("", "");
    let accounts = Accounts::under(root.path());
    let database = userdb(root.path(), "not json\0");
    assert!(matches!(accounts.by_uid(70_000), Err(AccountError::Unavailable(_))));
    database.join().unwrap();
    fs::remove_dir_all(root.path().join("run")).unwrap();
    assert!(matches!(accounts.by_uid(70_000), Err(AccountError::Unknown)));
    getent(root.path(), "exit 2");
    assert!(matches!(accounts.by_uid(70_000), Err(AccountError::Unknown)));
    getent(root.path(), "exit 1");
    assert!(matches!(accounts.by_uid(70_000), Err(AccountError::Unavailable(_))));
    getent(root.path(), "exec sleep 60");
    let start = Instant::now();
    assert!(matches!(accounts.by_uid(70_000), Err(AccountError::Unavailable(_))));
    assert!(start.elapsed() < DEADLINE + Duration::from_secs(2));
}
