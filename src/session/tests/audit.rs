//! What the audit log holds, whatever dies or is full in between.

use super::*;
use serde_json::Value;
use std::{collections::BTreeMap, fs, path::PathBuf};

/// A host that audits into a file of its own directory.
fn audited(config: &str) -> Host {
    let mut host = Host::with_config(config);
    host.settings.config.log.audit_log = Some(path(&host).to_str().unwrap().parse().unwrap());
    host
}

fn path(host: &Host) -> PathBuf {
    host.root.path().join("audit.jsonl")
}

fn events_in(path: &Path) -> Vec<Value> {
    let text = fs::read_to_string(path).unwrap_or_default();
    assert!(text.is_empty() || text.ends_with('\n'), "whole lines: {text}");
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn alice() -> UserName {
    "alice".parse().unwrap()
}

fn names(host: &Host) -> Vec<String> {
    events_in(&path(host)).iter().map(|event| event["event"].as_str().unwrap().to_owned()).collect()
}

/// Each create has its destroy, each connect its disconnect, and every number is there once, in order.
fn assert_balanced(events: &[Value]) {
    let mut open: BTreeMap<String, i32> = BTreeMap::new();
    for event in events {
        let (key, change) = match event["event"].as_str().unwrap() {
            "connect" => (&event["channel"], 1),
            "disconnect" => (&event["channel"], -1),
            "container_create" => (&event["session"], 1),
            "container_destroy" => (&event["session"], -1),
            _ => continue,
        };
        *open.entry(key.as_str().unwrap().to_owned()).or_default() += change;
    }
    assert!(open.values().all(|count| *count == 0), "{open:?} {events:#?}");
    let numbers: Vec<_> = events.iter().map(|event| event["seq"].as_u64().unwrap()).collect();
    assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "{numbers:?}");
}

#[test]
fn a_login_is_recorded_from_the_container_to_its_end() {
    let host = audited("session: {mode: destroy-on-disconnect}");
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        let request =
            Request { program: Program::Command(b"echo \"hi\"\n".to_vec()), ..host.request("alice", Some("backend")) };
        let attached = attach(&sessions, &request).await.unwrap();
        assert_eq!(names(host), ["container_create", "connect"], "before the act");
        let session = attached.session.to_string();
        drop(attached);
        until("it is gone", || sessions.is_empty()).await;
        let events = events_in(&path(host));
        assert_eq!(names(host), ["container_create", "connect", "command", "disconnect", "container_destroy"]);
        assert_balanced(&events);
        for event in &events {
            assert_eq!(
                (&event["user"], &event["project"], &event["session"]),
                (&"alice".into(), &"backend".into(), &session.as_str().into())
            );
        }
        assert_eq!(events[1]["command"], "echo \"hi\"\n");
        assert_eq!((&events[2]["kind"], events[2].get("command")), (&"command".into(), None), "written once");
        assert!(events[1]["container_id"].is_string());
        assert_eq!(events[4]["reason"], "the last connection ended");
    });
}

#[test]
fn a_disconnect_while_the_broker_was_away_is_recorded_when_it_is_back() {
    let host = audited("session: {mode: destroy-on-disconnect}");
    on_host(&host, async |host| {
        let sessions = host.broker();
        let guests = play_guests(host);
        let attached = attach(&sessions, &host.request("alice", None)).await.unwrap();
        let _other = attach(&sessions, &host.request("alice", None)).await.unwrap();
        let directory = Link::directory(&host.sockets(), &attached.session);
        guests.abort();
        std::mem::forget(sessions);
        let again = host.broker();
        tokio::task::spawn_local(Guest::dial(&directory, Vec::new()).await.run());
        until("it is destroyed", || again.is_empty()).await;
        assert_balanced(&events_in(&path(host)));
    });
}

#[test]
fn a_creation_that_a_crash_interrupted_is_recorded_to_its_end() {
    let host = audited("");
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _ = timeout(Duration::from_millis(300), attach(&sessions, &host.request("alice", None))).await;
        let store = Store::open(&host.root.path().join("state.db")).unwrap();
        store.set_state(&sessions.list(None)[0].id, State::Creating).unwrap();
        std::mem::forget(sessions);
        let again = host.broker();
        until("it is removed", || again.is_empty()).await;
        assert_eq!(names(host), ["container_create", "container_destroy"]);
        assert_balanced(&events_in(&path(host)));
    });
}

