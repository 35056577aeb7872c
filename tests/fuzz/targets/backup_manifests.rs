//! The manifest of a backup, which root restores from: no name in it leads out of the backup.
#![no_main]

use libfuzzer_sys::fuzz_target;
use std::path::{Component, Path};

fuzz_target!(|bytes: &[u8]| {
    let Some((paths, ids)) = podspawn::backup::fuzz_manifest(bytes) else { return };
    for path in &paths {
        let path = Path::new(path);
        assert!(path.components().next().is_some(), "an entry without a name");
        assert!(path.components().all(|part| matches!(part, Component::Normal(_))), "{}", path.display());
    }
    // To the kernel this number is "no change": the file would stay root's.
    assert!(!ids.contains(&u32::MAX));
});
