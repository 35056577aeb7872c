use super::*;

fn owner() -> Owner {
    Owner { uid: 0, gid: 990, user: Some("root".into()), group: Some("podspawn-keys".into()) }
}

fn entry(path: &str, kind: Kind) -> Entry {
    let path = Bytes::new(path.into()).unwrap().try_into().unwrap();
    Entry { path, kind, mode: 0o640, owner: owner(), modified: 7 }
}

fn file(path: &str) -> Entry {
    entry(path, Kind::File { size: 3, sha256: Sum::of(b"abc") })
}

fn link(path: &str) -> Entry {
    entry(path, Kind::Link { target: Bytes::new(b"/etc/shadow".to_vec()).unwrap() })
}

fn directory(path: &str) -> Entry {
    entry(path, Kind::Directory)
}

fn parsed(entries: Vec<Entry>) -> Result<Manifest, ManifestError> {
    let schema = entries.iter().any(|entry| entry.path == EntryPath::known(DATABASE)).then_some(2);
    let manifest = Manifest::new(schema, "bench".into(), "2026-03-15T10:15:30Z".into(), Vec::new(), entries);
    Manifest::parse(&serde_json::to_vec(&manifest).unwrap())
}

fn whole() -> Vec<Entry> {
    let strange = directory("homes").path.join(std::ffi::OsStr::new("alice")).unwrap();
    let strange = strange.join(std::os::unix::ffi::OsStrExt::from_bytes(b"caf\xe9\n")).unwrap();
    vec![
        file("state.db"),
        file("config.yaml"),
        directory("keys"),
        file("keys/alice"),
        directory("users"),
        directory("homes"),
        directory("homes/alice"),
        link("homes/alice/shadow"),
        Entry { path: strange, ..file("config.yaml") },
    ]
}

#[test]
fn a_manifest_reads_back_as_written_whatever_names_are_in_it() {
    let manifest = parsed(whole()).unwrap();
    assert_eq!(manifest.entries.len(), whole().len());
    for entry in whole() {
        assert!(manifest.entries.contains(&entry), "{entry:?}");
    }
    let json: serde_json::Value = serde_json::to_value(&manifest).unwrap();
    let key = json["entries"].as_array().unwrap().iter().find(|entry| entry["path"] == "keys/alice").unwrap();
    assert_eq!(
        *key,
        serde_json::json!({
            "path": "keys/alice", "type": "file", "size": 3, "mode": "0640", "uid": 0, "gid": 990, "user": "root",
            "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
            "group": "podspawn-keys", "modified": 7,
        })
    );
}

#[test]
fn a_name_that_leaves_its_place_is_none() {
    for bad in ["", "/etc/shadow", "..", "keys/..", "keys/../x", "keys/./x", "keys//x", "keys/", "a\0b"] {
        let path = Bytes::new(bad.into()).and_then(EntryPath::try_from);
        assert!(path.is_err(), "{bad:?}");
    }
    let long = Bytes::new("keys/".bytes().chain([b'a'; 256]).collect()).unwrap();
    assert!(EntryPath::try_from(long).is_err());
    let deep = Bytes::new(["homes"; 129].join("/").into_bytes()).unwrap();
    assert!(EntryPath::try_from(deep).is_err());
    assert!(Bytes::new(vec![b'a'; 4096]).is_err());
}

#[test]
fn an_entry_that_no_backup_has_is_refused() {
    for (bad, message) in [
        (file("passwd"), "no backup has such a file"),
        (file("manifest.json"), "no backup has such a file"),
        (directory("state.db"), "no backup has such a file"),
        (file("keys"), "no backup has such a file"),
        (link("config.yaml"), "no backup has such a file"),
        (link("keys/bob"), "no backup has such a file"),
        (directory("keys/bob"), "no backup has such a file"),
        (file("keys/a/b"), "no backup has such a file"),
        (link("homes/bob"), "no backup has such a file"),
        (directory("homes/.hidden"), "no backup has such a file"),
        (file("homes/bob/x"), "below no directory"),
        (file("homes/alice/shadow/x"), "below no directory"),
        (file("keys/alice"), "not in order"),
        (Entry { mode: 0o10_000, ..file("projects.yaml") }, "not a mode"),
        (Entry { owner: Owner { uid: u32::MAX, ..owner() }, ..file("projects.yaml") }, "not the id of an owner"),
        (Entry { owner: Owner { gid: u32::MAX, ..owner() }, ..file("projects.yaml") }, "not the id of an owner"),
    ] {
        let mut entries = whole();
        if message != "not in order" {
            entries.retain(|entry| entry.path != bad.path);
        }
        entries.push(bad.clone());
        let error = parsed(entries).unwrap_err().to_string();
        assert!(error.contains(message), "{bad:?}: {error}");
    }
}

#[test]
fn a_manifest_of_another_format_or_another_program_is_refused() {
    let manifest = Manifest::new(None, "h".into(), String::new(), Vec::new(), Vec::new());
    for (changed, message) in [
        (Manifest { format: 2, ..manifest.clone() }, "format 2, this podspawn knows 1"),
        (Manifest { kind: "another".into(), ..manifest.clone() }, "not podspawn's"),
        (Manifest { schema: Some(2), ..manifest.clone() }, "schema without a database"),
    ] {
        let error = Manifest::parse(&serde_json::to_vec(&changed).unwrap()).unwrap_err().to_string();
        assert!(error.contains(message), "{error}");
    }
    let text = serde_json::to_vec(&parsed(whole()).unwrap()).unwrap();
    for length in (0..text.len()).step_by(41) {
        assert!(Manifest::parse(&text[..length]).is_err(), "{length} bytes of it");
    }
}
