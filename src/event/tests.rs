//! One of each event, and what the sinks make of them.

use super::*;
use crate::{
    audit,
    domain::{RemovedKind, UserName},
    measure::Measures,
};
use std::{collections::BTreeSet, fs, io, path::Path};

/// Calls `visit` with one of each event and with its variations, each with a subject.
pub(crate) fn samples(visit: &mut dyn FnMut(&Subject<'_>, &Event<'_>)) {
    let user: UserName = "alice".parse().unwrap();
    for project in [None, Some("backend".parse().unwrap())] {
        of_session(&SessionKey { user: user.clone(), project }, visit);
    }
    of_broker(user.as_ref(), visit);
}

fn of_session(key: &SessionKey, visit: &mut dyn FnMut(&Subject<'_>, &Event<'_>)) {
    let (id, container) = (SessionId::from_bits(1), ContainerName::of(key));
    let container_id: ContainerId = "a".repeat(64).parse().unwrap();
    let error = io::Error::from(io::ErrorKind::NotFound);
    let channel = ChannelId(5);
    let (run, long) = (Run::command(b"ls\n\xff"), Run::command(&[b'x'; 5000]));
    let begun = Subject::session(key, &id, &container, None);
    let create = Event::ContainerCreate { image: "debian:12", mode: Mode::Ttl, phases: &[] };
    visit(&begun, &create);
    let created = [
        Event::ContainerCreate { image: "debian:12", mode: Mode::Ttl, phases: &[("make", Duration::from_secs(1))] },
        Event::ContainerCreateFailed { error: &error },
        Event::Connect { channel, run: &run },
        Event::Connect { channel, run: &long },
        Event::Connect { channel, run: &Run::shell() },
        Event::Command { channel, run: &run, outcome: Some(Outcome::Exited(3)) },
        Event::Command { channel, run: &Run::sftp(), outcome: None },
        Event::Disconnect { channel, outcome: Some(Outcome::Killed(9)), reason: None, remaining: 2 },
        Event::Disconnect { channel, outcome: None, reason: Some("idle"), remaining: 0 },
        Event::GuestInvalid { channels: 3 },
        Event::ContainerDestroy { cause: Some(Cause::Lifetime), reason: "it was old" },
    ];
    let subject = Subject::session(key, &id, &container, Some(&container_id));
    for event in &created {
        visit(&subject, event);
    }
    let refused = [Event::PolicyDeny { uid: None, reason: "no" }, Event::AttachFailed { error: &error }];
    for event in &refused {
        visit(&Subject::key(key), event);
    }
}

fn of_broker(user: &str, visit: &mut dyn FnMut(&Subject<'_>, &Event<'_>)) {
    let error = io::Error::from(io::ErrorKind::NotFound);
    let image: ImageRef = "debian:12".parse().unwrap();
    let removed = [RemovedKind::Container, RemovedKind::Directory].map(|kind| Removed {
        kind,
        name: "x".into(),
        reason: "no".into(),
    });
    let counts = [("connect", 2), ("policy_deny", 1)].into();
    let since = "2026-01-02T03:04:05.6Z".parse().unwrap();
    let not_written = Event::NotWritten { counts: &counts, since, reason: "many" };
    let (host, of_user) = (Subject::default(), Subject { user: Some(user), ..Subject::default() });
    let orphan = Subject { session: Some("00"), ..host };
    visit(&of_user, &Event::PolicyDeny { uid: Some(7), reason: "no" });
    visit(&of_user, &Event::AuthKeys { remark: "no" });
    visit(&of_user, &not_written);
    visit(&Subject { user: Some(""), ..host }, &not_written);
    visit(&orphan, &Event::ContainerDestroy { cause: None, reason: "it belongs to no session" });
    visit(&Subject { session: Some("x"), ..host }, &Event::StateInvalid { error: &error });
    let events = [
        Event::PolicyDeny { uid: Some(7), reason: "no" },
        Event::ConfigReload,
        Event::ConfigInvalid { error: &error },
        Event::NotReady { reason: "no" },
        Event::AuditWritten,
        Event::AuditFailed { error: &error },
        Event::LogWritten,
        Event::LogFailed { error: &error },
        Event::IdleExit { after: Duration::from_secs(60) },
        Event::AcceptFailed { error: &error },
        Event::Cleanup { removed: &removed },
        Event::CleanupFailed { error: &error },
        Event::EngineLost { error: &error },
        Event::EngineBack,
        Event::ImageVerified { image: &image, uid: 7 },
        Event::ImageNotVerified { image: &image, uid: 7, error: &error },
    ];
    for event in &events {
        visit(&host, event);
    }
}

