//! The message id of every event: what `journalctl MESSAGE_ID=` finds, and what the catalog explains it by
//! (`systemd/catalog/podspawn.catalog`). An id never changes and is never used for another event.

/// The id of an event; see the catalog.
pub(super) fn message_id(event: &str) -> Option<&'static str> {
    Some(match event {
        "container_create" => "d12e07c03d8c4724aaaa2b362b01a378",
        "container_create_failed" => "dff59b1fc9224b89bf94f9ea407b3b0d",
        "connect" => "b4d438d966614503b4c958b28c27d9ae",
        "disconnect" => "ec7db4fda1664c3c9acc80935378a652",
        "guest_invalid" => "41dee2ee486341189456c086e82bb30a",
        "command" => "3d5fdf20853046feba361f9fdb2def59",
        "container_destroy" => "69abcf176c0649dcb04120063f65ce15",
        "policy_deny" => "24bcc914e3404f068c7b7601a4522c07",
        "attach_failed" => "9ed2c3616e70450c97212604d2c05ebb",
        "config_reload" => "49256f77a0154ac2847940b554eccf89",
        "config_invalid" => "f94583c0a87e4f778f5abf2caf9d67b4",
        "not_ready" => "95e4bbd24d904a8f8d2d8e90c0372a04",
        "audit_written" => "a80b7a1340d54a3a8cb814a6e4300e4b",
        "audit_failed" => "adf83d7bf622486ca5372a151f6138c8",
        "not_written" => "6b42ef0de4e6486faba5ab6426d0222e",
        "log_written" => "14ce3a32b6f84a91b3d3fb7955199cd4",
        "log_failed" => "269c9fb425dd4a2e956395194d083fbd",
        "state_invalid" => "271b6bb712de4e9db3b7b499a0da047c",
        "idle_exit" => "a76bfd368639474084933e354f52badc",
        "accept_failed" => "c77cd9d8c00945f487cdb4948d7ce79e",
        "cleanup" => "329215a7f2854e258d03163e74042b8c",
        "cleanup_failed" => "992e09e5ce4c47af8aac2bbd036c8f6e",
        "auth_keys" => "ffb8c13a8f494570a4e828915416b536",
        "engine_lost" => "e724f0aaa84346ab82dfa708159467b2",
        "engine_back" => "fcf0690700e2424a849c73c9fe58e07d",
        "image_verified" => "398e7dab7ba747dc87ef89121085e37a",
        "image_not_verified" => "cc272f13932944b3a8fcdb742d90a1ea",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        collections::{BTreeMap, BTreeSet},
        fs,
        path::Path,
    };

    /// The kinds of events that the sources below `directory` tell.
    fn events(directory: &Path, into: &mut BTreeSet<String>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                events(&path, into);
            } else {
                let text = fs::read_to_string(path).unwrap();
                // Not this one.
                let marker = concat!("event", " = \"");
                into.extend(text.split(marker).skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()));
            }
        }
    }

    /// The catalog's entries: the event in the comment above, and the id.
    fn catalog() -> BTreeMap<String, String> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("systemd/catalog/podspawn.catalog");
        let text = fs::read_to_string(path).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let entries = lines.windows(2).filter_map(|pair| {
            let id = pair[1].strip_prefix("-- ")?;
            Some((pair[0].strip_prefix("# ").expect("no event above an id").to_owned(), id.to_owned()))
        });
        entries.collect()
    }

    #[test]
    fn every_event_has_an_id_of_its_own_and_is_explained_under_it() {
        let mut told = BTreeSet::new();
        events(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut told);
        assert!(told.len() > 15, "{told:?}");
        let catalog = catalog();
        for event in &told {
            let id = message_id(event).unwrap_or_else(|| panic!("{event} has no message id"));
            assert!(id.len() == 32 && id.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f')), "{event}: {id}");
            assert_eq!(catalog.get(event).map(String::as_str), Some(id), "{event} in the catalog");
        }
        assert_eq!(catalog.keys().cloned().collect::<BTreeSet<_>>(), told, "explained and told");
        assert_eq!(catalog.values().collect::<BTreeSet<_>>().len(), catalog.len(), "an id is used twice");
    }
}
