//! The owner of a file, on this host and on another.

use super::manifest::Owner;
use crate::accounts::Accounts;
use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;

/// Groups that an installation makes, with a number of its own on each host.
const GROUPS: [&str; 4] = ["root", "podspawn", "podspawn-admin", "podspawn-keys"];

impl Owner {
    /// The owner of a file of the system, with the names.
    pub(super) fn named(file: &Metadata, accounts: &Accounts) -> Self {
        let user = accounts.local(file.uid()).ok().flatten().map(|account| account.name.to_string());
        let is_it = |name: &&str| matches!(accounts.local_group(name), Ok(Some(gid)) if gid == file.gid());
        Self { user, group: GROUPS.into_iter().find(is_it).map(str::to_owned), ..Self::number(file) }
    }

    /// The owner of a file in a home: a number inside a container, with no name on this host.
    pub(super) fn number(file: &Metadata) -> Self {
        Self { uid: file.uid(), gid: file.gid(), user: None, group: None }
    }

    /// Uid and gid on this host: by name where there is an account of that name.
    pub(super) fn here(&self, accounts: &Accounts) -> (u32, u32) {
        let user = self.user.as_ref().and_then(|name| name.parse().ok());
        let uid = user.and_then(|name| accounts.by_name(&name).ok()).map_or(self.uid, |account| account.uid);
        let gid = self.group.as_ref().and_then(|name| accounts.group(name).ok()).unwrap_or(self.gid);
        (uid, gid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_file_goes_to_the_account_of_the_name_whatever_its_number() {
        let root = tempfile::tempdir().unwrap();
        let me = fs::metadata(root.path()).unwrap();
        let etc = root.path().join("etc");
        fs::create_dir(&etc).unwrap();
        let write = |uid: u32, gid: u32| {
            fs::write(etc.join("passwd"), format!("podspawn:x:{uid}:{gid}::/:/bin/sh\n")).unwrap();
            fs::write(etc.join("group"), format!("podspawn-keys:x:{gid}:\n")).unwrap();
        };
        write(me.uid(), me.gid());
        let owner = Owner::named(&me, &Accounts::under(root.path()));
        assert_eq!((owner.user.as_deref(), owner.group.as_deref()), (Some("podspawn"), Some("podspawn-keys")));
        write(123, 456);
        let accounts = Accounts::under(root.path());
        assert_eq!(owner.here(&accounts), (123, 456));
        let unknown = Owner { user: Some("unknown".into()), group: None, ..owner.clone() };
        assert_eq!(unknown.here(&accounts), (me.uid(), me.gid()));
        assert_eq!(Owner::number(&me).here(&accounts), (me.uid(), me.gid()));
    }
}
