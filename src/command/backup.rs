//! `podspawn backup`: a copy of what cannot be had again, and the end of old ones.

use crate::{
    backup::{Order, Report, back_up},
    protocol::measurements::BACKUP_STAMP,
};
use serde_json::json;
use std::{
    fs::{self, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

/// Options of the verb.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Copies the state database, keys, config.yaml, projects.yaml, users/ and the seccomp profile, while sessions come \
                  and go, into a new directory that is named by the time in UTC. It has its name once it is complete and was \
                  read again.\n\n\
                  Examples:\n  podspawn backup\n  podspawn backup --to /mnt/usb --homes\n  \
                  podspawn backup --json | jq -r .path"
)]
pub struct Options {
    /// The directory with all backups [default: `backup.dir` of config.yaml]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Remove older backups there until so many are left [default: `backup.keep`; all with --to]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    keep: Option<u32>,
    /// Copy the persistent homes too
    #[arg(long)]
    homes: bool,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
    /// Where the configuration is
    #[arg(long, value_name = "DIR", default_value = crate::settings::ROOT, hide = true)]
    config: PathBuf,
}

/// Runs the verb.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let order = Order { etc: &options.config, to: options.to.as_deref(), keep: options.keep, homes: options.homes };
    let report = back_up(&order)?;
    stamp(Path::new(BACKUP_STAMP));
    let text = if options.json { as_json(&report) } else { as_text(&report) };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}

/// Leaves the time for the metrics, where there is a place for it. Whoever may write there removes what another left.
fn stamp(path: &Path) {
    let _ = fs::remove_file(path);
    let made = OpenOptions::new().write(true).create_new(true).mode(0o644).open(path);
    if let Err(error) = made.map(drop)
        && error.kind() != io::ErrorKind::NotFound
    {
        eprintln!("podspawn: the backup is complete, but {} cannot be written: {error}", path.display());
    }
}

fn as_text(report: &Report) -> String {
    let Report { path, files, bytes, skipped, skipped_count, pruned, schema: _ } = report;
    let mut lines = vec![format!("{}  {files} files, {}", path.display(), size(*bytes))];
    let plain = |text: String| text.chars().filter(|c| !c.is_control()).collect::<String>();
    lines.extend(skipped.iter().map(|(path, why)| plain(format!("left out {}: {why}", path.display()))));
    if *skipped_count > skipped.len() {
        lines.push(format!("left out {} more", skipped_count - skipped.len()));
    }
    lines.extend(pruned.iter().map(|path| format!("removed {}", path.display())));
    lines.join("\n") + "\n"
}

fn as_json(report: &Report) -> String {
    let Report { path, files, bytes, schema, skipped, skipped_count, pruned } = report;
    let skipped: Vec<_> =
        skipped.iter().map(|(path, why)| json!({ "path": path.to_string_lossy(), "reason": why })).collect();
    let pruned: Vec<_> = pruned.iter().map(|path| path.to_string_lossy()).collect();
    let report = json!({
        "path": path.to_string_lossy(), "files": files, "bytes": bytes, "schema": schema,
        "skipped": skipped, "skipped_count": skipped_count, "pruned": pruned,
    });
    format!("{report}\n")
}

/// Bytes as people read them.
fn size(bytes: u64) -> String {
    let units = [("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let unit = units.into_iter().find(|(_, shift)| bytes >> shift > 0);
    unit.map_or_else(
        || format!("{bytes} bytes"),
        |(unit, shift)| {
            let tenths = (bytes * 10) >> shift;
            format!("{}.{} {unit}", tenths / 10, tenths % 10)
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        Report {
            path: "/b/20260315T101530Z".into(),
            files: 7,
            bytes: 1_600,
            schema: Some(2),
            skipped: vec![("/h/alice/so\u{1b}ck".into(), "it is a socket".into())],
            skipped_count: 3,
            pruned: vec!["/b/20260301T101530Z".into()],
        }
    }

    #[test]
    fn people_are_told_where_how_much_and_what_is_missing() {
        let told = "/b/20260315T101530Z  7 files, 1.5 KiB\nleft out /h/alice/sock: it is a socket\nleft out 2 more\n\
                    removed /b/20260301T101530Z\n";
        assert_eq!(as_text(&report()), told);
        assert_eq!((size(0), size(1 << 20), size(5 << 40)), ("0 bytes".into(), "1.0 MiB".into(), "5120.0 GiB".into()));
    }

    #[test]
    fn programs_are_told_the_same() {
        let told: serde_json::Value = serde_json::from_str(&as_json(&report())).unwrap();
        assert_eq!(
            (&told["path"], &told["files"], &told["schema"]),
            (&"/b/20260315T101530Z".into(), &7.into(), &2.into())
        );
        assert_eq!(told["pruned"], json!(["/b/20260301T101530Z"]));
        assert_eq!(told["skipped"][0]["reason"], "it is a socket");
    }

    #[test]
    fn the_time_of_a_backup_is_left_anew_and_nothing_without_a_place_for_it() {
        let directory = tempfile::tempdir().unwrap();
        let (path, elsewhere) = (directory.path().join("last"), directory.path().join("elsewhere"));
        fs::write(&elsewhere, "mine").unwrap();
        std::os::unix::fs::symlink(&elsewhere, &path).unwrap();
        stamp(&path);
        assert!(fs::symlink_metadata(&path).unwrap().is_file());
        assert_eq!(fs::read_to_string(&elsewhere).unwrap(), "mine");
        stamp(&directory.path().join("no/place"));
        assert!(!directory.path().join("no").exists());
    }
}