#[test]
fn a_line_that_was_queued_and_not_written_before_a_crash_is_written_after_it_and_none_twice() {
    let host = audited("");
    on_host(&host, async |host| {
        let sessions = host.broker();
        for number in 0..5 {
            let _ = sessions.audit_denial(&alice(), None, Some(number), "no");
        }
        std::mem::forget(sessions);
        // As if the broker had been killed between the queue and the file, and in the middle of a write before.
        let text = fs::read_to_string(path(host)).unwrap();
        let kept: usize = text.split_inclusive('\n').take(3).map(str::len).sum();
        fs::write(path(host), &text[..kept + 20]).unwrap();
        let again = host.broker();
        assert_eq!(fs::read_to_string(path(host)).unwrap(), text);
        again.close_audit();
        drop(again);
        // Closed in order nothing is doubted, wherever the file has gone.
        fs::remove_file(path(host)).unwrap();
        let third = host.broker();
        let _ = third.audit_denial(&alice(), None, None, "no");
        assert_eq!(events_in(&path(host)).iter().map(|e| e["seq"].as_u64().unwrap()).collect::<Vec<_>>(), [6]);
    });
}

#[test]
fn a_database_of_yesterday_neither_repeats_lines_nor_numbers() {
    let host = audited("");
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _ = sessions.audit_denial(&alice(), None, None, "yesterday");
        let database = host.root.path().join("state.db");
        let copy = host.root.path().join("copy.db");
        let backup = rusqlite::Connection::open(&database).unwrap();
        backup.execute("VACUUM INTO ?", [copy.to_str().unwrap()]).unwrap();
        drop(backup);
        let _ = sessions.audit_denial(&alice(), None, None, "today");
        drop(sessions);
        for file in ["state.db", "state.db-wal", "state.db-shm"] {
            let _ = fs::remove_file(host.root.path().join(file));
        }
        fs::rename(copy, &database).unwrap();
        let again = host.broker();
        let _ = again.audit_denial(&alice(), None, None, "after the restore");
        let events = events_in(&path(host));
        let lines: Vec<_> =
            events.iter().map(|e| (e["seq"].as_u64().unwrap(), e["reason"].as_str().unwrap())).collect();
        assert_eq!(lines, [(1, "yesterday"), (2, "today"), (3, "after the restore")]);
    });
}

#[test]
fn lines_that_a_copytruncate_lost_are_written_again() {
    let host = audited("");
    on_host(&host, async |host| {
        let sessions = host.broker();
        for _ in 0..3 {
            let _ = sessions.audit_denial(&alice(), None, None, "no");
        }
        // What logrotate does when two lines come between its last read and the cut.
        fs::copy(path(host), host.root.path().join("audit.jsonl.1")).unwrap();
        for _ in 0..2 {
            let _ = sessions.audit_denial(&alice(), None, None, "no");
        }
        fs::File::options().write(true).open(path(host)).unwrap().set_len(0).unwrap();
        let _ = sessions.audit_denial(&alice(), None, None, "no");
        let mut events = events_in(&host.root.path().join("audit.jsonl.1"));
        events.extend(events_in(&path(host)));
        assert_balanced(&events);
        assert_eq!(events.len(), 6);
    });
}

#[test]
fn after_a_rename_lines_go_to_the_new_file_once_it_is_opened() {
    let host = audited("");
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _ = sessions.audit_denial(&alice(), None, None, "no");
        let renamed = host.root.path().join("audit.jsonl.1");
        fs::rename(path(host), &renamed).unwrap();
        let _ = sessions.audit_denial(&alice(), None, None, "no");
        sessions.audit_to(Some(Auditing { path: path(host), required: true }));
        let _ = sessions.audit_denial(&alice(), None, None, "no");
        assert_eq!((events_in(&renamed).len(), events_in(&path(host)).len()), (2, 1));
    });
}

#[test]
fn without_an_audit_log_logins_are_refused_if_it_is_required_and_queued_events_are_written_later() {
    for required in [true, false] {
        let mut host = audited("");
        host.settings.config.log.audit_required = required;
        on_host(&host, async |host| {
            let sessions = host.broker();
            let _guests = play_guests(host);
            let attached = attach(&sessions, &host.request("alice", None)).await.unwrap();
            // The file cannot be opened any more.
            fs::remove_file(path(host)).unwrap();
            fs::create_dir(path(host)).unwrap();
            sessions.audit_to(Some(Auditing { path: path(host), required }));
            assert_eq!(host.log().last().unwrap(), "audit_failed");
            let refused = attach(&sessions, &host.request("bob", None)).await;
            let again = attach(&sessions, &host.request("alice", None)).await;
            assert_eq!((refused.is_err(), again.is_err()), (required, required));
            assert_eq!(host.rows(), if required { 1 } else { 2 }, "nothing is half made");
            assert!(refused.as_ref().err().is_none_or(|error| error.for_user().contains("audit log")));
            drop((attached, again, refused));
            until("the end is noticed", || sessions.counts().1 == 0).await;
            fs::remove_dir(path(host)).unwrap();
            until("what waited is written", || names(host).contains(&"disconnect".to_owned())).await;
            assert!(host.log().contains(&"audit_written".to_owned()));
            let all: Vec<_> = names(host);
            assert_eq!(all.iter().filter(|name| *name == "disconnect").count(), if required { 1 } else { 3 });
        });
    }
}

