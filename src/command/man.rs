//! `podspawn man DIR`: the manual pages. Those of verbs have the descriptions of `--help`; `manual` has the others.

mod manual;
mod roff;

use anyhow::Context as _;
use clap::Command;
use clap_mangen::Man;
use roff::literal;
use std::{
    fs,
    io::{self, Write as _},
    path::PathBuf,
};

/// The pages of other programs that podspawn(1) refers to.
const OTHERS: [(&str, u8); 4] =
    [("podspawn", 7), ("podspawn.yaml", 5), ("podspawn-projects.yaml", 5), ("sshd_config", 5)];
/// The sections of the manual with a page of podspawn.
const SECTIONS: [u8; 4] = [1, 5, 7, 8];
const EXIT_STATUS: &str = r"
.SH EXIT STATUS
0 for success, 1 if the request was refused or failed, 2 for wrong usage.
.B podspawn spawn
passes on the exit status of the program in the container, and exits with 255 if it failed itself, as
.BR ssh (1)
does.
";

/// The start of the examples in the text below a verb's options; the paragraphs around them are notes.
const EXAMPLES: &str = "Examples:\n";

/// The verbs for users; the others are for administrators.
const USERS: [&str; 4] = ["list", "status", "stop", "check-config"];

/// The section of the manual for a verb's page.
fn section(verb: &str) -> u8 {
    if verb == "podspawn" || USERS.contains(&verb) { 1 } else { 8 }
}

/// Options of the verb.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  podspawn man /usr/share/man")]
pub struct Options {
    /// The manual's directory; the pages go into its man1, man5, man7 and man8
    #[arg(value_name = "DIR")]
    directory: PathBuf,
}

/// Runs the verb for the command line that `cli` describes.
pub fn run(options: &Options, mut cli: Command) -> anyhow::Result<()> {
    let directory = &options.directory;
    for section in SECTIONS {
        let directory = directory.join(format!("man{section}"));
        fs::create_dir_all(&directory).with_context(|| format!("making {}", directory.display()))?;
    }
    // clap adds `podspawn help`, which has no page.
    cli = cli.disable_help_subcommand(true);
    cli.build();
    let mut pages = vec![("podspawn".to_owned(), 1, whole(&cli)?)];
    for verb in cli.get_subcommands() {
        pages.push((format!("podspawn-{}", verb.get_name()), section(verb.get_name()), one(verb)?));
    }
    pages.extend(manual::pages());
    for (name, section, page) in pages {
        let path = directory.join(format!("man{section}/{name}.{section}"));
        fs::write(&path, page).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(())
}

/// podspawn(1), with the list of verbs.
fn whole(cli: &Command) -> io::Result<Vec<u8>> {
    let man = Man::new(cli.clone());
    let mut page = begin(&man)?;
    let mut list = Vec::new();
    man.render_subcommands_section(&mut list)?;
    let mut list = String::from_utf8(list).map_err(io::Error::other)?;
    // clap lists them all in this page's section.
    for verb in cli.get_subcommands().map(Command::get_name) {
        let name = literal(&format!("podspawn-{verb}"));
        list = list.replace(&format!("{name}(1)"), &format!("{name}({})", section(verb)));
    }
    page.write_all(list.as_bytes())?;
    page.write_all(EXIT_STATUS.as_bytes())?;
    let verbs = cli.get_subcommands().map(Command::get_name);
    let verbs = verbs.map(|verb| (format!("podspawn-{verb}"), section(verb)));
    let others = OTHERS.iter().map(|(name, section)| ((*name).to_owned(), *section)).chain(verbs);
    let others: Vec<String> = others.map(|(name, section)| format!(".BR {} ({section})", literal(&name))).collect();
    write!(page, "\n.SH SEE ALSO\n.nh\n{}\n", others.join(",\n"))?;
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
    write!(page, "\n.SH SEE ALSO\n.nh\n.BR podspawn (1),\n.BR podspawn (7),\n.BR podspawn.yaml (5)\n")?;
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
