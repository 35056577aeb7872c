//! `config.yaml`: the server's configuration.

use super::{
    error::ConfigError,
    fields::{Fields, Mistakes},
    security::Security,
    value::{AbsolutePath, EngineHost, LoginShell, Wrong, quote},
    yaml,
};
use crate::domain::{Cpus, ImageRef, Mode, Pool, Size, Span, Subnet};

/// The smallest memory limit that the engine takes.
const MIN_MEMORY_BYTES: u64 = 6 << 20;
/// More containers than a host carries; a number above it is a slip.
const MAX_CONTAINERS: u32 = 100_000;
/// Backups of ten years, one a day.
const MAX_BACKUPS: u32 = 3_660;

/// Everything that `config.yaml` can say. [`Default`] is what an absent file says.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// `auth`: how users are recognised.
    pub auth: Auth,
    /// `defaults`: what a container gets.
    pub defaults: Defaults,
    /// `session`: how long sessions live.
    pub session: SessionTimes,
    /// `state`: where durable state is.
    pub state: StatePaths,
    /// `log`: where logs go beside the journal.
    pub log: Log,
    /// `resources`: how many containers there may be.
    pub resources: Resources,
    /// `network.pool` cut into subnets of `network.prefix` bits.
    pub network: Pool,
    /// `security`: what containers may do.
    pub security: Security,
    /// `engine.host`: the engine's socket.
    pub engine: EngineHost,
    /// `projects_file`; `None` is `projects.yaml` beside `config.yaml`.
    pub projects_file: Option<AbsolutePath>,
    /// `backup`: where backups go.
    pub backup: Backups,
    /// `metrics`: what is measured beyond numbers.
    pub metrics: Metrics,
}

/// `auth`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auth {
    /// The directory with one file of public keys per user.
    pub key_dir: AbsolutePath,
}

/// `defaults`.
#[derive(Debug, Clone, PartialEq)]
pub struct Defaults {
    /// The image of users and projects that name none.
    pub image: ImageRef,
    /// The login shell to prefer; the guest falls back to what the image has.
    pub shell: LoginShell,
    /// Processors per container.
    pub cpus: Cpus,
    /// Memory per container.
    pub memory: Size,
}

/// `session`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionTimes {
    /// What happens after the last disconnect.
    pub mode: Mode,
    /// How long a session waits for a reconnect in mode `grace-period`.
    pub grace_period: Span,
    /// The longest life of a session; 0 is no limit.
    pub max_lifetime: Span,
    /// The whole life in mode `ttl`.
    pub ttl: Span,
    /// How long a connection may be silent; 0 is no limit.
    pub idle_timeout: Span,
}

/// `state`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatePaths {
    /// The database.
    pub db_path: AbsolutePath,
    /// Persistent homes, one directory per user.
    pub homes_dir: AbsolutePath,
}

/// `log`. An empty text is none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// A log file beside the journal.
    pub file: Option<AbsolutePath>,
    /// The audit log.
    pub audit_log: Option<AbsolutePath>,
    /// Whether nobody gets in while the audit log cannot be written.
    pub audit_required: bool,
}

/// `resources`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resources {
    /// Most containers on this host.
    pub max_containers: u32,
    /// Most sessions of one user.
    pub max_per_user: u32,
}

/// `backup`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backups {
    /// The directory with one directory per backup.
    pub dir: AbsolutePath,
    /// How many are kept, the newest.
    pub keep: u32,
}

/// `metrics`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Whether users are named. Whoever may look at the metrics then knows who is there.
    pub per_user: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            auth: Auth { key_dir: AbsolutePath::known("/etc/podspawn/keys") },
            defaults: built_in::defaults(),
            session: SessionTimes {
                mode: Mode::GracePeriod,
                grace_period: Span::from_secs(60),
                max_lifetime: Span::from_secs(8 * 3600),
                ttl: Span::from_secs(8 * 3600),
                idle_timeout: Span::from_secs(0),
            },
            state: StatePaths {
                db_path: AbsolutePath::known("/var/lib/podspawn/state.db"),
                homes_dir: AbsolutePath::known("/var/lib/podspawn/homes"),
            },
            log: Log { file: None, audit_log: None, audit_required: true },
            resources: Resources { max_containers: 50, max_per_user: 3 },
            network: built_in::network(),
            security: Security::default(),
            engine: EngineHost::known("/var/run/docker.sock"),
            projects_file: None,
            backup: Backups { dir: AbsolutePath::known("/var/backups/podspawn"), keep: 14 },
            metrics: Metrics::default(),
        }
    }
}

/// Defaults whose types have no constructor that cannot fail; a test parses each.
#[allow(clippy::expect_used)] // constants of this file, held by `the_defaults_are_those_of_the_contract`
mod built_in {
    use super::{Cpus, Defaults, LoginShell, Pool};

    pub(super) fn defaults() -> Defaults {
        Defaults {
            image: "ubuntu:24.04".parse().expect("a valid image"),
            shell: LoginShell::known("/bin/bash"),
            cpus: Cpus::try_from(2.0).expect("a valid number of cpus"),
            memory: "2g".parse().expect("a valid size"),
        }
    }

    pub(super) fn network() -> Pool {
        Pool::new("10.209.0.0/16".parse().expect("a valid network"), 28).expect("a valid pool")
    }
}

