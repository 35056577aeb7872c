//! Which user id a user has inside containers.

use super::*;
use crate::{accounts::AccountError, domain::UidRange};

/// The guest's arguments in the container of a session.
fn arguments(host: &Host, sessions: &Sessions<FakeEngine>, user: &str) -> Vec<String> {
    let session = sessions.0.registry.find(&host.request(user, None).key).unwrap();
    let container = session.engine.container().unwrap();
    host.engine.spec_of(&container).unwrap().entrypoint
}

fn with_accounts(host: &Host, user: &str, project: Option<&str>, accounts: HostAccounts) -> Request {
    let mut request = host.request(user, project);
    request.capacity.accounts = accounts;
    request
}

#[test]
fn every_user_has_an_id_of_its_own_in_all_its_containers_and_keeps_it() {
    let host = Host::new();
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        for (user, project) in [("alice", None), ("bob", None), ("alice", Some("backend"))] {
            attach(&sessions, &host.request(user, project)).await.unwrap();
        }
        let of = |user: &str| -> Vec<Option<u32>> {
            sessions.list(Some(&user.parse().unwrap())).iter().map(|session| session.uid).collect()
        };
        assert_eq!(of("alice"), [Some(65_536), Some(65_536)]);
        assert_eq!(of("bob"), [Some(65_537)]);
        let arguments = arguments(host, &sessions, "bob");
        assert!(arguments.contains(&"--uid=65537".to_owned()), "{arguments:?}");
        let key = host.request("bob", None).key;
        assert!(sessions.stop(&key, "test".into()));
        until("bob's session is gone", || sessions.0.registry.find(&key).is_none()).await;
        drop(sessions);
        // Another broker, and another container.
        let sessions = host.broker();
        attach(&sessions, &host.request("bob", None)).await.unwrap();
        assert_eq!(sessions.0.registry.find(&key).unwrap().uid, Some(65_537));
    });
}

#[test]
fn an_id_that_an_account_of_the_host_got_is_replaced_at_the_next_container() {
    let host = Host::new();
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        attach(&sessions, &host.request("alice", None)).await.unwrap();
        assert!(sessions.stop(&host.request("alice", None).key, "test".into()));
        let elsewhere = HostAccounts {
            allot: |current, range, taken| {
                let free = |uid: &u32| *uid != 65_536 && !taken.contains(uid);
                Ok(current.filter(|uid| *uid != 65_536).or_else(|| range.ids().find(free)))
            },
            ..NO_ACCOUNTS
        };
        attach(&sessions, &with_accounts(host, "alice", None, elsewhere)).await.unwrap();
        assert!(sessions.list(None).iter().any(|session| session.uid == Some(65_537)));
    });
}

#[test]
fn where_accounts_are_unknown_or_no_id_is_left_nothing_is_begun() {
    let host = Host::with_config("security: {uid_range: 70000-70001}");
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        let unknown = HostAccounts {
            allot: |_, _, _| Err(AccountError::Unavailable(io::ErrorKind::TimedOut.into())),
            ..NO_ACCOUNTS
        };
        let error = attach(&sessions, &with_accounts(host, "alice", None, unknown)).await.unwrap_err();
        assert!(error.for_user().contains("account database does not answer"), "{error:?}");
        assert_eq!((host.rows(), sessions.list(None).len()), (0, 0));
        attach(&sessions, &host.request("alice", None)).await.unwrap();
        let error = attach(&sessions, &host.request("bob", None)).await.unwrap_err();
        assert!(error.for_user().contains("security.uid_range 70000-70001"), "{error:?}");
        assert_eq!(host.rows(), 1);
        // One whose account is gone gives its id back, unless a container still has it.
        let no_account = HostAccounts { has: |_| Ok(false), ..NO_ACCOUNTS };
        assert!(attach(&sessions, &with_accounts(host, "bob", None, no_account)).await.is_err());
        assert!(sessions.stop(&host.request("alice", None).key, "test".into()));
        until("alice's session is gone", || sessions.is_empty()).await;
        attach(&sessions, &with_accounts(host, "bob", None, no_account)).await.unwrap();
        assert_eq!(sessions.list(None)[0].uid, Some(70_000));
    });
}

#[test]
fn a_diagnosis_names_ids_that_are_shared_taken_or_used_up() {
    let host = Host::with_config("security: {uid_range: 70000-70001}");
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        let range: UidRange = "70000-70001".parse().unwrap();
        assert!(sessions.diagnose(&host.request("alice", None).capacity, range, &[]).await.uids.has_free);
        attach(&sessions, &host.request("alice", None)).await.unwrap();
        let held = HostAccounts { holder: |uid| Some(format!("{uid} of eve")), ..NO_ACCOUNTS };
        let capacity = with_accounts(host, "alice", None, held).capacity;
        let found = sessions.diagnose(&capacity, range, &[]).await.uids;
        assert_eq!((found.allotted, found.has_free, found.shared.len()), (1, false, 0));
        assert_eq!((found.conflicts[0].uid, found.conflicts[0].holder.as_str()), (70_000, "70000 of eve"));
        drop(sessions);
        // As a version without ids of their own left it.
        let path = host.root.path().join("state.db");
        rusqlite::Connection::open(path).unwrap().execute("UPDATE sessions SET uid = NULL", []).unwrap();
        let found = host.broker().diagnose(&capacity, range, &[]).await.uids;
        assert_eq!((found.shared.len(), found.conflicts.len()), (1, 0));
    });
}
