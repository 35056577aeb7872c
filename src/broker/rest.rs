//! What a broker leaves that goes because it has nothing to do: its last measurements, for whoever asks meanwhile.
//!
//! Somebody who only looks must not start the broker, again and again, to hear that there is nothing. The file also carries
//! the counters over to the next broker. It is removed by that one, so a broker that crashed has left none, and whoever looks
//! then starts the next: there may be sessions to find.

use super::methods::Broker;
use crate::{
    engine::Engine,
    measure::{Measures, catalog},
    protocol::measurements::{LAST_MEASUREMENTS, MAX_MEASUREMENTS_BYTES, MeasurementsReply},
    sys::replace::Replacement,
};
use std::{
    fs::{self, File},
    io::{self, Read as _},
    path::Path,
    time::Duration,
};

/// How long the engine may take at the end. Whoever wants in meanwhile waits for it.
const ENGINE: Duration = Duration::from_secs(1);

impl<E: Engine + 'static> Broker<E> {
    /// Leaves the last measurements. Those of the process itself are over.
    pub(super) async fn rest(&self) {
        let of_process = [catalog::STARTED.name, catalog::BROKER_MEMORY.name, catalog::BROKER_CONNECTIONS.name];
        // One that is told to go while there are sessions does not rest: it is missing, and of what it leaves only the
        // counters are read. Whoever wants in waits for the next one, so nothing else is looked up.
        let resting = self.sessions.is_empty();
        let mut families = if resting { self.look(ENGINE).await } else { self.measures.families() };
        families.retain(|family| !of_process.contains(&family.name.as_ref()));
        let last = MeasurementsReply { families, resting };
        if let Err(error) = write(Path::new(LAST_MEASUREMENTS), &last) {
            tracing::debug!(%error, "leaving the last measurements");
        }
    }
}

/// Takes over what the last broker left.
pub(super) fn end(measures: &Measures) {
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

/// What a broker left at `path`, whole.
///
/// # Errors
///
/// None, or none that is whole.
pub fn read(path: &Path) -> io::Result<MeasurementsReply> {
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_MEASUREMENTS_BYTES as u64).read_to_end(&mut bytes)?;
    Ok(serde_json::from_slice(&bytes)?)
}

/// Whole or not at all; for the group of its directory to read.
fn write(path: &Path, last: &MeasurementsReply) -> io::Result<()> {
    Replacement::new(0o640).write(path, &serde_json::to_vec(last)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn what_is_left_is_read_again_and_no_stranger_reads_it() {
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
    fn half_a_file_is_none() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("last.json");
        fs::write(&path, "{\"families\": [").unwrap();
        assert!(read(&path).is_err());
    }
}
