//! One line of a key file: the restrictions that are kept, those that are dropped, and whether the key is used at all.
//!
//! The rule: a restriction that is understood is kept, a liberty is dropped, and a line that may hold a restriction
//! which is not understood yields no key. Options are read as sshd's auth-options.c reads them, names in any case.

use ssh_key::{PublicKey, public::KeyData};

/// Longest line, in bytes: an RSA key of 16,384 bits is 3 KiB.
const MAX_LINE_BYTES: usize = 16 * 1024;

/// A line that yields a key.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::command) struct Line {
    /// Restrictions, as they are printed.
    pub(in crate::command) kept: Vec<String>,
    /// Names of options that would loosen what we force, or that our forced command replaces.
    pub(in crate::command) dropped: Vec<&'static str>,
    /// Type and data, encoded anew after parsing, without the comment.
    pub(in crate::command) key: String,
}

/// Why a line that is no comment yields no key. It never quotes the line, which may have any bytes.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("skipped: {0}")]
pub(in crate::command) struct Skipped(&'static str);

/// The treatment of an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Printed behind ours: it restricts.
    Kept,
    /// Part of the options at the beginning of every line.
    Implied,
    /// Not printed, and remarked upon.
    Dropped,
    /// Without it the key would mean something else.
    Fatal,
}

/// Every option that stands alone.
const FLAGS: [(&str, Fate); 15] = [
    ("restrict", Fate::Implied),
    ("pty", Fate::Implied),
    ("no-pty", Fate::Kept),
    ("agent-forwarding", Fate::Implied),
    ("no-agent-forwarding", Fate::Kept),
    ("port-forwarding", Fate::Dropped),
    ("no-port-forwarding", Fate::Kept),
    ("x11-forwarding", Fate::Dropped),
    ("no-x11-forwarding", Fate::Kept),
    ("user-rc", Fate::Dropped),
    ("no-user-rc", Fate::Kept),
    ("touch-required", Fate::Kept),
    ("no-touch-required", Fate::Dropped),
    ("verify-required", Fate::Kept),
    ("no-verify-required", Fate::Dropped),
];

/// Every option with a value, but for [`CERT_AUTHORITY`].
const SETTINGS: [(&str, Fate); 8] = [
    ("from", Fate::Kept),
    ("expiry-time", Fate::Kept),
    ("command", Fate::Dropped),
    ("environment", Fate::Dropped),
    ("permitopen", Fate::Dropped),
    ("permitlisten", Fate::Dropped),
    ("tunnel", Fate::Dropped),
    ("principals", Fate::Dropped),
];

/// The key signs other keys. Without the option it would be a login key.
const CERT_AUTHORITY: (&str, Fate) = ("cert-authority", Fate::Fatal);

impl Line {
    /// Reads a line; `None` is an empty line or a comment.
    pub(in crate::command) fn parse(line: &[u8]) -> Result<Option<Self>, Skipped> {
        let line = line.strip_suffix(b"\r").unwrap_or(line).trim_ascii_start();
        if line.is_empty() || line[0] == b'#' {
            return Ok(None);
        }
        if line.len() > MAX_LINE_BYTES {
            return Err(Skipped("the line is too long"));
        }
        if let Some(key) = key(line) {
            return Ok(Some(Self { kept: Vec::new(), dropped: Vec::new(), key: key? }));
        }
        // Not a key at once, so options come first, up to a blank outside quotes.
        let end = unquoted(line, |byte| matches!(byte, b' ' | b'\t')).ok_or(Skipped("a quote is not closed"))?;
        let (options, rest) = line.split_at(end);
        let key = key(rest.trim_ascii_start()).ok_or(Skipped("there is no public key that is understood"))??;
        let options = str::from_utf8(options)
            .ok()
            .filter(|text| text.bytes().all(|byte| matches!(byte, b' '..=b'~')))
            .ok_or(Skipped("an option has characters other than printable ASCII"))?;
        let mut parsed = Self { kept: Vec::new(), dropped: Vec::new(), key };
        parsed.options(options)?;
        Ok(Some(parsed))
    }

