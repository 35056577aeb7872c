//! Who may ask what: the one place where it is decided, from what the kernel says of the peer.
//!
//! | caller | Attach | List, Stop, Ended, Snapshot | Measurements | Cleanup | Diagnose, `VerifyImage` |
//! |---|---|---|---|---|---|
//! | group `podspawn` | its own session | its own | no | no | no |
//! | uid 0, group `podspawn-admin` | as above, if in group `podspawn` too | everybody's | yes | yes | yes |
//! | the broker's own account (its timers) | no | no | no | yes | no |
//! | group `podspawn-metrics` | as without | everybody's Snapshot | yes | no | no |
//! | anyone else | no | no | no | no | no |
//!
//! A uid that systemd has made for a service (`DynamicUser=`) is nobody's who logs in: in group `podspawn` it reaches the
//! socket, and no more.

use crate::{
    accounts::{AccountError, Accounts},
    domain::UserName,
};
use std::{io, sync::Arc};
use zlink::connection::{Credentials, Gid};

/// Accounts in this group have containers.
pub(super) const USERS_GROUP: &str = "podspawn";
/// Who is in this group may ask for measurements.
pub(super) const METRICS_GROUP: &str = "podspawn-metrics";
/// The uids of services with `DynamicUser=` (systemd's UIDS-GIDS).
const DYNAMIC_UIDS: std::ops::RangeInclusive<u32> = 61_184..=65_519;
/// Accounts in this group see and stop everybody's sessions.
pub(super) const ADMIN_GROUP: &str = "podspawn-admin";

/// Who is at the other end of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Caller {
    /// The kernel's word.
    pub(super) uid: u32,
    /// The account, if it may have a session.
    pub(super) user: Option<UserName>,
    /// Whether it sees and stops the sessions of others.
    pub(super) admin: bool,
    /// Whether it runs as the broker's own account, as the timers do. Whoever does could do without the broker.
    pub(super) service: bool,
    /// Whether it may ask for measurements.
    pub(super) metrics: bool,
}

/// What a caller may see.
#[derive(Debug, PartialEq, Eq)]
#[must_use]
pub(super) enum Scope<'a> {
    /// Every session.
    Everybody,
    /// The sessions of one user.
    Own(&'a UserName),
    /// None.
    Nothing,
}

impl Caller {
    /// Looks the peer up; its groups are those it had when it connected.
    pub(super) async fn identify(credentials: &Credentials, accounts: &Arc<Accounts>) -> Result<Self, AccountError> {
        let uid = credentials.unix_user_id().as_raw();
        if uid != 0 && uid == rustix::process::geteuid().as_raw() {
            return Ok(Self { uid, user: None, admin: false, service: true, metrics: false });
        }
        let gids: Vec<u32> = std::iter::once(credentials.unix_primary_group_id())
            .chain(credentials.unix_supplementary_group_ids().iter().copied())
            .map(Gid::as_raw)
            .collect();
        let metrics = accounts.local_group(METRICS_GROUP)?.is_some_and(|group| gids.contains(&group));
        if DYNAMIC_UIDS.contains(&uid) {
            let admin = accounts.local_group(ADMIN_GROUP)?.is_some_and(|group| gids.contains(&group));
            return Ok(Self { uid, user: None, admin, service: false, metrics });
        }
        // A local account is found with one stat; a directory server is asked where waiting holds up nobody else.
        if let (Some(account), Some(users), Some(admins)) =
            (accounts.local(uid)?, accounts.local_group(USERS_GROUP)?, accounts.local_group(ADMIN_GROUP)?)
        {
            let user = gids.contains(&users).then_some(account.name);
            return Ok(Self { uid, user, admin: uid == 0 || gids.contains(&admins), service: false, metrics });
        }
        let accounts = Arc::clone(accounts);
        let lookup = move || {
            let member = |group| match accounts.group(group) {
                Ok(gid) => Ok(gids.contains(&gid)),
                Err(AccountError::Unknown) => Ok(false),
                Err(error) => Err(error),
            };
            let user = if member(USERS_GROUP)? { Some(accounts.by_uid(uid)?.name) } else { None };
            Ok(Self { uid, user, admin: uid == 0 || member(ADMIN_GROUP)?, service: false, metrics })
        };
        tokio::task::spawn_blocking(lookup).await.map_err(|error| AccountError::Unavailable(io::Error::other(error)))?
    }

    /// Whether it may ask for anything at all.
    pub(super) const fn is_stranger(&self) -> bool {
        self.user.is_none() && !self.admin && !self.service && !self.metrics
    }

    /// Whether it only ever looks, which is nothing that the broker stays for.
    pub(super) const fn only_looks(&self) -> bool {
        self.metrics && self.user.is_none() && !self.admin
    }

    /// Whether it may know what is measured of everybody.
    pub(super) const fn may_measure(&self) -> bool {
        self.metrics || self.admin
    }

    /// Which sessions the caller may see.
    pub(super) fn scope(&self) -> Scope<'_> {
        match &self.user {
            _ if self.admin => Scope::Everybody,
            Some(user) => Scope::Own(user),
            None => Scope::Nothing,
        }
    }
}

impl Caller {
    /// The sessions that are the caller's own, whatever else it may see.
    pub(super) fn own(&self) -> Scope<'_> {
        self.user.as_ref().map_or(Scope::Nothing, Scope::Own)
    }
}

impl Scope<'_> {
    /// Whether the sessions of `user` are among them.
    #[must_use]
    pub(super) fn includes(&self, user: &UserName) -> bool {
        match self {
            Self::Everybody => true,
            Self::Own(own) => *own == user,
            Self::Nothing => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_sees_nothing_and_a_user_only_its_own() {
        let alice: UserName = "alice".parse().unwrap();
        let caller = |user: Option<&UserName>, admin| Caller {
            uid: 1000,
            user: user.cloned(),
            admin,
            service: false,
            metrics: false,
        };
        assert_eq!(caller(None, false).scope(), Scope::Nothing);
        assert_eq!(caller(Some(&alice), false).scope(), Scope::Own(&alice));
        assert_eq!(caller(None, true).scope(), Scope::Everybody);
        assert_eq!(caller(Some(&alice), true).scope(), Scope::Everybody);
        let bob: UserName = "bob".parse().unwrap();
        assert!(Scope::Own(&alice).includes(&alice) && !Scope::Own(&alice).includes(&bob));
        assert!(Scope::Everybody.includes(&bob) && !Scope::Nothing.includes(&alice));
    }

    #[test]
    fn measurements_are_for_the_metrics_group_and_administrators_and_give_no_other_right() {
        let plain = Caller { uid: 61_200, user: None, admin: false, service: false, metrics: false };
        let metrics = Caller { metrics: true, ..plain.clone() };
        assert!(metrics.may_measure() && metrics.only_looks() && !metrics.is_stranger());
        assert_eq!(metrics.scope(), Scope::Nothing);
        assert!(plain.is_stranger() && !plain.may_measure());
        let user = Caller { user: Some("alice".parse().unwrap()), ..plain.clone() };
        assert!(!user.may_measure() && !user.only_looks());
        assert!(!Caller { service: true, ..plain.clone() }.may_measure());
        assert!(Caller { admin: true, ..plain }.may_measure());
    }
}
