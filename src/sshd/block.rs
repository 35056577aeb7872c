//! podspawn's own block: the text of the drop-in, and the line of `sshd_config` that reads it where no drop-in is read
//! first.
//!
//! The one source is `systemd/sshd_config.d/00-podspawn.conf`, which packages install as well.

use super::main_file::{keyword, words};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use sha2::{Digest as _, Sha256};
use std::path::{Path, PathBuf};

/// The drop-in with `@bin@` for the binary.
const TEMPLATE: &str = include_str!("../../systemd/sshd_config.d/00-podspawn.conf");
/// The place of the binary in [`TEMPLATE`].
const BINARY: &str = "@bin@";
/// The name of the drop-in: it is read before those of other packages.
pub const FILE_NAME: &str = "00-podspawn.conf";
/// Its earlier name.
pub const EARLIER_NAME: &str = "50-podspawn.conf";
/// The name of the file beside `sshd_config` that its first line includes.
pub const OWN_FILE: &str = "podspawn.conf";
/// SHA-256, in base64, of every [`TEMPLATE`] that was installed before: such a file is podspawn's to replace.
const EARLIER: [&str; 2] =
    ["OirEgytS/SGDYYhlxhAHSBek4qjJECFYWfmEr6DWH1k=", "CFzsRY8U3IqUM4tcIK9cfp21ePwZ5QFh47CyUtr8Py0="];
/// The group whose members get containers.
pub const GROUP: &str = "podspawn";

const BEGIN: &str = "# BEGIN podspawn: written by `podspawn server-setup`, which replaces what is between these marks";
const END: &str = "# END podspawn\n";

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

    /// The text of the drop-in.
    #[must_use]
    pub fn text(&self) -> String {
        let text = TEMPLATE.replace(BINARY, &self.binary.to_string_lossy());
        text.replace("\nMatch Group podspawn\n", &format!("\nMatch Group {}\n", self.group))
    }

    /// Whether `text` is this block, for whatever binary, or one that an earlier podspawn wrote.
    #[must_use]
    pub fn is_like(&self, text: &str) -> bool {
        let command = text.lines().map(keyword).find(|(keyword, _)| *keyword == "ForceCommand");
        let words = command.map(|(_, rest)| words(rest)).unwrap_or_default();
        let Some(binary) = words.iter().find(|word| *word != "exec") else { return false };
        let template = text.replace(&format!(" {binary} "), &format!(" {BINARY} "));
        let template = template.replace(&format!("\nMatch Group {}\n", self.group), "\nMatch Group podspawn\n");
        template == TEMPLATE || EARLIER.contains(&&*BASE64_STANDARD.encode(Sha256::digest(&template)))
    }
}

/// Every option that a block sets, its name in lower case, and the value.
#[must_use]
pub fn options(block: &str) -> Vec<(String, String)> {
    let lines = block.lines().map(keyword).filter(|(keyword, _)| !keyword.is_empty());
    let options = lines.filter(|(keyword, _)| !keyword.eq_ignore_ascii_case("match"));
    options.map(|(keyword, rest)| (keyword.to_ascii_lowercase(), words(rest).join(" "))).collect()
}

/// `text` with a first line that includes `own`, between marks; without the marks that there were. What an included file
/// says of a `Match` ends with the file.
pub fn include(text: &str, own: &Path) -> Result<String, MarkError> {
    let rest = remove(text)?;
    Ok(format!("{BEGIN}\nInclude \"{}\"\n{END}{}", own.display(), rest.as_deref().unwrap_or(text)))
}

/// `text` without marks and what is between them; `None` if there are none.
pub fn remove(text: &str) -> Result<Option<String>, MarkError> {
    let (begins, ends) = (text.matches("# BEGIN podspawn").count(), text.matches("# END podspawn").count());
    if begins == 0 && ends == 0 {
        return Ok(None);
    }
    let (Some(begin), Some(end)) = (text.find(&format!("{BEGIN}\n")), text.find(END)) else {
        return Err(MarkError::Unpaired);
    };
    if begins != 1 || ends != 1 || begin >= end || (begin > 0 && !text[..begin].ends_with('\n')) {
        return Err(MarkError::Unpaired);
    }
    // An earlier podspawn wrote the block itself to the end of the file, and an end of line before it.
    let is_line = text[begin + BEGIN.len()..].starts_with("\nInclude ");
    let before = if is_line || begin == 0 { &text[..begin] } else { &text[..begin - 1] };
    Ok(Some(format!("{before}{}", &text[end + END.len()..])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_to_the_beginning_and_leaves_without_a_trace() {
        let own = Path::new("/etc/ssh/podspawn.conf");
        for text in ["Port 22\n", "Port 22", "", "\n\n", "Match User x\n  X11Forwarding no\n"] {
            let with = include(text, own).unwrap();
            assert!(with.ends_with(&format!("\nInclude \"/etc/ssh/podspawn.conf\"\n{END}{text}")), "{with}");
            assert_eq!(remove(&with), Ok(Some(text.to_owned())));
            assert_eq!(include(&format!("{with}Match User y\n"), own), Ok(format!("{with}Match User y\n")));
            assert_eq!(remove(&format!("Port 23\n{with}")), Ok(Some(format!("Port 23\n{text}"))));
            // The block of an earlier podspawn.
            let earlier = format!("{text}\n{BEGIN}\nMatch Group podspawn\n    PermitTTY yes\nMatch all\n{END}");
            assert_eq!(remove(&earlier), Ok(Some(text.to_owned())));
            assert_eq!(include(&earlier, own), Ok(with));
        }
        assert_eq!(remove("Port 22\n"), Ok(None));
    }

    #[test]
    fn incomplete_marks_are_an_error() {
        let with = include("Port 22\n", Path::new("/x")).unwrap();
        for broken in [
            with.replace("# END podspawn\n", ""),
            with.replace("# BEGIN podspawn", "# BEGINNING"),
            with.replace("# BEGIN podspawn", "Port 22 # BEGIN podspawn"),
            format!("{with}{with}"),
        ] {
            assert_eq!(include(&broken, Path::new("/x")), Err(MarkError::Unpaired), "{broken}");
            assert_eq!(remove(&broken), Err(MarkError::Unpaired));
        }
    }

    #[test]
    fn the_block_of_an_earlier_podspawn_is_known() {
        let earlier = "\
# Accounts in group podspawn get containers, and nothing else of this host. Closed on failure: without podspawn
# they have no keys, and with keys no command but podspawn's. Other accounts are not touched.
Match Group podspawn
    AuthorizedKeysCommand /opt/podspawn auth-keys %u %t %k
    AuthorizedKeysCommandUser podspawn-keys
    AuthorizedKeysFile none
    PasswordAuthentication no
    KbdInteractiveAuthentication no
    # exec: one process less per channel, and sshd sees how it ended.
    ForceCommand exec /opt/podspawn spawn
    AcceptEnv LANG LC_* COLORTERM PODSPAWN_PROJECT
    PermitTTY yes
    PermitUserRC no
    PermitTunnel no
    AllowAgentForwarding yes
    # A forwarded connection would end in the host's network, where every service on loopback trusts it.
    AllowTcpForwarding no
    AllowStreamLocalForwarding no
    GatewayPorts no
    X11Forwarding no
";
        let block = Block::new("/usr/bin/podspawn".into());
        assert!(block.is_like(earlier) && block.text() != earlier);
        assert!(!block.is_like(&earlier.replace("AllowTcpForwarding no", "AllowTcpForwarding yes")));
        assert!(!block.is_like(&earlier.replace("/opt/podspawn auth-keys", "/opt/other auth-keys")));
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
