use super::*;
use crate::domain::UserName;
use std::fs;
use tempfile::TempDir;

fn tree(files: &[(&str, &str)]) -> TempDir {
    let root = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = root.path().join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    root
}

fn problems(root: &Path) -> Vec<String> {
    let place = format!("{}/", root.display());
    load(root).unwrap_err().iter().map(|error| error.to_string().replace(&place, "")).collect()
}

#[test]
fn absent_files_are_the_defaults() {
    assert_eq!(load(Path::new("/nonexistent")).unwrap(), Settings::default());
    assert_eq!(load(tree(&[]).path()).unwrap(), Settings::default());
}

#[test]
fn every_file_is_read() {
    let root = tree(&[
        ("projects.yaml", "web: {repo: /r}"),
        ("users/alice.yaml", "memory: 3g"),
        ("users/.alice.yaml.swp", "\0"),
        ("users/alice.yaml~", "{"),
        ("seccomp.json", "{\"defaultAction\": \"SCMP_ACT_ERRNO\"}"),
    ]);
    let profile = root.path().join("seccomp.json");
    fs::write(
        root.path().join("config.yaml"),
        format!("resources: {{max_per_user: 7}}\nsecurity: {{seccomp_profile: {}}}", profile.display()),
    )
    .unwrap();
    let settings = load(root.path()).unwrap();
    assert_eq!(settings.config.resources.max_per_user, 7);
    assert_eq!(settings.projects.iter().count(), 1);
    assert_eq!(settings.users[&"alice".parse().unwrap()].memory, Some("3g".parse().unwrap()));
    assert_eq!(settings.users.len(), 1);
    assert!(settings.seccomp.unwrap().contains("SCMP_ACT_ERRNO"));
}

#[test]
fn mistakes_of_all_files_are_reported_together() {
    let root = tree(&[
        ("config.yaml", "x: 1\nsecurity: {seccomp_profile: /nonexistent/profile}"),
        ("projects.yaml", "web: {}"),
        ("users/alice.yaml", "a: \u{1}"),
        ("users/-x.yaml", ""),
        ("users/readme.txt", ""),
    ]);
    fs::create_dir(root.path().join("users/dir.yaml")).unwrap();
    let found = problems(root.path());
    assert_eq!(found.len(), 6, "{found:#?}");
    assert!(found[0].starts_with("config.yaml:1:1: unknown key"), "{found:?}");
    assert_eq!(found[1], "projects.yaml:1:1: web.repo is missing");
    assert!(found[2].starts_with("users/-x.yaml: \"-x\" is not a user name"), "{found:?}");
    assert!(found[3].starts_with("users/alice.yaml:1:"), "{found:?}");
    assert_eq!(found[4], "users/dir.yaml: this is not a regular file");
    assert_eq!(found[5], "users/readme.txt: a user's file is called <user>.yaml");
}

#[test]
fn a_named_seccomp_profile_must_be_there_and_be_json() {
    let root = tree(&[("config.yaml", "security: {seccomp_profile: /nonexistent/profile}")]);
    assert!(problems(root.path())[0].starts_with("/nonexistent/profile: no such file"));
    let profile = root.path().join("p.json");
    fs::write(&profile, "[]").unwrap();
    fs::write(root.path().join("config.yaml"), format!("security: {{seccomp_profile: {}}}", profile.display()))
        .unwrap();
    assert!(problems(root.path())[0].starts_with("p.json: this is not a seccomp profile"));
}

#[test]
fn a_bad_change_keeps_the_last_good_settings_and_is_reported_once() {
    let root = tree(&[("config.yaml", "resources: {max_per_user: 1}"), ("users/alice.yaml", "")]);
    let config = root.path().join("config.yaml");
    let mut live = Live::open(root.path()).unwrap();
    assert_eq!(live.refresh(), Refreshed::Unchanged);

    fs::write(&config, "resources: {max_per_user: nine}").unwrap();
    let Refreshed::Kept(problems) = live.refresh() else { panic!("not kept") };
    assert_eq!((problems.len(), live.problems().len()), (1, 1));
    assert_eq!(live.refresh(), Refreshed::Unchanged);
    assert_eq!(live.current().config.resources.max_per_user, 1);

    fs::write(&config, "resources: {max_per_user: 29}").unwrap();
    assert_eq!(live.refresh(), Refreshed::Reloaded);
    assert_eq!((live.current().config.resources.max_per_user, live.problems().len()), (29, 0));
}

#[test]
fn every_kind_of_change_is_noticed() {
    let root = tree(&[("users/alice.yaml", "memory: 1g")]);
    let mut live = Live::open(root.path()).unwrap();
    let steps: [&dyn Fn(); 5] = [
        &|| fs::write(root.path().join("config.yaml"), "log: {file: /l}").unwrap(),
        &|| fs::write(root.path().join("projects.yaml"), "x: {repo: /r}").unwrap(),
        &|| fs::write(root.path().join("users/alice.yaml"), "memory: 22g").unwrap(),
        &|| fs::write(root.path().join("users/bob.yaml"), "").unwrap(),
        &|| fs::remove_dir_all(root.path().join("users")).unwrap(),
    ];
    for (n, step) in steps.into_iter().enumerate() {
        step();
        assert_eq!(live.refresh(), Refreshed::Reloaded, "step {n}");
        assert_eq!(live.refresh(), Refreshed::Unchanged, "step {n}");
    }
    assert!(live.current().users.is_empty());
}

#[test]
fn a_change_that_says_the_same_is_no_news_unless_it_mends_something() {
    let root = tree(&[("config.yaml", "log: {file: /l}"), ("users/alice.yaml", "")]);
    let mut live = Live::open(root.path()).unwrap();
    fs::write(root.path().join("users/.alice.yaml.swp"), "x").unwrap();
    fs::write(root.path().join("config.yaml"), "log:\n  file: /l\n").unwrap();
    assert_eq!(live.refresh(), Refreshed::Unchanged);
    fs::write(root.path().join("config.yaml"), "log: {fiel: /l}").unwrap();
    assert!(matches!(live.refresh(), Refreshed::Kept(_)));
    fs::write(root.path().join("config.yaml"), "log: {file: /l}").unwrap();
    assert_eq!(live.refresh(), Refreshed::Reloaded);
}

#[test]
fn a_fifo_does_not_hold_anybody_up() {
    let root = tree(&[]);
    let fifo = root.path().join("config.yaml");
    rustix::fs::mknodat(rustix::fs::CWD, &fifo, rustix::fs::FileType::Fifo, rustix::fs::Mode::from_raw_mode(0o600), 0)
        .unwrap();
    assert_eq!(problems(root.path()), ["config.yaml: this is not a regular file"]);
}

#[test]
fn a_login_looks_at_the_files_that_concern_it() {
    let root = tree(&[("users/alice.yaml", "memory: 3g"), ("users/bob.yaml", "memory: 3g")]);
    let (alice, bob): (UserName, UserName) = ("alice".parse().unwrap(), "bob".parse().unwrap());
    let mut live = Live::open(root.path()).unwrap();
    // In place: the directory does not change.
    fs::write(root.path().join("users/bob.yaml"), "memory: 12g").unwrap();
    assert_eq!(live.refresh_for(&alice), Refreshed::Unchanged);
    assert_eq!(live.refresh_for(&bob), Refreshed::Reloaded);
    assert_eq!(live.current().users[&bob].memory, Some("12g".parse().unwrap()));
    fs::write(root.path().join("users/carol.yaml"), "memory: 1g").unwrap();
    assert_eq!(live.refresh_for(&alice), Refreshed::Reloaded);
}
