//! Who gets what: the settings of every file merged into one plan, or a refusal.
//!
//! Pure: settings in, a decision out. The plan is all that its executor needs of the configuration. The texts of
//! refusals are shown to users verbatim, one line each.

mod denial;
pub mod environment;
pub mod host_environment;

pub use denial::Denial;

use crate::{
    config::{AbsolutePath, Dotfiles, LoginShell, Project, Settings},
    domain::{Hardening, ImageRef, Limits, Mode, ProjectName, Span, UidRange, UserName},
};

/// Everything that a session's container and its life follow from.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// The image.
    pub image: ImageRef,
    /// What happens after the last disconnect.
    pub mode: Mode,
    /// What the container may use.
    pub limits: Limits,
    /// What the container may do.
    pub hardening: Hardening,
    /// The ids of which one is the user's inside.
    pub uid_range: UidRange,
    /// The login shell to prefer.
    pub shell: LoginShell,
    /// Where persistent homes are kept on the host, if the session's is one of them.
    pub homes_dir: Option<AbsolutePath>,
    /// Environment of every process, from the user's overrides; bounded so that it fits beside the client's.
    pub env: Vec<(String, String)>,
    /// What to set up in a fresh home.
    pub dotfiles: Option<Dotfiles>,
    /// How long the session waits for a reconnect in mode `grace-period`.
    pub grace_period: Span,
    /// The longest life; 0 is no limit. See [`Self::lifetime`].
    pub max_lifetime: Span,
    /// The whole life in mode `ttl`.
    pub ttl: Span,
    /// How long a connection may be silent; 0 is no limit.
    pub idle_timeout: Span,
}

impl Plan {
    /// How long after its creation the session ends whatever happens; `None` is never.
    #[must_use]
    pub fn lifetime(&self) -> Option<Span> {
        match self.mode {
            Mode::Named => None,
            Mode::Ttl => Some(self.ttl),
            Mode::GracePeriod | Mode::DestroyOnDisconnect => Some(self.max_lifetime).filter(|span| !span.is_zero()),
        }
    }
}

/// The plan for `user`'s session, in `project` or in the user's own container.
///
/// Every setting is the project's, else the user's, else the server's, else the built-in default.
pub fn decide(settings: &Settings, user: &UserName, project: Option<&ProjectName>) -> Result<Plan, Denial> {
    let project = project.map(|name| allowed(settings, user, name)).transpose()?;
    let own = settings.users.get(user);
    let server = &settings.config;
    let times = &server.session;
    let mode = first(project.and_then(|p| p.mode.as_ref()), own.and_then(|o| o.mode.as_ref()), &times.mode);
    Ok(Plan {
        image: first(
            project.and_then(|p| p.image.as_ref()),
            own.and_then(|o| o.image.as_ref()),
            &server.defaults.image,
        ),
        mode,
        homes_dir: (mode == Mode::Named).then(|| server.state.homes_dir.clone()),
        limits: Limits {
            cpus: first(
                project.and_then(|p| p.cpus.as_ref()),
                own.and_then(|o| o.cpus.as_ref()),
                &server.defaults.cpus,
            ),
            memory: first(
                project.and_then(|p| p.memory.as_ref()),
                own.and_then(|o| o.memory.as_ref()),
                &server.defaults.memory,
            ),
            pids: server.security.pids_limit,
        },
        hardening: server.security.hardening(settings.seccomp.clone()),
        uid_range: server.security.uid_range,
        shell: first(
            project.and_then(|p| p.shell.as_ref()),
            own.and_then(|o| o.shell.as_ref()),
            &server.defaults.shell,
        ),
        env: own
            .map(|o| o.env.iter().map(|(name, value)| (name.as_ref().to_owned(), value.clone())).collect())
            .unwrap_or_default(),
        dotfiles: own.and_then(|o| o.dotfiles.clone()),
        grace_period: project.and_then(|p| p.grace_period).unwrap_or(times.grace_period),
        max_lifetime: project.and_then(|p| p.max_lifetime).unwrap_or(times.max_lifetime),
        ttl: project.and_then(|p| p.ttl).unwrap_or(times.ttl),
        idle_timeout: project.and_then(|p| p.idle_timeout).unwrap_or(times.idle_timeout),
    })
}

