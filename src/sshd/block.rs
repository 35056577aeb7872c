//! podspawn's own block: the text of the drop-in, and the same between marks in `sshd_config` itself.
//!
//! The one source is `systemd/sshd_config.d/50-podspawn.conf`, which packages install as well.

use super::main_file::{keyword, words};
use std::path::PathBuf;

/// The drop-in with `@bin@` for the binary.
const TEMPLATE: &str = include_str!("../../systemd/sshd_config.d/50-podspawn.conf");
/// What stands for the binary in [`TEMPLATE`].
const BINARY: &str = "@bin@";
/// What the drop-in is called.
pub const FILE_NAME: &str = "50-podspawn.conf";
/// The group whose members get containers.
pub const GROUP: &str = "podspawn";

const BEGIN: &str = "# BEGIN podspawn: written by `podspawn server-setup`, which replaces what is between these marks";
/// Ends the block's scope: what somebody appends later is meant for everybody.
const END: &str = "Match all\n# END podspawn\n";

/// Why a file with marks cannot be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MarkError {
    /// One mark has no other.
    #[error(
        "the marks \"# BEGIN podspawn\" and \"# END podspawn\" do not belong together; remove what is left of them"
    )]
    Unpaired,
}

/// The block of one installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The binary that sshd is to run.
    pub binary: PathBuf,
    /// The group whose members get containers: [`GROUP`], but in tests.
    pub group: String,
}

impl Block {
    /// The block for the binary at `binary`.
    #[must_use]
    pub fn new(binary: PathBuf) -> Self {
        Self { binary, group: GROUP.to_owned() }
    }

    /// What stands in the drop-in.
    #[must_use]
    pub fn text(&self) -> String {
        let text = TEMPLATE.replace(BINARY, &self.binary.to_string_lossy());
        text.replace("\nMatch Group podspawn\n", &format!("\nMatch Group {}\n", self.group))
    }

    /// Whether `text` is this block, for whatever binary.
    #[must_use]
    pub fn is_like(&self, text: &str) -> bool {
        let command = text.lines().map(keyword).find(|(keyword, _)| *keyword == "ForceCommand");
        let binary = command.and_then(|(_, rest)| words(rest).into_iter().nth(1));
        binary.is_some_and(|binary| Self { binary: binary.into(), group: self.group.clone() }.text() == text)
    }
}

/// Every option that a block sets, its name in lower case, and the value.
#[must_use]
pub fn options(block: &str) -> Vec<(String, String)> {
    let lines = block.lines().map(keyword).filter(|(keyword, _)| !keyword.is_empty());
    let options = lines.filter(|(keyword, _)| !keyword.eq_ignore_ascii_case("match"));
    options.map(|(keyword, rest)| (keyword.to_ascii_lowercase(), words(rest).join(" "))).collect()
}

/// `text` with `block` between marks: in place of what is there, else at the end, where `Match` blocks belong.
pub fn insert(text: &str, block: &str) -> Result<String, MarkError> {
    let marked = format!("\n{BEGIN}\n{block}{END}");
    Ok(match find(text)? {
        Some((begin, end)) => format!("{}{marked}{}", &text[..begin], &text[end..]),
        None => format!("{text}{marked}"),
    })
}

/// `text` without marks and what is between them; `None` if there are none.
pub fn remove(text: &str) -> Result<Option<String>, MarkError> {
    Ok(find(text)?.map(|(begin, end)| format!("{}{}", &text[..begin], &text[end..])))
}

/// What is between the marks, if there are any.
pub fn marked(text: &str) -> Result<Option<&str>, MarkError> {
    let Some((begin, end)) = find(text)? else { return Ok(None) };
    let inner = text[begin..end].trim_start_matches('\n');
    Ok(inner.strip_prefix(BEGIN).and_then(|inner| inner.strip_prefix('\n')).and_then(|inner| inner.strip_suffix(END)))
}

/// From the newline before the first mark to behind the last.
fn find(text: &str) -> Result<Option<(usize, usize)>, MarkError> {
    let begin = format!("\n{BEGIN}\n");
    let (begins, ends) = (text.matches("# BEGIN podspawn").count(), text.matches("# END podspawn").count());
    match (text.find(&begin), text.find(END)) {
        (None, None) if begins == 0 && ends == 0 => Ok(None),
        (Some(from), Some(to)) if begins == 1 && ends == 1 && from < to => Ok(Some((from, to + END.len()))),
        _ => Err(MarkError::Unpaired),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_goes_to_the_end_and_leaves_without_a_trace() {
        for text in ["Port 22\n", "Port 22", "", "\n\n", "Match User x\n  X11Forwarding no\n"] {
            let with = insert(text, "Match Group podspawn\n    PermitTTY yes\n").unwrap();
            assert!(with.starts_with(text) && with.ends_with("Match all\n# END podspawn\n"), "{with}");
            assert_eq!(marked(&with), Ok(Some("Match Group podspawn\n    PermitTTY yes\n")));
            assert_eq!(remove(&with), Ok(Some(text.to_owned())));
            // Again, and with another block: in place, whatever was appended since.
            let more = format!("{with}Match User y\n");
            let again = insert(&more, "Match Group podspawn\n    PermitTTY no\n").unwrap();
            assert_eq!(again, more.replace("TTY yes", "TTY no"));
        }
        assert_eq!(remove("Port 22\n"), Ok(None));
    }

    #[test]
    fn marks_that_somebody_cut_are_not_guessed_at() {
        let with = insert("Port 22\n", "x\n").unwrap();
        for broken in [
            with.replace("# END podspawn\n", ""),
            with.replace("Match all\n", ""),
            with.replace("# BEGIN podspawn", "# BEGINNING"),
            format!("{with}{with}"),
        ] {
            assert_eq!(insert(&broken, "x\n"), Err(MarkError::Unpaired), "{broken}");
            assert_eq!(remove(&broken), Err(MarkError::Unpaired));
        }
    }

    #[test]
    fn our_own_block_is_known_for_any_binary_and_nothing_else_is() {
        let block = Block::new("/opt/podspawn".into());
        let text = block.text();
        assert!(!text.contains('@') && text.contains("\n    ForceCommand exec /opt/podspawn spawn\n"));
        assert!(block.is_like(&text) && block.is_like(&Block::new("/usr/bin/podspawn".into()).text()));
        assert!(!block.is_like(&text.replace("AllowTcpForwarding no", "AllowTcpForwarding yes")));
        assert!(!block.is_like("") && !block.is_like("Match Group podspawn\n"));
        let options = options(&text);
        assert!(options.contains(&("forcecommand".into(), "exec /opt/podspawn spawn".into())), "{options:?}");
        assert!(options.contains(&("authorizedkeysfile".into(), "none".into())));
        assert!(options.len() > 12 && options.iter().all(|(name, _)| name != "match"));
    }
}
