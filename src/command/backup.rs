//! `podspawn backup`: makes a backup and removes old ones.

use crate::{
    backup::{BackupError, HomeLimits, Named, Order, Report, back_up},
    domain::{
        Size, Span, plain, size,
        text::{self, one_line},
    },
    protocol::measurements::BACKUP_STAMP,
    sys::stderr,
};
use anyhow::ensure;
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
                  and go, into a new directory whose name is the time in UTC. The directory gets its name when it is complete \
                  and verified.\n\n\
                  Examples:\n  podspawn backup\n  podspawn backup --to /mnt/usb --homes\n  \
                  podspawn backup --json | jq -r .path"
)]
pub struct Options {
    /// The directory of all backups [default: `backup.dir` of config.yaml]
    #[arg(long, value_name = "DIR")]
    to: Option<PathBuf>,
    /// Keep the newest N backups and remove older ones [default: `backup.keep`; all with --to]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    keep: Option<u32>,
    /// Also copy the persistent homes, after the rest of the backup is complete
    #[arg(long)]
    homes: bool,
    /// Leave out homes and files larger than this; holes count, but are not copied
    #[arg(long, value_name = "SIZE", default_value = "64g", requires = "homes")]
    home_size: Size,
    /// Leave out a home whose copy takes longer
    #[arg(long, value_name = "DURATION", default_value = "30m", requires = "homes")]
    home_time: Span,
    /// Print JSON, for programs
    #[arg(long)]
    json: bool,
    /// Where the configuration is
    #[arg(long, value_name = "DIR", default_value = crate::settings::ROOT, hide = true)]
    config: PathBuf,
}

/// Runs the verb.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let limits = HomeLimits { size: options.home_size, time: options.home_time };
    let homes = options.homes.then_some(limits);
    let order = Order { etc: &options.config, to: options.to.as_deref(), keep: options.keep, homes };
    let result = back_up(&order);
    if matches!(&result, Ok(_) | Err(BackupError::Homes { .. })) {
        stamp(Path::new(BACKUP_STAMP));
    }
    let report = result?;
    let text = if options.json { as_json(&report) } else { as_text(&report) };
    io::stdout().lock().write_all(text.as_bytes())?;
    ensure!(
        report.left_out.count == 0,
        "{} of the homes, or of their files, are not in the backup; all else is, and it can be restored",
        report.left_out.count
    );
    Ok(())
}

/// Leaves the time for the metrics, if their directory exists. An account that may write there removes another's file.
fn stamp(path: &Path) {
    let _ = fs::remove_file(path);
    let made = OpenOptions::new().write(true).create_new(true).mode(0o644).open(path);
    if let Err(error) = made.map(drop)
        && error.kind() != io::ErrorKind::NotFound
    {
        stderr::complain(format_args!("the backup is complete, but {} cannot be written: {error}", path.display()));
    }
}

fn as_text(report: &Report) -> String {
    let Report { path, files, bytes, skipped, left_out, pruned, schema: _ } = report;
    let mut lines = vec![format!("{}  {files} files, {}", path.display(), size::rounded(*bytes))];
    for (verb, Named { first, count }) in [("NOT BACKED UP", left_out), ("left out", skipped)] {
        lines.extend(first.iter().map(|(path, why)| one_line(&plain(format!("{verb} {}: {why}", path.display())))));
        if *count > first.len() {
            lines.push(format!("{verb}: {} more", count - first.len()));
        }
    }
    lines.extend(pruned.iter().map(|path| format!("removed {}", path.display())));
    lines.join("\n") + "\n"
}

fn as_json(report: &Report) -> String {
    let Report { path, files, bytes, schema, skipped, left_out, pruned } = report;
    let named = |named: &Named| -> Vec<_> {
        let one = |(path, why): &(PathBuf, String)| json!({ "path": path.to_string_lossy(), "reason": why });
        named.first.iter().map(one).collect()
    };
    let pruned: Vec<_> = pruned.iter().map(|path| path.to_string_lossy()).collect();
    let report = json!({
        "path": path.to_string_lossy(), "files": files, "bytes": bytes, "schema": schema,
        "skipped": named(skipped), "skipped_count": skipped.count,
        "left_out": named(left_out), "left_out_count": left_out.count, "pruned": pruned,
    });
    text::json(&report.to_string()) + "\n"
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
            skipped: Named { first: vec![("/h/alice/so\u{1b}ck".into(), "it is a socket".into())], count: 3 },
            left_out: Named { first: vec![("/h/bob".into(), "it has more than 64g (--home-size)".into())], count: 1 },
            pruned: vec!["/b/20260301T101530Z".into()],
        }
    }

    #[test]
    fn the_text_has_place_size_and_missing_files() {
        let text = "/b/20260315T101530Z  7 files, 1.5 KiB\nNOT BACKED UP /h/bob: it has more than 64g (--home-size)\n\
                    left out /h/alice/so\u{fffd}ck: it is a socket\nleft out: 2 more\n\
                    removed /b/20260301T101530Z\n";
        assert_eq!(as_text(&report()), text);
    }

    #[test]
    fn the_json_has_the_same() {
        let json: serde_json::Value = serde_json::from_str(&as_json(&report())).unwrap();
        assert_eq!(
            (&json["path"], &json["files"], &json["schema"]),
            (&"/b/20260315T101530Z".into(), &7.into(), &2.into())
        );
        assert_eq!(json["pruned"], json!(["/b/20260301T101530Z"]));
        assert_eq!(json["skipped"][0]["reason"], "it is a socket");
        assert_eq!((&json["left_out"][0]["path"], &json["left_out_count"]), (&"/h/bob".into(), &1.into()));
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
