//! Commands that podspawn answers itself: `ssh alice@host podspawn list`.
//!
//! A user has no shell on the host, so a command whose first word is `podspawn` is not run in the container. It asks the
//! broker about the sessions of the account that this process runs as, which the kernel reports; nothing in it names
//! another user, a socket or a file.

use super::{
    super::{
        list::{self, Broker},
        status, stop,
    },
    message,
};
use crate::domain::{ProjectName, chain, text::one_line};
use std::{
    env,
    ffi::OsString,
    io::{self, Write as _},
    os::unix::ffi::OsStringExt as _,
    path::Path,
    process::ExitCode,
};

/// The first word of such a command.
const NAME: &str = "podspawn";

/// Longest such command, in bytes: the longest that means anything has a project's name.
const MAX_BYTES: usize = 256;

/// The help text for users.
const HELP: &str = "\
usage: ssh USER@HOST podspawn COMMAND

  list [--json]     your sessions: project, container, status, connections, time left
  status [--json]   how many sessions, connections and containers you have
  stop [PROJECT]    end your session of PROJECT, or the one without a project
  help              this text

These commands are answered by the host. They create no container and also work at the limit of sessions.
";

#[derive(Debug, PartialEq, Eq)]
enum Command {
    List { json: bool },
    Status { json: bool },
    Stop { project: Option<ProjectName> },
    Help,
}

/// Answers the command that sshd passes on, if it is one of these. `project` is what the forced command's own options
/// name.
pub(super) fn answer(socket: &Path, project: Option<&str>) -> Option<ExitCode> {
    let command = env::var_os("SSH_ORIGINAL_COMMAND").map(OsString::into_vec)?;
    let arguments = arguments(&command)?;
    let command = match parse(arguments) {
        Ok(command) => command,
        Err(why) => {
            message::print(&format!("{why}; `podspawn help` lists the commands"));
            return Some(ExitCode::from(2));
        }
    };
    let broker = Broker { socket: socket.to_owned() };
    let selected =
        || project.map(str::to_owned).or_else(|| env::var("PODSPAWN_PROJECT").ok()).filter(|name| !name.is_empty());
    let done = match command {
        Command::List { json } => list::print_own(&broker, json),
        Command::Status { json } => status::print_own(&broker, json),
        Command::Stop { project } => stop::stop_own(&broker, project.map(|name| name.to_string()).or_else(selected)),
        Command::Help => io::stdout().lock().write_all(HELP.as_bytes()).map_err(Into::into),
    };
    Some(match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            message::print(&chain(error.as_ref()));
            ExitCode::FAILURE
        }
    })
}

/// The text behind the first word, if that is `podspawn`. As in a shell, the word begins after blanks and ends at white
/// space or the end. `podspawn;` and `podspawn-x` are the container's.
fn arguments(command: &[u8]) -> Option<&[u8]> {
    let start = command.iter().position(|byte| !matches!(byte, b' ' | b'\t'))?;
    let rest = command[start..].strip_prefix(NAME.as_bytes())?;
    rest.first().is_none_or(u8::is_ascii_whitespace).then_some(rest)
}

/// Reads words between blanks. Characters that a shell would interpret are refused.
fn parse(arguments: &[u8]) -> Result<Command, String> {
    if arguments.len() > MAX_BYTES {
        return Err(format!("the command is longer than {MAX_BYTES} bytes"));
    }
    let text = String::from_utf8_lossy(arguments);
    let is_word = |c: char| c.is_ascii_alphanumeric() || "-_.@".contains(c);
    if let Some(odd) = text.chars().find(|c| !is_word(*c) && !matches!(c, ' ' | '\t')) {
        return Err(format!("{odd:?} is not allowed here: write words between blanks"));
    }
    let words: Vec<&str> = text.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
    match words.as_slice() {
        ["list"] => Ok(Command::List { json: false }),
        ["list", "--json"] => Ok(Command::List { json: true }),
        ["status"] => Ok(Command::Status { json: false }),
        ["status", "--json"] => Ok(Command::Status { json: true }),
        ["stop"] => Ok(Command::Stop { project: None }),
        ["stop", project] if !project.starts_with('-') => {
            let name = project.strip_prefix('@').unwrap_or(project);
            let project = name.parse::<ProjectName>().map_err(|error| error.to_string())?;
            Ok(Command::Stop { project: Some(project) })
        }
        ["help" | "--help" | "-h"] => Ok(Command::Help),
        [] => Err("podspawn needs a command".to_owned()),
        [verb @ ("list" | "status" | "stop" | "help"), rest @ ..] => {
            Err(format!("podspawn {verb} does not take {:?}", one_line(&rest.join(" "))))
        }
        [verb, ..] => Err(format!("{:?} is no command of podspawn for users", one_line(verb))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_podspawns_own_if_its_first_word_is_exactly_podspawn() {
        for own in ["podspawn", "podspawn list", " \tpodspawn\tlist", "podspawn\nls", "podspawn  "] {
            assert!(arguments(own.as_bytes()).is_some(), "{own:?}");
        }
        for other in [
            "",
            " ",
            "podspawns",
            "podspawn-x",
            "podspawn;ls",
            "podspawn&",
            "./podspawn",
            "'podspawn' list",
            "a podspawn",
            "\npodspawn",
            "\u{a0}podspawn",
        ] {
            assert!(arguments(other.as_bytes()).is_none(), "{other:?}");
        }
        assert!(arguments(b"\xff podspawn").is_none());
    }

    #[test]
    fn a_user_has_few_commands_and_nothing_else() {
        let parsed = |text: &str| parse(text.as_bytes()).unwrap();
        assert_eq!(parsed(" list "), Command::List { json: false });
        assert_eq!(parsed("\tstatus   --json"), Command::Status { json: true });
        assert_eq!(parsed(" stop"), Command::Stop { project: None });
        for text in [" stop web", " stop @web"] {
            assert_eq!(parsed(text), Command::Stop { project: "web".parse().ok() });
        }
        for text in [" help", " --help", " -h"] {
            assert_eq!(parsed(text), Command::Help);
        }
        for bad in [
            "",
            " ",
            " --socket /tmp/x list",
            " list --socket=/tmp/x",
            " list --user bob",
            " list bob",
            " stop a b",
            " stop bob@web",
            " stop --force",
            " stop ../x",
            " stop \u{202e}x",
            " list; id",
            " list\nid",
            " list | cat",
            " list $(id)",
            " list `id`",
            " 'list'",
            " cleanup",
            " status --prometheus",
            " spawn",
            " list\0",
            " l\u{e9}",
        ] {
            let why = parse(bad.as_bytes()).unwrap_err();
            assert!(why.len() < 200 && !why.contains('\n') && !why.contains('\u{202e}'), "{bad:?}: {why}");
        }
        assert!(parse(&vec![b' '; 128 << 10]).unwrap_err().contains("longer than"));
        assert!(parse(b" list \xff").is_err());
    }

    #[test]
    fn every_command_is_in_the_help() {
        for verb in ["list", "status", "stop", "help"] {
            assert!(HELP.contains(&format!("\n  {verb} ")), "{verb}");
        }
    }
}
