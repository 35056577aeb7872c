//! Callers: the account and the groups of a peer, as the kernel reports them.

use crate::{
    accounts::{AccountError, Accounts},
    domain::UserName,
};
use std::{io, sync::Arc};
use zlink::connection::{Credentials, Gid};

/// Accounts in this group have containers.
const USERS_GROUP: &str = "podspawn";
/// Accounts in this group see and stop the sessions of all users.
const ADMIN_GROUP: &str = "podspawn-admin";
/// Accounts in this group may read measurements.
const METRICS_GROUP: &str = "podspawn-metrics";
/// The uids of services with `DynamicUser=` (systemd's UIDS-GIDS). No user logs in with one: in group `podspawn` such a
/// uid can connect to the socket, and has no session.
const DYNAMIC_UIDS: std::ops::RangeInclusive<u32> = 61_184..=65_519;

/// The process at the other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    /// Its uid, from the kernel.
    pub(super) uid: u32,
    /// Its account, if that may have sessions.
    pub(super) user: Option<UserName>,
    /// Whether it is uid 0 or in group `podspawn-admin`.
    pub(super) admin: bool,
    /// True for the broker's own account, which runs the timers. That account can read and write the state directly, so
    /// allowing it adds no privilege.
    pub(super) service: bool,
    /// Whether it is in group `podspawn-metrics`.
    pub(super) metrics: bool,
}

/// A kind of caller, a column of the access table. A caller can have several roles.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Role {
    /// A member of group `podspawn`.
    User,
    /// Uid 0 or a member of group `podspawn-admin`.
    Administrator,
    /// The broker's own account.
    Broker,
    /// A member of group `podspawn-metrics`.
    Metrics,
    /// Every caller.
    Any,
}

impl Role {
    /// All roles, in the order of the table's columns.
    pub(super) const ALL: [Self; 5] = [Self::User, Self::Administrator, Self::Broker, Self::Metrics, Self::Any];

    /// The column's head.
    pub(super) const fn description(self) -> &'static str {
        match self {
            Self::User => "group `podspawn`",
            Self::Administrator => "root, group `podspawn-admin`",
            Self::Broker => "the broker's account (timers)",
            Self::Metrics => "group `podspawn-metrics`",
            Self::Any => "any other caller",
        }
    }
}

impl Caller {
    /// A caller without any role.
    pub(super) const fn new(uid: u32) -> Self {
        Self { uid, user: None, admin: false, service: false, metrics: false }
    }

    /// Looks up the peer's account; its groups are those it had when it connected.
    pub(super) async fn identify(credentials: &Credentials, accounts: &Arc<Accounts>) -> Result<Self, AccountError> {
        let gids = std::iter::once(credentials.unix_primary_group_id())
            .chain(credentials.unix_supplementary_group_ids().iter().copied());
        Self::of(credentials.unix_user_id().as_raw(), gids.map(Gid::as_raw).collect(), accounts).await
    }

    async fn of(uid: u32, gids: Vec<u32>, accounts: &Arc<Accounts>) -> Result<Self, AccountError> {
        if uid != 0 && uid == rustix::process::geteuid().as_raw() {
            return Ok(Self { service: true, ..Self::new(uid) });
        }
        let metrics = accounts.local_group(METRICS_GROUP)?.is_some_and(|group| gids.contains(&group));
        if DYNAMIC_UIDS.contains(&uid) {
            let admin = accounts.local_group(ADMIN_GROUP)?.is_some_and(|group| gids.contains(&group));
            return Ok(Self { admin, metrics, ..Self::new(uid) });
        }
        // A local account costs one stat; a directory server is asked on another thread.
        if let (Some(account), Some(users), Some(admins)) =
            (accounts.local(uid)?, accounts.local_group(USERS_GROUP)?, accounts.local_group(ADMIN_GROUP)?)
        {
            let user = gids.contains(&users).then_some(account.name);
            return Ok(Self { user, admin: uid == 0 || gids.contains(&admins), metrics, ..Self::new(uid) });
        }
        let accounts = Arc::clone(accounts);
        let lookup = move || {
            let member = |group| match accounts.group(group) {
                Ok(gid) => Ok(gids.contains(&gid)),
                Err(AccountError::Unknown) => Ok(false),
                Err(error) => Err(error),
            };
            let user = if member(USERS_GROUP)? { Some(accounts.by_uid(uid)?.name) } else { None };
            Ok(Self { user, admin: uid == 0 || member(ADMIN_GROUP)?, metrics, ..Self::new(uid) })
        };
        tokio::task::spawn_blocking(lookup).await.map_err(|error| AccountError::Unavailable(io::Error::other(error)))?
    }

    /// Whether it has the role.
    pub(super) const fn has(&self, role: Role) -> bool {
        match role {
            Role::User => self.user.is_some(),
            Role::Administrator => self.admin,
            Role::Broker => self.service,
            Role::Metrics => self.metrics,
            Role::Any => true,
        }
    }

    /// Whether it has no role of its own.
    pub(super) const fn is_stranger(&self) -> bool {
        self.user.is_none() && !self.admin && !self.service && !self.metrics
    }

    /// Whether it can only read measurements. Such a connection does not keep the broker running.
    pub(super) const fn only_measures(&self) -> bool {
        self.metrics && self.user.is_none() && !self.admin
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const PASSWD: &str = "root:x:0:0::/root:/bin/sh\nalice:x:2000:2000::/home/alice:/bin/sh\n\
                          dynamic:x:61200:61200::/:/bin/sh\n";
    const GROUP: &str = "podspawn:x:100:\npodspawn-admin:x:101:\npodspawn-metrics:x:102:\n";

    fn identified(uid: u32, gids: &[u32]) -> Caller {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("etc")).unwrap();
        fs::write(root.path().join("etc/passwd"), PASSWD).unwrap();
        fs::write(root.path().join("etc/group"), GROUP).unwrap();
        let accounts = Arc::new(Accounts::under(root.path()));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(Caller::of(uid, gids.to_vec(), &accounts)).unwrap()
    }

    #[test]
    fn a_caller_has_the_roles_of_its_groups() {
        let alice = Caller { user: "alice".parse().ok(), ..Caller::new(2000) };
        assert_eq!(identified(2000, &[2000]), Caller::new(2000));
        assert_eq!(identified(2000, &[2000, 100]), alice);
        assert_eq!(identified(2000, &[2000, 100, 101]), Caller { admin: true, ..alice.clone() });
        assert_eq!(identified(2000, &[102]), Caller { metrics: true, ..Caller::new(2000) });
        assert_eq!(identified(0, &[0]), Caller { admin: true, ..Caller::new(0) });
    }

    #[test]
    fn a_service_with_a_dynamic_uid_is_no_user_whatever_its_groups() {
        assert!(identified(61_200, &[61_200, 100]).is_stranger());
        assert_eq!(identified(61_200, &[100, 102]), Caller { metrics: true, ..Caller::new(61_200) });
    }

    #[test]
    fn a_caller_of_the_metrics_group_alone_does_not_keep_the_broker_running() {
        let metrics = Caller { metrics: true, ..Caller::new(2000) };
        assert!(metrics.only_measures() && !metrics.is_stranger());
        assert!(!Caller { user: "alice".parse().ok(), ..metrics.clone() }.only_measures());
        assert!(!Caller { admin: true, ..metrics }.only_measures());
    }
}
