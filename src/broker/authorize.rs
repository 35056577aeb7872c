//! The access table: which caller may use which method, and on whose sessions.
//!
//! A method's handler takes a [`Grant`] of that method, and [`authorize`] alone makes one. Without an entry in the table a
//! method does not compile; a test compares the table with the definitions of the interfaces.

use super::{
    caller::{Caller, Role},
    reply::Failure,
};
use crate::{
    domain::UserName,
    protocol::varlink::{Call, Method},
};
use std::{fmt::Write as _, marker::PhantomData};

/// The decision about one method for one role. A caller with several roles has the largest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[must_use]
pub(super) enum Decision {
    /// Refused.
    No,
    /// Permitted, for the sessions of the caller's own account.
    Own,
    /// Permitted, for the sessions of all users where the method concerns sessions.
    All,
}

/// The decisions about one method, in the order of [`Role::ALL`].
#[rustfmt::skip] // columns
#[allow(clippy::match_same_arms, reason = "a row for each method")]
const fn access(method: Method) -> [Decision; Role::ALL.len()] {
    use Decision::{All, No, Own};
    match method {
        //                                User, Administrator, Broker, Metrics, Any
        Method::Attach =>                  [Own, No,  No,  No,  No],
        Method::List =>                    [Own, All, No,  No,  No],
        Method::Stop =>                    [Own, All, No,  No,  No],
        Method::Ended =>                   [Own, All, No,  No,  No],
        Method::Snapshot =>                [Own, All, No,  All, No],
        Method::Measurements =>            [No,  All, No,  All, No],
        Method::Cleanup =>                 [No,  All, All, No,  No],
        Method::Diagnose =>                [No,  All, No,  No,  No],
        Method::VerifyImage =>             [No,  All, No,  No,  No],
        Method::GetInfo =>                 [All, All, All, All, All],
        Method::GetInterfaceDescription => [All, All, All, All, All],
    }
}

/// The decision about `method` for `caller`.
pub(super) fn decide(caller: &Caller, method: Method) -> Decision {
    let decisions = Role::ALL.into_iter().zip(access(method));
    decisions.filter(|(role, _)| caller.has(*role)).map(|(_, decision)| decision).max().unwrap_or(Decision::No)
}

/// Permission for one call of the method `M`.
#[derive(Debug)]
#[must_use]
pub(super) struct Grant<'a, M> {
    caller: &'a Caller,
    sessions: Sessions<'a>,
    method: PhantomData<M>,
}

/// The sessions that a grant covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sessions<'a> {
    Own(&'a UserName),
    All,
}

/// Applies the table.
pub(super) fn authorize<M: Call>(caller: &Caller) -> Result<Grant<'_, M>, Failure> {
    let sessions = match (decide(caller, M::METHOD), &caller.user) {
        (Decision::All, _) => Sessions::All,
        (Decision::Own, Some(user)) => Sessions::Own(user),
        (Decision::Own, None) | (Decision::No, _) => return Err(Failure::permission_denied()),
    };
    Ok(Grant { caller, sessions, method: PhantomData })
}

impl<'a, M> Grant<'a, M> {
    /// The caller.
    pub(super) const fn caller(&self) -> &'a Caller {
        self.caller
    }

    /// The caller's own account. A caller without one, such as an administrator, is refused.
    pub(super) fn own(&self) -> Result<&'a UserName, Failure> {
        self.caller.user.as_ref().ok_or_else(Failure::permission_denied)
    }

    /// The user whose sessions the call concerns; `None` is all users. With `own` it is the caller's own account.
    pub(super) fn sessions_of(&self, own: bool) -> Result<Option<&'a UserName>, Failure> {
        match self.sessions {
            Sessions::All if !own => Ok(None),
            Sessions::All | Sessions::Own(_) => self.own().map(Some),
        }
    }

    /// Whether the grant covers the sessions of `user`.
    pub(super) fn covers(&self, user: &UserName) -> bool {
        match self.sessions {
            Sessions::All => true,
            Sessions::Own(own) => own == user,
        }
    }
}

/// The access table as Markdown: a row for each method, a column for each role.
#[must_use]
pub fn access_table() -> String {
    let mut table = String::from("| Method |");
    for role in Role::ALL {
        let _ = write!(table, " {} |", role.description());
    }
    table.push_str("\n|---|");
    table.push_str(&"---|".repeat(Role::ALL.len()));
    for method in Method::ALL {
        let _ = write!(table, "\n| `{}` |", method.name());
        for decision in access(*method) {
            let cell = match decision {
                Decision::No => "no",
                Decision::Own => "own",
                Decision::All => "all",
            };
            let _ = write!(table, " {cell} |");
        }
    }
    table.push('\n');
    table
}

#[cfg(test)]
mod tests;
