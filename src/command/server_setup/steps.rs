//! The steps in their order: check a copy, change the files, reload sshd, and undo all of it on any failure.

use super::{
    candidate::Candidate,
    diff,
    journal::Journal,
    service::Service,
    sshd_check::{Answers, ProbeUsers, SshdCheck},
    sshd_files::{Change, SshdFiles},
};
use crate::{
    accounts::local::LocalAccounts,
    doctor::{self, Report},
    domain::plain,
    sshd::{self, Sshd, block::Block, order::Reading},
    sys::stderr,
};
use anyhow::Context as _;
use rustix::fs::{FlockOperation, flock};
use std::{
    fs::File,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant},
};

/// How long another run is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

/// One run of the verb, with everything that it depends on.
pub(super) struct Setup {
    pub(super) sshd: Sshd,
    pub(super) config: PathBuf,
    pub(super) block: Block,
    /// `None` where no systemd runs sshd, or for the files of another sshd.
    pub(super) service: Option<Service>,
    /// Where accounts and their key files are.
    pub(super) root: PathBuf,
    /// The user who called sudo.
    pub(super) caller: Option<String>,
    pub(super) dry_run: bool,
}

impl Setup {
    /// The checks before anything is made.
    pub(super) fn preflight(&self, remove: bool) -> anyhow::Result<()> {
        let mut findings = Vec::new();
        if !remove {
            findings.extend(doctor::sshd::version::too_old(self.sshd.version()?));
            findings.extend(doctor::sshd::binary::unusable(&self.block.binary));
        }
        refuse_on(&findings)?;
        self.sshd.test(&self.config).with_context(|| {
            let config = self.config.display();
            format!("sshd does not accept {config} as it is, before any change; mend it and run this again")
        })
    }

    /// Puts the block in force; returns whether anything was changed for it.
    pub(super) fn setup(&self, local: &LocalAccounts) -> anyhow::Result<bool> {
        let _lock = self.begin()?;
        let files = SshdFiles::of(&self.config, &self.block)?;
        let changes = files.setup(&self.block).map_err(|finding| refusal(&finding))?;
        let users = ProbeUsers::of(local, &self.block.group, self.caller.as_deref());
        let check = self.check(local, &users);
        let connections = users.connections(&Reading::of(&self.config)?);
        let before = check.ask(&self.config, &connections)?;
        let candidate = Candidate::new(&files, &changes)?;
        let expected = self.check_candidate(&check, &candidate, &before)?;
        if users.count().0 == 0 {
            println!("note: group {} has no members yet, so sshd's answer for them is not checked", self.block.group);
        }
        let is_new = self.finish(&files, &changes, &check, &expected)?;
        if is_new {
            let (ours, others) = users.count();
            println!(
                "proved with sshd -T: podspawn's command for {ours} member(s) of group {}, no change for {others} other(s)",
                self.block.group
            );
            println!("can still log in without podspawn: {}", check.ways_in(&expected).join(", "));
        }
        Ok(is_new)
    }

    fn check_candidate(
        &self,
        check: &SshdCheck<'_>,
        candidate: &Candidate,
        before: &Answers,
    ) -> anyhow::Result<Answers> {
        let expected = self.try_candidate(check, candidate, before)?;
        let findings = check.compare(before, &expected, &self.block, &Reading::of(&candidate.config())?);
        for finding in findings.iter().filter(|finding| !finding.is_failure()) {
            println!("note: {}", plain(finding));
        }
        refuse_on(&findings)?;
        Ok(expected)
    }

    /// Takes the block out of force.
    pub(super) fn remove(&self, local: &LocalAccounts) -> anyhow::Result<()> {
        let _lock = self.begin()?;
        let files = SshdFiles::of(&self.config, &self.block)?;
        let changes = files.remove(&self.block).map_err(|finding| refusal(&finding))?;
        if changes.is_empty() {
            println!("nothing to do: podspawn is not in {}", files.main.display());
            return Ok(());
        }
        let users = ProbeUsers::of(local, &self.block.group, self.caller.as_deref());
        let check = self.check(local, &users);
        let connections = users.connections(&Reading::of(&self.config)?);
        let before = check.ask(&self.config, &connections)?;
        let candidate = Candidate::new(&files, &changes)?;
        let expected = self.try_candidate(&check, &candidate, &before)?;
        refuse_on(&check.compare_removal(&before, &expected))?;
        self.finish(&files, &changes, &check, &expected)?;
        if !self.dry_run {
            println!("podspawn's accounts, keys and state stay: /etc/podspawn, /var/lib/podspawn");
        }
        Ok(())
    }

