use super::*;
use std::{fs, os::unix::fs::PermissionsExt as _};
use tracing_subscriber::layer::SubscriberExt as _;

fn log() -> (tempfile::TempDir, PathBuf, LogFile) {
    let directory = tempfile::tempdir().unwrap();
    let (path, log) = (directory.path().join("podspawn.log"), LogFile::default());
    log.write_to(Some(&path));
    (directory, path, log)
}

fn write(log: &LogFile, line: &str) {
    log.write(|| format!("{line}\n"));
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap()
}

#[test]
fn an_event_is_a_line_and_others_cannot_read_the_file() {
    let (_directory, path, log) = log();
    tracing::subscriber::with_default(tracing_subscriber::registry().with(Layer(log)), || {
        tracing::warn!(event = "policy_deny", uid = 7, "uid {} refused", 7);
    });
    let line = read(&path);
    let (time, rest) = line.split_once(' ').unwrap();
    assert!(time.parse::<jiff::Timestamp>().is_ok() && time.ends_with('Z'), "{time}");
    assert_eq!(rest, "WARN uid 7 refused event=policy_deny uid=7\n");
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o640);
}

#[test]
fn without_a_path_nothing_is_written_and_nothing_is_wrong() {
    let log = LogFile::default();
    write(&log, "one");
    log.reopen();
    assert!(log.news().is_none());
}

#[test]
fn a_renamed_file_is_written_until_another_has_its_name_or_a_reopening() {
    let (directory, path, log) = log();
    let renamed = directory.path().join("podspawn.log.1");
    write(&log, "one");
    fs::rename(&path, &renamed).unwrap();
    write(&log, "two");
    fs::write(&path, "").unwrap();
    write(&log, "three");
    assert_eq!((read(&renamed), read(&path)), ("one\ntwo\n".into(), "three\n".into()));

    fs::rename(&path, &renamed).unwrap();
    log.reopen();
    write(&log, "four");
    assert_eq!((read(&renamed), read(&path)), ("three\n".into(), "four\n".into()));
}

#[test]
fn a_removed_file_is_made_again_and_a_cut_one_has_no_hole() {
    let (_directory, path, log) = log();
    write(&log, "one");
    fs::remove_file(&path).unwrap();
    write(&log, "two");
    assert_eq!(read(&path), "two\n");
    File::options().write(true).open(&path).unwrap().set_len(0).unwrap();
    write(&log, "three");
    assert_eq!(read(&path), "three\n");
}

#[test]
fn the_beginning_of_a_line_is_ended_before_the_next() {
    let (_directory, path, log) = log();
    fs::write(&path, "half").unwrap();
    log.reopen();
    write(&log, "one");
    assert_eq!(read(&path), "half\none\n");
}

#[test]
fn a_file_that_cannot_be_written_is_reported_once_and_its_return_too() {
    let (directory, path, log) = log();
    write(&log, "one");
    let renamed = directory.path().join("kept");
    fs::rename(&path, &renamed).unwrap();
    fs::create_dir(&path).unwrap();
    log.reopen();
    assert!(matches!(log.news(), Some(Err(LogFileError::Open(..)))));
    write(&log, "two");
    write(&log, "three");
    assert!(log.news().is_none(), "reported twice");
    assert_eq!(read(&renamed), "one\ntwo\nthree\n", "what is open stays in use");

    fs::remove_dir(&path).unwrap();
    write(&log, "four");
    assert!(matches!(log.news(), Some(Ok(()))));
    assert!(log.news().is_none());
    assert_eq!(read(&path), "four\n");
}

#[test]
fn a_full_disk_is_reported_and_another_file_is_written() {
    let (_directory, path, log) = log();
    let full = LogFile::default();
    full.state().path = Some(path.clone());
    full.state().file = Some(File::options().append(true).open("/dev/full").unwrap());
    // As a write finds it that did not have to open anything.
    let error = write_whole(full.state().file.as_mut().unwrap(), b"one\n").unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::StorageFull);

    log.write_to(Some(Path::new("/dev/full")));
    write(&log, "two");
    assert!(matches!(log.news(), Some(Err(LogFileError::Open(..)))), "a device is no log file");
    log.write_to(Some(&path));
    write(&log, "three");
    assert_eq!(read(&path), "three\n");
    assert!(matches!(log.news(), Some(Ok(()))));
    log.write_to(None);
    write(&log, "four");
    assert_eq!(read(&path), "three\n");
}
