//! `podspawn stop [USER][@PROJECT]`: ends a session.

use super::list::Broker;
use crate::protocol::varlink::{StopParameters, methods::Stop};
use std::str::FromStr;

/// Options of the verb.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Examples:\n  podspawn stop alice\n  podspawn stop alice@backend\n  podspawn stop            your own\n  podspawn stop @backend   your own of that project"
)]
pub struct Options {
    /// The session's user [default: yourself], and its project if it has one
    #[arg(value_name = "[USER][@PROJECT]")]
    session: Option<Target>,
    #[command(flatten)]
    broker: Broker,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Target {
    user: Option<String>,
    project: Option<String>,
}

impl FromStr for Target {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (user, project) = match text.split_once('@') {
            Some((user, project)) => (user, Some(project.to_owned())),
            None => (text, None),
        };
        Ok(Self { user: Some(user.to_owned()).filter(|user| !user.is_empty()), project })
    }
}

/// Runs the verb.
pub fn run(options: Options) -> anyhow::Result<()> {
    let Target { user, project } = options.session.unwrap_or_default();
    ask(&options.broker, &StopParameters { user, project })
}

/// Ends the caller's own session, of a project if it names one.
pub(super) fn stop_own(broker: &Broker, project: Option<String>) -> anyhow::Result<()> {
    ask(broker, &StopParameters { user: None, project })
}

fn ask(broker: &Broker, parameters: &StopParameters) -> anyhow::Result<()> {
    broker.connect()?.call::<Stop>(parameters)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_is_named_by_user_and_project_and_no_user_is_oneself() {
        let target = |text: &str| {
            let Target { user, project } = text.parse().unwrap();
            (user.unwrap_or_default(), project.unwrap_or_default())
        };
        assert_eq!(target("alice"), ("alice".into(), String::new()));
        assert_eq!(target("alice@backend"), ("alice".into(), "backend".into()));
        assert_eq!(target("@backend"), (String::new(), "backend".into()));
    }
}