    fn check<'a>(&'a self, local: &'a LocalAccounts, users: &'a ProbeUsers) -> SshdCheck<'a> {
        SshdCheck {
            sshd: &self.sshd,
            local,
            root: &self.root,
            group: &self.block.group,
            caller: self.caller.as_deref(),
            users,
        }
    }

    /// Excludes other runs, and undoes the changes of one that was killed.
    pub(super) fn begin(&self) -> anyhow::Result<File> {
        let main = self.config.canonicalize().with_context(|| format!("{}", self.config.display()))?;
        let directory = main.parent().unwrap_or(Path::new("/"));
        let lock = File::open(directory).with_context(|| format!("{}", directory.display()))?;
        let end = Instant::now() + PATIENCE;
        while flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
            anyhow::ensure!(Instant::now() < end, "another server-setup is at work in {}", directory.display());
            thread::sleep(Duration::from_millis(50));
        }
        if let Some(journal) = Journal::left_by_another(&main)? {
            anyhow::ensure!(
                !self.dry_run,
                "an earlier server-setup was interrupted; run it without --dry-run to undo its changes"
            );
            println!("an earlier server-setup was interrupted: its changes are undone first");
            for path in journal.undo()? {
                println!("note: {} was changed since and stays as it is", path.display());
            }
        }
        Ok(lock)
    }

    /// sshd's answers about the copy, for the connections of `before`.
    fn try_candidate(&self, check: &SshdCheck<'_>, candidate: &Candidate, before: &Answers) -> anyhow::Result<Answers> {
        let asked = self
            .sshd
            .test(&candidate.config())
            .and_then(|()| check.ask(&candidate.config(), &before.keys().cloned().collect()));
        asked.map_err(|error| match error {
            sshd::SshdError::Refused(said) => {
                let hint = sshd::hint(&said).map(|hint| format!(": {hint}")).unwrap_or_default();
                anyhow::anyhow!(
                    "with podspawn's block sshd would say: {}{hint}; nothing was changed",
                    candidate.translate(&said)
                )
            }
            other => other.into(),
        })
    }

    /// Makes the checked changes and reloads sshd; puts everything back if either fails. Returns whether anything was
    /// changed.
    fn finish(
        &self,
        files: &SshdFiles,
        changes: &[Change],
        check: &SshdCheck<'_>,
        expected: &Answers,
    ) -> anyhow::Result<bool> {
        if changes.is_empty() {
            println!("sshd: nothing to change, {} has podspawn's block", files.main.display());
            return Ok(false);
        }
        if self.dry_run {
            for change in changes {
                print!("{}", diff::of(change));
            }
            println!("dry run: nothing was changed");
            return Ok(false);
        }
        let journal = Journal::apply(&files.main, changes)?;
        let done = self.prove_and_reload(check, expected);
        if done.is_err() {
            let theirs = journal.undo().context("putting the files back")?;
            if let Some(service) = &self.service {
                service.recover();
            }
            let except: Vec<String> = theirs.iter().map(|path| path.display().to_string()).collect();
            let except = if except.is_empty() { String::new() } else { format!(" but for {}", except.join(", ")) };
            return done.map(|_| true).context(format!("it failed, and sshd's files were put back{except}"));
        }
        journal.keep()?;
        for change in changes {
            let verb = if change.new.is_some() { "wrote" } else { "removed" };
            println!("{verb} {}", change.path.display());
        }
        println!("{}", done?);
        Ok(true)
    }

    /// Returns how sshd was made to read the files.
    fn prove_and_reload(&self, check: &SshdCheck<'_>, expected: &Answers) -> anyhow::Result<String> {
        self.sshd.test(&self.config)?;
        let found = check.ask(&self.config, &expected.keys().cloned().collect())?;
        anyhow::ensure!(&found == expected, "sshd reads the files differently from the checked copy");
        match (&self.service, expected.values().next()) {
            (Some(service), Some(options)) => service.read_again(options),
            _ => Ok("note: sshd was not reloaded; have it read its configuration again yourself".to_owned()),
        }
    }
}

/// Refuses if a finding is broken; those beyond the first are printed on lines of their own.
fn refuse_on(findings: &[Report]) -> anyhow::Result<()> {
    let mut broken = findings.iter().filter(|finding| finding.is_failure());
    let Some(first) = broken.next() else { return Ok(()) };
    for finding in broken {
        stderr::complain(finding);
    }
    Err(refusal(first))
}

fn refusal(finding: &Report) -> anyhow::Error {
    anyhow::anyhow!("{finding}; nothing was changed in sshd's configuration")
}