/// Compares with a recorded text, so that a change of a name, a field or an order is seen; `RECORD_EVENTS=1` records anew.
pub(crate) fn compare(file: &str, found: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/event/recorded").join(file);
    if std::env::var_os("RECORD_EVENTS").is_some() {
        fs::write(&path, found).unwrap();
    }
    let recorded = fs::read_to_string(&path).unwrap();
    for (found, recorded) in found.lines().zip(recorded.lines()) {
        assert_eq!(found, recorded, "{file}");
    }
    assert_eq!(found, recorded, "{file}");
}

#[test]
fn every_kind_has_a_sample_and_a_name_and_an_id_of_its_own() {
    let mut kinds = BTreeSet::new();
    samples(&mut |_, event| {
        kinds.insert(event.kind());
    });
    assert_eq!(kinds, Kind::ALL.iter().copied().collect());
    assert_eq!(Kind::ALL.iter().map(|kind| kind.name()).collect::<BTreeSet<_>>().len(), Kind::ALL.len());
    assert_eq!(Kind::ALL.iter().map(|kind| kind.message_id()).collect::<BTreeSet<_>>().len(), Kind::ALL.len());
    for kind in Kind::ALL {
        assert_eq!(Kind::named(kind.name()), Some(*kind));
        let id = kind.message_id();
        assert!(id.len() == 32 && id.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')), "{kind:?}: {id}");
    }
}

#[test]
fn the_catalog_explains_every_event_and_no_other() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/catalog/podspawn.catalog");
    let text = fs::read_to_string(path).unwrap();
    let lines: Vec<&str> = text.lines().collect();
    // The name in the comment above, and the id.
    let explained = lines.windows(2).filter_map(|pair| {
        let id = pair[1].strip_prefix("-- ")?;
        Some((pair[0].strip_prefix("# ").expect("no event above an id"), id))
    });
    let mut explained: Vec<_> = explained.collect();
    let mut kinds: Vec<_> = Kind::ALL.iter().map(|kind| (kind.name(), kind.message_id())).collect();
    explained.sort_unstable();
    kinds.sort_unstable();
    assert_eq!(explained, kinds);
}

#[test]
fn a_record_in_the_audit_log_is_what_it_was() {
    let (mut lines, mut number) = (String::new(), 0);
    samples(&mut |subject, event| {
        if let Some(record) = event.record(subject, "2026-01-02T03:04:05.6Z".parse().unwrap()) {
            lines += &audit::line(number, &record);
            number += 1;
        }
    });
    compare("audit.jsonl", &lines);
}

#[test]
fn the_table_names_the_sinks_that_an_event_has() {
    let (mut audited, mut counted) = (BTreeSet::new(), BTreeSet::new());
    samples(&mut |subject, event| {
        if event.record(subject, jiff::Timestamp::default()).is_some() {
            audited.insert(event.kind());
        }
        let measures = Measures::default();
        let before = measures.families();
        event.publish(subject, &measures);
        if measures.families() != before {
            counted.insert(event.kind());
        }
    });
    let with = |sink| Kind::ALL.iter().copied().filter(|kind| kind.sinks().contains(&sink)).collect::<BTreeSet<_>>();
    assert_eq!((audited, counted), (with("audit"), with("metrics")));
}
