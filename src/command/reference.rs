//! `podspawn reference PAGE`: the parts of the documentation that are generated from the code.
//!
//! Each page is Markdown. The files in docs/ contain it between two markers, and tests/documents.rs compares.

pub mod errors;
mod metrics;

use crate::{broker, config, doctor, domain::markdown::fit, event};
use std::io::{self, Write as _};

/// Options of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  podspawn reference metrics")]
pub struct Options {
    /// The page
    page: Page,
}

/// A generated page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Page {
    /// Methods of the broker, and the callers who may call them
    Access,
    /// Keys of the configuration files
    Configuration,
    /// Checks of `podspawn doctor`, with their remedies
    Doctor,
    /// Messages that users may see, with their meaning and remedy
    Errors,
    /// Events of the journal and the audit log
    Events,
    /// Metrics, with their types, labels and meaning
    Metrics,
}

impl Page {
    /// The page as Markdown.
    #[must_use]
    pub fn markdown(self) -> String {
        let page = match self {
            Self::Access => broker::access_table(),
            Self::Configuration => config::reference(),
            Self::Doctor => doctor::reference(),
            Self::Errors => errors::reference(),
            Self::Events => event::reference(),
            Self::Metrics => metrics::reference(),
        };
        fit(&page)
    }
}

/// Runs the verb.
pub fn run(options: &Options) -> anyhow::Result<()> {
    io::stdout().lock().write_all(options.page.markdown().as_bytes())?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_page_is_empty() {
        use clap::ValueEnum as _;
        for page in Page::value_variants() {
            assert!(page.markdown().lines().count() > 3, "{page:?}");
        }
    }
}
