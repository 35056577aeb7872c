//! `podspawn completions SHELL`: the completions that a package installs.

use clap::Command;
use clap_complete::{Shell, generate};
use std::io::{self, Write as _};

/// Options of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  podspawn completions bash >/usr/share/bash-completion/completions/podspawn\n  \
                  podspawn completions zsh >/usr/share/zsh/vendor-completions/_podspawn")]
pub struct Options {
    /// The shell
    shell: Shell,
}

/// Runs the verb for the command line that `cli` describes.
pub fn run(options: &Options, cli: &Command) -> anyhow::Result<()> {
    // Into memory first: the generator panics where a pipe is closed.
    let mut script = Vec::new();
    generate(options.shell, &mut cli.clone(), "podspawn", &mut script);
    io::stdout().lock().write_all(&script)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::{Command as Process, Stdio};

    #[test]
    fn bash_reads_its_completions() {
        let mut script = Vec::new();
        let cli = Command::new("podspawn").subcommand(Command::new("list").arg(clap::arg!(--json)));
        generate(Shell::Bash, &mut cli.clone(), "podspawn", &mut script);
        let mut bash = Process::new("bash").args(["-n", "/dev/stdin"]).stdin(Stdio::piped()).spawn().unwrap();
        bash.stdin.take().unwrap().write_all(&script).unwrap();
        assert!(bash.wait().unwrap().success());
    }
}
