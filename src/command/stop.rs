//! `podspawn stop USER[@PROJECT]`: ends a session.

use super::list::Broker;
use crate::protocol::varlink::{Nothing, STOP, StopParameters};
use std::str::FromStr;

/// Options of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  podspawn stop alice\n  podspawn stop alice@backend")]
pub struct Options {
    /// Whose session, and of which project if it is not the user's own container
    #[arg(value_name = "USER[@PROJECT]")]
    session: Target,
    #[command(flatten)]
    broker: Broker,
}

#[derive(Debug, Clone)]
struct Target {
    user: String,
    project: Option<String>,
}

impl FromStr for Target {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(match text.split_once('@') {
            Some((user, project)) => Self { user: user.to_owned(), project: Some(project.to_owned()) },
            None => Self { user: text.to_owned(), project: None },
        })
    }
}

/// Runs the verb.
pub fn run(options: Options) -> anyhow::Result<()> {
    let Target { user, project } = options.session;
    let parameters = StopParameters { user: Some(user), project };
    options.broker.connect()?.call::<_, Nothing>(STOP, parameters, |_| ())?;
    Ok(())
}