impl Config {
    /// The configuration in `text`, or every mistake in it. An empty text is the default.
    pub fn parse(text: &str) -> Result<Self, Vec<ConfigError>> {
        let root = yaml::parse(text).map_err(|error| vec![error])?;
        let mistakes = Mistakes::default();
        let mut config = Self::default();
        Fields::of(&root, &root, "", &mistakes).all(|top| config.read(top));
        mistakes.or(config)
    }

    /// `auth.key_dir` of a file whose other keys may be wrong. Whoever answers sshd keeps no last good configuration,
    /// and a slip elsewhere in the file must not lock everybody out.
    #[must_use]
    pub fn key_dir(text: &str) -> AbsolutePath {
        let mut config = Self::default();
        if let Ok(root) = yaml::parse(text) {
            let ignored = Mistakes::default();
            Fields::of(&root, &root, "", &ignored).all(|top| config.read(top));
        }
        config.auth.key_dir
    }

    fn read(&mut self, top: &mut Fields<'_>) {
        top.section("auth", |auth| auth.read("key_dir", &mut self.auth.key_dir));
        top.section("defaults", |defaults| {
            let own = &mut self.defaults;
            defaults.read("image", &mut own.image);
            defaults.read("shell", &mut own.shell);
            own.cpus = defaults.read_with("cpus", cpus).unwrap_or(own.cpus);
            own.memory = defaults.read_with("memory", memory).unwrap_or(own.memory);
        });
        top.section("session", |session| {
            let own = &mut self.session;
            session.read("mode", &mut own.mode);
            session.read("grace_period", &mut own.grace_period);
            session.read("max_lifetime", &mut own.max_lifetime);
            own.ttl = session.read_with("ttl", ttl).unwrap_or(own.ttl);
            session.read("idle_timeout", &mut own.idle_timeout);
        });
        top.section("state", |state| {
            state.read("db_path", &mut self.state.db_path);
            state.read("homes_dir", &mut self.state.homes_dir);
            let StatePaths { db_path, homes_dir } = &self.state;
            // A user called like a file of the broker's would have that for a home.
            if db_path.as_path().starts_with(homes_dir.as_path())
                && let Some(place) = state.node("homes_dir").or_else(|| state.node("db_path"))
            {
                state
                    .mistakes()
                    .at(place, "state.homes_dir: homes need a directory to themselves, without state.db in it");
            }
        });
        top.section("log", |log| {
            self.log.file = log.optional_or_empty("file");
            self.log.audit_log = log.optional_or_empty("audit_log");
            log.flag("audit_required", &mut self.log.audit_required);
            if let (Some(file), Some(node)) = (&self.log.file, log.node("audit_log"))
                && self.log.audit_log.as_ref() == Some(file)
            {
                log.mistakes().at(node, "log.audit_log is the same file as log.file; each needs its own");
            }
        });
        top.section("resources", |resources| {
            resources.number("max_containers", 1..=MAX_CONTAINERS, &mut self.resources.max_containers);
            resources.number("max_per_user", 1..=MAX_CONTAINERS, &mut self.resources.max_per_user);
        });
        top.section("network", |network| self.network = pool(network).unwrap_or(self.network));
        top.section("security", |security| self.security.read(security));
        top.section("engine", |engine| engine.read("host", &mut self.engine));
        self.projects_file = top.optional("projects_file");
        top.section("backup", |backup| {
            backup.read("dir", &mut self.backup.dir);
            backup.number("keep", 1..=MAX_BACKUPS, &mut self.backup.keep);
        });
        top.section("metrics", |metrics| metrics.flag("per_user", &mut self.metrics.per_user));
    }
}

/// Network and prefix are valid or wrong together.
fn pool(fields: &mut Fields<'_>) -> Option<Pool> {
    let default = Config::default().network;
    let mut network: Subnet = default.network();
    let mut prefix = 28;
    fields.read("pool", &mut network);
    fields.number("prefix", 0..=32, &mut prefix);
    let place = fields.node("prefix").or_else(|| fields.node("pool"))?;
    match u8::try_from(prefix).map(|prefix| Pool::new(network, prefix)) {
        Ok(Ok(pool)) => Some(pool),
        Ok(Err(invalid)) => {
            fields.mistakes().at(place, &format!("network.prefix: {invalid}"));
            None
        }
        Err(_) => None,
    }
}

/// A number of processors; shared by every file that can say one.
pub(super) fn cpus(text: &str) -> Result<Cpus, String> {
    let number: f64 = text.parse().map_err(|_| format!("{} is not a number of cpus such as 2.0", quote(text)))?;
    Cpus::try_from(number).map_err(|invalid| invalid.to_string())
}

/// A memory limit; shared by every file that can say one.
pub(super) fn memory(text: &str) -> Result<Size, String> {
    let size: Size = text.parse().map_err(|invalid: crate::domain::Invalid| invalid.to_string())?;
    if size.as_bytes() < MIN_MEMORY_BYTES {
        return Err(format!("{} is less than the 6m that the engine needs; 2g is two gibibytes", quote(text)));
    }
    Ok(size)
}

/// A time to live; shared by every file that can say one.
pub(super) fn ttl(text: &str) -> Result<Span, String> {
    let span: Span = text.parse().map_err(|invalid: crate::domain::Invalid| invalid.to_string())?;
    if span.is_zero() {
        return Err(
            Wrong::new(text, "a time to live, which is more than 0s; mode named keeps until stopped").to_string()
        );
    }
    Ok(span)
}

#[cfg(test)]
mod tests;
