//! `podspawn man DIR`: the manual pages, made of the same descriptions as `--help`.

use anyhow::Context as _;
use clap::Command;
use clap_mangen::Man;
use std::{
    fs,
    io::{self, Write as _},
    path::PathBuf,
};

/// What the page of the whole says beside the verbs.
const FILES: &str = r"
.SH FILES
.TP
\fI/etc/podspawn/config.yaml\fR
The configuration; absent, the defaults hold.
.TP
\fI/etc/podspawn/projects.yaml\fR
Projects, and who may use them.
.TP
\fI/etc/podspawn/users/USER.yaml\fR
What differs for a user.
.TP
\fI/etc/podspawn/keys/USER\fR
A user's public keys.
.TP
\fI/var/lib/podspawn\fR
The state, which only the broker writes.
.TP
\fI/run/podspawn/broker.sock\fR
The broker's socket.
";
const EXIT_STATUS: &str = r"
.SH EXIT STATUS
0 for success, 1 where something was refused or failed, 2 for wrong usage.
.B podspawn spawn
passes on the exit status of what ran in the container, and ends with 255 where it failed itself, as
.BR ssh (1)
does.
";

/// How the examples begin in what a verb's help ends with; paragraphs around them are notes.
const EXAMPLES: &str = "Examples:\n";

/// The verbs of users; the others are an administrator's.
const USERS: [&str; 4] = ["list", "status", "stop", "check-config"];

/// The section of the manual that the page of a verb is in.
fn section(verb: &str) -> u8 {
    if verb == "podspawn" || USERS.contains(&verb) { 1 } else { 8 }
}

/// Options of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  podspawn man /usr/share/man")]
pub struct Options {
    /// The directory of the manual: the pages go into its man1 and man8
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Runs the verb for the command line that `cli` describes.
pub fn run(options: &Options, mut cli: Command) -> anyhow::Result<()> {
    let directory = &options.directory;
    for section in [1, 8] {
        let directory = directory.join(format!("man{section}"));
        fs::create_dir_all(&directory).with_context(|| format!("making {}", directory.display()))?;
    }
    // `podspawn help` is no verb of ours.
    cli = cli.disable_help_subcommand(true);
    cli.build();
    let mut pages = vec![("podspawn".to_owned(), 1, whole(&cli)?)];
    for verb in cli.get_subcommands() {
        pages.push((format!("podspawn-{}", verb.get_name()), section(verb.get_name()), one(verb)?));
    }
    for (name, section, page) in pages {
        let path = directory.join(format!("man{section}/{name}.{section}"));
        fs::write(&path, page).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// The page of the whole.
fn whole(cli: &Command) -> io::Result<Vec<u8>> {
    let man = Man::new(cli.clone());
    let mut page = begin(&man)?;
    let mut list = Vec::new();
    man.render_subcommands_section(&mut list)?;
    let mut list = String::from_utf8(list).map_err(io::Error::other)?;
    // They are all said to be in this page's section.
    for verb in cli.get_subcommands().map(Command::get_name) {
        let name = literal(&format!("podspawn-{verb}"));
        list = list.replace(&format!("{name}(1)"), &format!("{name}({})", section(verb)));
    }
    page.write_all(list.as_bytes())?;
    page.write_all(FILES.as_bytes())?;
    page.write_all(EXIT_STATUS.as_bytes())?;
    let verbs = cli.get_subcommands().map(Command::get_name);
    let verbs = verbs.map(|verb| (format!("podspawn-{verb}"), section(verb)));
    let others = verbs.chain([("sshd_config".to_owned(), 5)]);
    let others: Vec<String> = others.map(|(name, section)| format!(".BR {} ({section})", literal(&name))).collect();
    write!(page, "\n.SH SEE ALSO\n{}\n", others.join(",\n"))?;
    Ok(page)
}

/// The page of a verb.
fn one(verb: &Command) -> io::Result<Vec<u8>> {
    let man = Man::new(verb.clone())
        .section(section(verb.get_name()).to_string())
        .source(concat!("podspawn ", env!("CARGO_PKG_VERSION")));
    let mut page = begin(&man)?;
    man.render_options_section(&mut page)?;
    let help = verb.get_after_help().map(ToString::to_string).unwrap_or_default();
    let (examples, notes): (Vec<_>, Vec<_>) = help.split("\n\n").partition(|part| part.starts_with(EXAMPLES));
    if !notes.concat().is_empty() {
        let notes: Vec<String> = notes.into_iter().map(literal).collect();
        write!(page, "\n.SH NOTES\n{}\n", notes.join("\n.PP\n"))?;
    }
    for part in examples {
        let lines: Vec<String> = part.lines().skip(1).map(|line| literal(line.trim_start())).collect();
        write!(page, "\n.SH EXAMPLES\n.nf\n{}\n.fi\n", lines.join("\n"))?;
    }
    write!(page, "\n.SH SEE ALSO\n.BR podspawn (1)\n")?;
    Ok(page)
}

fn begin(man: &Man) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    man.render_title(&mut page)?;
    man.render_name_section(&mut page)?;
    man.render_synopsis_section(&mut page)?;
    man.render_description_section(&mut page)?;
    Ok(page)
}

/// Text that roff prints as it is: to be copied from the page into a shell.
fn literal(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq").replace('"', "\\(dq").replace('`', "\\(ga")
}