#[test]
fn a_user_who_causes_too_many_events_is_counted_and_another_is_not() {
    let host = audited("session: {mode: destroy-on-disconnect}");
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        let first = attach(&sessions, &host.request("alice", None)).await.unwrap();
        sessions.0.allowance.charge(&alice(), u64::MAX);
        for _ in 0..5 {
            assert!(!sessions.audit_denial(&alice(), None, None, &"no".repeat(1000)));
        }
        // Five seconds' worth, so that no delay of this machine lets it through.
        let long = Request { program: Program::Command(vec![1; 4000]), ..host.request("alice", None) };
        drop(attach(&sessions, &long).await.unwrap());
        assert!(sessions.audit_denial(&"bob".parse().unwrap(), None, None, "no"), "another user's");
        until("the count is written", || names(host).contains(&"not_written".to_owned())).await;
        drop(first);
        until("it is gone", || sessions.is_empty()).await;
        sessions.close_audit();
        let events = events_in(&path(host));
        assert_balanced(&events);
        let count = |name: &str| -> u64 {
            let counted = events.iter().filter(|event| event["event"] == "not_written");
            counted.filter_map(|event| event["counts"][name].as_u64()).sum()
        };
        assert_eq!((count("policy_deny"), count("connect"), count("disconnect")), (5, 1, 0), "{events:#?}");
        assert!(events.iter().filter(|event| event["event"] == "not_written").all(|event| event["user"] == "alice"));
        let named = |name: &str| names(host).iter().filter(|other| *other == name).count();
        assert_eq!((named("policy_deny"), named("connect"), named("command")), (1, 1, 0));
        assert!(named("container_create") == 1 && named("container_destroy") == 1, "containers are always written");
        let logged = |what: &str| host.log().iter().filter(|line| *line == &format!("alice: {what}")).count();
        assert_eq!((logged("connected"), logged("disconnected"), logged("ran")), (1, 1, 0), "{:?}", host.log());
        assert!(host.log().contains(&"not_written".to_owned()));
    });
}

#[test]
fn a_user_over_the_allowance_waits_for_a_container() {
    let host = audited("");
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        sessions.0.allowance.charge(&alice(), u64::MAX);
        let begin = std::time::Instant::now();
        let _attached = attach(&sessions, &host.request("alice", None)).await.unwrap();
        assert!(begin.elapsed() > Duration::from_millis(200), "{:?}", begin.elapsed());
        assert_eq!(names(host).first().map(String::as_str), Some("container_create"));
    });
}

#[test]
fn a_queue_without_room_counts_and_the_database_shrinks_once_the_file_is_written() {
    let mut host = audited("");
    host.settings.config.log.audit_required = false;
    on_host(&host, async |host| {
        let sessions = host.broker();
        fs::remove_file(path(host)).unwrap();
        fs::create_dir(path(host)).unwrap();
        sessions.audit_to(Some(Auditing { path: path(host), required: false }));
        // 40 users with 1 MiB each: more than is kept.
        let reason = "x".repeat(64 << 10);
        for number in 0..40 {
            let user = format!("u{number}").parse().unwrap();
            for _ in 0..16 {
                assert!(sessions.audit_denial(&user, None, None, &reason));
            }
        }
        let database = host.root.path().join("state.db");
        let size =
            || fs::metadata(&database).unwrap().len() + fs::metadata(database.with_extension("db-wal")).unwrap().len();
        assert!(size() < 48 << 20, "{}", size());
        fs::remove_dir(path(host)).unwrap();
        until("what was left out is counted", || names(host).contains(&"not_written".to_owned())).await;
        let events = events_in(&path(host));
        let counted: u64 = events.iter().filter_map(|event| event["counts"]["policy_deny"].as_u64()).sum();
        let written = events.iter().filter(|event| event["event"] == "policy_deny").count() as u64;
        assert_eq!((counted + written, counted > 0), (640, true));
        sessions.close_audit();
        for _ in 0..100 {
            let _ = sessions.0.store.shrink().unwrap();
        }
        drop(sessions);
        assert!(fs::metadata(&database).unwrap().len() < 1 << 20, "{}", fs::metadata(&database).unwrap().len());
    });
}