/// The precedence of every setting.
fn first<T: Clone>(project: Option<&T>, user: Option<&T>, server: &T) -> T {
    project.or(user).unwrap_or(server).clone()
}

fn allowed<'a>(settings: &'a Settings, user: &UserName, name: &ProjectName) -> Result<&'a Project, Denial> {
    match settings.projects.get(name) {
        Some(project) if project.users.contains(user) => Ok(project),
        Some(_) => Err(Denial::NotAllowed { user: user.clone(), project: name.clone() }),
        None => {
            let open = settings.projects.iter().filter(|(_, project)| project.users.contains(user));
            Err(Denial::UnknownProject { project: name.clone(), open: open.map(|(name, _)| name.clone()).collect() })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Projects, UserOverrides};

    fn settings() -> Settings {
        Settings {
            config: Config::parse("defaults: {image: server, memory: 1g}\nsession: {mode: ttl}").unwrap(),
            projects: Projects::parse(
                "backend: {repo: /r, users: [alice], memory: 4g, mode: named, grace_period: 5m}\n\
                 closed: {repo: /r}\nopen: {repo: /r, users: [\"*\"]}",
            )
            .unwrap(),
            users: [(
                "alice".parse().unwrap(),
                UserOverrides::parse("image: hers\nmemory: 3g\nmode: destroy-on-disconnect\nenv: {EDITOR: vi}")
                    .unwrap(),
            )]
            .into(),
            seccomp: Some("{}".into()),
        }
    }

    fn plan(user: &str, project: Option<&str>) -> Result<Plan, Denial> {
        decide(&settings(), &user.parse().unwrap(), project.map(|name| name.parse().unwrap()).as_ref())
    }

    #[test]
    fn the_project_wins_over_the_user_and_the_user_over_the_server() {
        let of = |user, project| {
            let plan = plan(user, project).unwrap();
            (plan.image.to_string(), plan.limits.memory.to_string(), plan.mode, plan.grace_period.as_secs())
        };
        assert_eq!(of("alice", Some("backend")), ("hers".into(), "4g".into(), Mode::Named, 300));
        assert_eq!(of("alice", None), ("hers".into(), "3g".into(), Mode::DestroyOnDisconnect, 60));
        assert_eq!(of("bob", Some("open")), ("server".into(), "1g".into(), Mode::Ttl, 60));
        assert_eq!(of("bob", None), ("server".into(), "1g".into(), Mode::Ttl, 60));
        let bob = plan("bob", None).unwrap();
        assert_eq!(
            (bob.shell.as_ref(), bob.limits.pids, bob.hardening.seccomp.as_deref()),
            ("/bin/bash", 256, Some("{}"))
        );
        assert!(bob.env.is_empty());
        let homes = |user, project| plan(user, project).unwrap().homes_dir.map(|path| path.to_string());
        assert_eq!(homes("alice", Some("backend")).as_deref(), Some("/var/lib/podspawn/homes"));
        assert_eq!(homes("alice", None), None);
        assert_eq!(plan("alice", None).unwrap().env, [("EDITOR".to_owned(), "vi".to_owned())]);
    }

    #[test]
    fn a_project_is_refused_by_name() {
        let text = |user, project| plan(user, Some(project)).unwrap_err().to_string();
        assert_eq!(text("bob", "nope"), "no project \"nope\"; you may use: open");
        assert_eq!(text("alice", "nope"), "no project \"nope\"; you may use: backend, open");
        assert!(text("bob", "backend").starts_with("project \"backend\" is not open to bob"));
        assert!(matches!(plan("alice", Some("closed")), Err(Denial::NotAllowed { .. })));
    }

    #[test]
    fn a_lifetime_follows_from_the_mode() {
        let mut plan = plan("bob", None).unwrap();
        assert_eq!(plan.lifetime(), Some(plan.ttl));
        plan.mode = Mode::Named;
        assert_eq!(plan.lifetime(), None);
        plan.mode = Mode::GracePeriod;
        assert_eq!(plan.lifetime(), Some(plan.max_lifetime));
        plan.max_lifetime = Span::from_secs(0);
        assert_eq!(plan.lifetime(), None);
    }
}
