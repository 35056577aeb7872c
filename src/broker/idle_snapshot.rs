//! The measurements that a broker leaves when it exits, for callers that ask while no broker runs.
//!
//! A scraper that only reads measurements must not start the broker each time to learn that nothing happens. The file also
//! carries the counters over to the next broker, which removes it. A broker that crashed has left none; the next scrape then
//! starts a broker, because there may be sessions to find.

use crate::{
    measure::{Measures, catalog},
    protocol::measurements::{Family, LAST_MEASUREMENTS, MAX_MEASUREMENTS_BYTES, MeasurementsReply},
    sys::replace::Replacement,
};
use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
};

/// Writes the last measurements, without those of this process. `is_idle` says that the broker exits because no session
/// exists; of the file of any other broker only the counters are used.
pub(super) fn leave(mut families: Vec<Family>, is_idle: bool) {
    let of_process = [catalog::STARTED.name, catalog::BROKER_MEMORY.name, catalog::BROKER_CONNECTIONS.name];
    families.retain(|family| !of_process.contains(&family.name.as_ref()));
    let last = MeasurementsReply { families, resting: is_idle };
    if let Err(error) = write(Path::new(LAST_MEASUREMENTS), &last) {
        tracing::debug!(%error, "writing the last measurements");
    }
}

/// Takes over the counters of the last broker, and removes its file.
pub(super) fn take_over(measures: &Measures) {
    let path = Path::new(LAST_MEASUREMENTS);
    match read(path) {
        Ok(last) => measures.resume(&last.families),
        Err(error) => tracing::debug!(%error, "no measurements of an earlier broker"),
    }
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!("removing {}, whose numbers are old: {error}", path.display());
        }
        _ => {}
    }
}

/// The measurements that a broker left at `path`.
///
/// # Errors
///
/// The file is missing, unreadable or incomplete.
pub fn read(path: &Path) -> io::Result<MeasurementsReply> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_MEASUREMENTS_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes)?)
}

/// Writes the whole file or nothing; readable for the group of its directory.
fn write(path: &Path, last: &MeasurementsReply) -> io::Result<()> {
    Replacement::new(0o640).write(path, &serde_json::to_vec(last)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn measurements_are_read_again_and_other_accounts_cannot_read_them() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("last.json");
        let measures = Measures::default();
        measures.count(&catalog::LOGINS, "ok");
        let last = MeasurementsReply { families: measures.families(), resting: true };
        write(&path, &last).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
        assert_eq!(read(&path).unwrap(), last);
    }

    #[test]
    fn an_incomplete_file_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("last.json");
        fs::write(&path, "{\"families\": [").unwrap();
        assert!(read(&path).is_err());
    }
}
