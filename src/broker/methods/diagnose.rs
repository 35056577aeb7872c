//! `io.podspawn.Admin.Diagnose`: facts that only the broker can find out, for `podspawn doctor`.

use crate::{
    broker::{
        authorize::Grant,
        state::{Broker, capacity},
    },
    domain::{ImageRef, chain},
    engine::Engine,
    protocol::varlink::{DiagnoseReply, ImageInfo, methods::Diagnose},
    session::Diagnosis,
    settings::{Live, Settings},
};
use rustix::fs::{Access, access};
use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    time::Duration,
};

/// Most images that are looked up, and most lines of any list.
const MAX_IMAGES: usize = 200;
const MAX_LINES: usize = 100;
/// How long a file system may take.
const FILES: Duration = Duration::from_secs(2);

impl<E: Engine + 'static> Broker<E> {
    /// The current state of engine, images, network pool, user ids and logs.
    pub(super) async fn diagnose(&self, _: Grant<'_, Diagnose>) -> DiagnoseReply {
        let settings = self.settings_after(Live::refresh);
        let problems = self.settings.borrow().problems().iter().take(MAX_LINES).map(ToString::to_string).collect();
        let capacity = capacity(&settings);
        let wanted = images(&settings);
        let asked: Vec<ImageRef> = wanted.keys().cloned().collect();
        let found = self.sessions.diagnose(&capacity, settings.config.security.uid_range, &asked).await;
        let mut reply = reply(found, wanted);
        reply.problems = problems;
        reply.log_error = self.log.failing().map(|error| chain(&error));
        reply.homes_error = homes_error(settings.config.state.homes_dir.as_path().to_owned()).await;
        reply.newest = self.sessions.list(None).iter().map(|session| session.created).max();
        reply
    }
}

/// Every image that a login would use, with the first user or project that it is for.
fn images(settings: &Settings) -> BTreeMap<ImageRef, String> {
    let mut images = BTreeMap::from([(settings.config.defaults.image.clone(), "everybody".to_owned())]);
    let users = settings.users.iter().filter_map(|(user, own)| Some((own.image.as_ref()?, format!("user {user}"))));
    let projects =
        settings.projects.iter().filter_map(|(name, own)| Some((own.image.as_ref()?, format!("project {name}"))));
    for (image, of) in users.chain(projects) {
        if images.len() == MAX_IMAGES {
            break;
        }
        images.entry(image.clone()).or_insert(of);
    }
    images
}

fn reply(found: Diagnosis, wanted: BTreeMap<ImageRef, String>) -> DiagnoseReply {
    let Diagnosis { engine, orphans, foreign, images, pool, running, silent, uids, audit } = found;
    let present: BTreeMap<ImageRef, bool> = images.into_iter().collect();
    let (engine, engine_error) = apart(engine);
    let (pool, pool_error) = apart(pool);
    DiagnoseReply {
        version: env!("CARGO_PKG_VERSION").to_owned(),
        engine,
        engine_error: engine_error.map(|error| chain(&error)),
        images: wanted
            .into_iter()
            .map(|(image, of)| ImageInfo { present: present.get(&image).copied(), image: image.to_string(), of })
            .collect(),
        orphans: orphans.ok().map(|found| found.into_iter().take(MAX_LINES).collect()),
        foreign: foreign.into_iter().take(MAX_LINES).collect(),
        pool,
        pool_error,
        running: u32::try_from(running).unwrap_or(u32::MAX),
        silent: silent.into_iter().take(MAX_LINES).collect(),
        uids: u32::try_from(uids.allotted).unwrap_or(u32::MAX),
        has_free_uid: uids.has_free,
        shared_uids: uids.shared.into_iter().take(MAX_LINES).map(|key| key.to_string()).collect(),
        uid_conflicts: uids.conflicts.into_iter().take(MAX_LINES).collect(),
        audit_error: audit.map(|error| chain(&error)),
        ..DiagnoseReply::default()
    }
}

fn apart<T, E>(result: Result<T, E>) -> (Option<T>, Option<E>) {
    match result {
        Ok(value) => (Some(value), None),
        Err(error) => (None, Some(error)),
    }
}

/// As [`not_writable`], on another thread: homes may be on a remote file system that does not answer.
async fn homes_error(path: PathBuf) -> Option<String> {
    let late = format!("{}: no answer in time", path.display());
    let look = tokio::task::spawn_blocking(move || not_writable(&path));
    tokio::time::timeout(FILES, look).await.ok().and_then(Result::ok).unwrap_or(Some(late))
}

/// Why this process cannot write to the directory, if it cannot: its unit may not let it, whatever the mode is.
fn not_writable(path: &Path) -> Option<String> {
    access(path, Access::WRITE_OK | Access::EXEC_OK).err().map(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        config::{Config, Projects, UserOverrides},
        engine::EngineError,
    };

    #[test]
    fn every_image_that_a_login_would_use_is_listed_once() {
        let settings = Settings {
            config: Config::parse("defaults: {image: \"a:1\"}").unwrap(),
            projects: Projects::parse("web: {repo: /r, image: \"b:1\"}\napi: {repo: /r}").unwrap(),
            users: BTreeMap::from([
                ("alice".parse().unwrap(), UserOverrides::parse("image: \"b:1\"").unwrap()),
                ("bob".parse().unwrap(), UserOverrides::parse("image: \"a:1\"").unwrap()),
            ]),
            seccomp: None,
        };
        let found: Vec<_> = images(&settings).into_iter().map(|(image, of)| format!("{image} {of}")).collect();
        assert_eq!(found, ["a:1 everybody", "b:1 user alice"]);
    }

    #[test]
    fn an_unknown_value_is_absent_and_never_false() {
        let gone = || EngineError::Unreachable(std::io::ErrorKind::ConnectionRefused.into());
        let found = Diagnosis {
            engine: Err(gone()),
            orphans: Err(gone()),
            foreign: Vec::new(),
            images: Vec::new(),
            pool: Err("no pool".into()),
            running: 2,
            silent: vec!["alice".into()],
            uids: crate::session::UidUse::default(),
            audit: None,
        };
        let reply = reply(found, BTreeMap::from([("a:1".parse().unwrap(), "everybody".to_owned())]));
        assert!(reply.engine.is_none() && reply.engine_error.is_some_and(|why| why.contains("does not answer")));
        assert_eq!((reply.orphans, reply.images[0].present, reply.pool), (None, None, None));
        assert_eq!((reply.pool_error.as_deref(), reply.running), (Some("no pool"), 2));
    }

    #[test]
    fn a_directory_that_cannot_be_written_has_a_reason() {
        let directory = tempfile::tempdir().unwrap();
        assert_eq!(not_writable(directory.path()), None);
        assert!(not_writable(&directory.path().join("gone")).is_some_and(|why| why.contains("No such file")));
    }
}