    fn options(&mut self, mut options: &str) -> Result<(), Skipped> {
        loop {
            let end = unquoted(options.as_bytes(), |byte| byte == b',').ok_or(Skipped("a quote is not closed"))?;
            self.option(&options[..end])?;
            match options.get(end + 1..) {
                None => return Ok(()),
                Some(rest) => options = rest,
            }
        }
    }

    fn option(&mut self, option: &str) -> Result<(), Skipped> {
        let (name, value) = option.split_once('=').map_or((option, None), |(name, value)| (name, Some(value)));
        let mut known = match value {
            None => FLAGS.iter().chain(&[CERT_AUTHORITY]),
            // A value that sshd would not read to its end may hide the next option.
            Some(value) if !is_quoted(value) => return Err(Skipped("the value of an option is not in quotes")),
            Some(_) => SETTINGS.iter().chain(&[CERT_AUTHORITY]),
        };
        // sshd skips a line with an option that it does not know, since it may be a restriction; so do we.
        let &(name, fate) =
            known.find(|(known, _)| name.eq_ignore_ascii_case(known)).ok_or(Skipped("an option is unknown"))?;
        match fate {
            Fate::Implied => {}
            Fate::Fatal => return Err(Skipped("cert-authority: certificates are not supported")),
            Fate::Dropped if self.dropped.contains(&name) => {}
            Fate::Dropped => self.dropped.push(name),
            Fate::Kept => self.kept.push(value.map_or_else(|| name.to_owned(), |value| format!("{name}={value}"))),
        }
        Ok(())
    }
}

/// Whether `value` is one string in quotes, `\"` being a quote inside it, as sshd's `opt_dequote` reads it.
fn is_quoted(value: &str) -> bool {
    let Some(inner) = value.strip_prefix('"') else { return false };
    let bytes = inner.as_bytes();
    let mut position = 0;
    while let Some(&byte) = bytes.get(position) {
        match byte {
            b'\\' if bytes.get(position + 1) == Some(&b'"') => position += 1,
            b'"' => return position + 1 == bytes.len(),
            _ => {}
        }
        position += 1;
    }
    false
}

/// The first position outside quotes where `ends` holds, or the end; `None` if a quote is not closed. As sshd's
/// `sshkey_advance_past_options`.
fn unquoted(text: &[u8], ends: impl Fn(u8) -> bool) -> Option<usize> {
    let mut quoted = false;
    let mut position = 0;
    while let Some(&byte) = text.get(position) {
        match byte {
            b'\\' if text.get(position + 1) == Some(&b'"') => position += 1,
            b'"' => quoted = !quoted,
            _ if !quoted && ends(byte) => return Some(position),
            _ => {}
        }
        position += 1;
    }
    (!quoted).then_some(text.len())
}

/// The key that `text` begins with, if it begins with one: type, blank, base64.
fn key(text: &[u8]) -> Option<Result<String, Skipped>> {
    let mut words = text.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
    let (kind, data) = (str::from_utf8(words.next()?).ok()?, str::from_utf8(words.next()?).ok()?);
    let mut key = PublicKey::from_openssh(&format!("{kind} {data}")).ok()?;
    key.set_comment("");
    match key.key_data() {
        KeyData::Ed25519(_)
        | KeyData::SkEd25519(_)
        | KeyData::Ecdsa(_)
        | KeyData::SkEcdsaSha2NistP256(_)
        | KeyData::Rsa(_) => key.to_openssh().ok().map(|key| Ok(key.trim_end().to_owned())),
        KeyData::Dsa(_) => Some(Err(Skipped("DSA keys are too weak; sshd refuses them as well"))),
        _ => Some(Err(Skipped("a key type that this podspawn does not know"))),
    }
}
