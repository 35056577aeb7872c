//! Variables that the host's PAM gives to every session of sshd, such as the locale of `/etc/default/locale`.
//!
//! sshd first sets what the client sent and then what PAM has, by the same names, so PAM's value replaces the client's.
//! A container wants neither the host's locale nor anything else of the host: what is known from here is left out, and
//! the image's own holds. The files are those of Linux-PAM's `pam_env` and are world-readable.

use std::{
    collections::{BTreeMap, VecDeque},
    path::{Path, PathBuf},
};

/// Where the rules of a service are; the first that exists counts.
const SERVICES: [&str; 2] = ["/etc/pam.d", "/usr/lib/pam.d"];
/// sshd's service.
const SERVICE: &str = "sshd";
/// The group whose members have containers.
const GROUP: &str = "podspawn";
/// Deepest nesting of included services, and the most rules of all files.
const MAX_DEPTH: usize = 8;
const MAX_RULES: usize = 1000;

/// What `pam_env` reads unless its arguments say otherwise.
const CONFIGURATION: &str = "/etc/security/pam_env.conf";
const ENVIRONMENT: &str = "/etc/environment";

/// The variables, or that PAM sets none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HostEnvironment {
    variables: BTreeMap<String, Value>,
    /// A module sets `MAIL`, which is then no sign of a session without PAM.
    sets_mail: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Value {
    Literal(String),
    /// Made of other variables or of what PAM knows of the session.
    Computed,
}

/// A rule of the types that `pam_env` has a part in.
struct Rule {
    kind: String,
    control: String,
    module: String,
    arguments: Vec<String>,
}

impl HostEnvironment {
    /// Follows sshd's rules. `read` returns the text of a file, or `None` for one that does not exist or is no text.
    pub fn read(mut read: impl FnMut(&Path) -> Option<String>) -> Self {
        let mut rules = Vec::new();
        collect(SERVICE, None, &mut read, &mut rules, 0);
        let mut environment = Self::default();
        for kind in ["auth", "session"] {
            let mut rules: VecDeque<_> = rules.iter().filter(|rule| rule.kind == kind).collect();
            while let Some(rule) = rules.pop_front() {
                let name = Path::new(&rule.module).file_stem().unwrap_or_default();
                if name == "pam_succeed_if" {
                    let skipped = rule.skipped_for_users();
                    rules.drain(..skipped.min(rules.len()));
                } else if name == "pam_mail" {
                    environment.sets_mail |= !rule.arguments.iter().any(|argument| argument == "noenv");
                } else if name == "pam_env" {
                    environment.apply(rule, &mut read);
                }
            }
        }
        environment.sets_mail |= environment.variables.contains_key("MAIL");
        environment
    }

    /// Whether the host gives `name` this value, in a session whose variables are `session`.
    #[must_use]
    pub fn gives(&self, name: &str, value: &str, session: &BTreeMap<String, String>) -> bool {
        // sshd sets MAIL only where it does not use PAM. Then whatever has the host's value was sent by the client.
        let without_pam = session.contains_key("MAIL") && !self.sets_mail;
        !without_pam
            && match self.variables.get(name) {
                Some(Value::Literal(given)) => given == value,
                Some(Value::Computed) => true,
                None => false,
            }
    }

    fn apply(&mut self, rule: &Rule, read: &mut impl FnMut(&Path) -> Option<String>) {
        let argument = |name: &str| rule.arguments.iter().find_map(|argument| argument.strip_prefix(name));
        if let Some(text) = read(Path::new(argument("conffile=").unwrap_or(CONFIGURATION))) {
            self.configure(&text);
        }
        if argument("readenv=") != Some("0")
            && let Some(text) = read(Path::new(argument("envfile=").unwrap_or(ENVIRONMENT)))
        {
            self.assign(&text);
        }
    }

    /// Lines of `NAME DEFAULT=value OVERRIDE=value`.
    fn configure(&mut self, text: &str) {
        for line in lines(text) {
            let words = words(&line);
            let Some((name, settings)) = words.split_first() else { continue };
            let setting = |key: &str| settings.iter().rev().find_map(|word| word.strip_prefix(key));
            let value =
                [setting("OVERRIDE="), setting("DEFAULT=")].into_iter().flatten().find(|value| !value.is_empty());
            match value {
                Some(value) => self.variables.insert(name.clone(), Value::of(value)),
                None => self.variables.remove(name),
            };
        }
    }

    /// Lines of `NAME=value`, where quotes are taken off and nothing else is special.
    fn assign(&mut self, text: &str) {
        for line in text.lines().map(str::trim_start) {
            let line = line.split('#').next().unwrap_or_default().trim_end();
            let line = line.strip_prefix("export ").unwrap_or(line);
            let Some((name, value)) = line.split_once('=') else { continue };
            let value = match value.chars().next() {
                Some('"' | '\'') => value.trim_matches(['"', '\'']),
                _ => value,
            };
            self.variables.insert(name.to_owned(), Value::Literal(value.to_owned()));
        }
    }
}

impl Value {
    fn of(text: &str) -> Self {
        if text.contains(['$', '@', '\\']) { Self::Computed } else { Self::Literal(text.to_owned()) }
    }
}

impl Rule {
    /// How many rules of the same type the members of the group skip: the administrator's way to let a client's
    /// variables through, `[success=1 default=ignore] pam_succeed_if.so quiet user ingroup podspawn`.
    fn skipped_for_users(&self) -> usize {
        let condition = ["user", "ingroup", GROUP];
        if !self.arguments.windows(condition.len()).any(|words| words == condition) {
            return 0;
        }
        let success = self.control.trim_matches(['[', ']']).split_whitespace();
        success.filter_map(|word| word.strip_prefix("success=")).find_map(|count| count.parse().ok()).unwrap_or(0)
    }
}

/// Adds the rules of `service`, those of `kind` alone if it is given.
fn collect(
    service: &str,
    kind: Option<&str>,
    read: &mut impl FnMut(&Path) -> Option<String>,
    rules: &mut Vec<Rule>,
    depth: usize,
) {
    let places = SERVICES.map(|place| Path::new(place).join(service));
    let Some(text) = places.iter().map(PathBuf::as_path).find_map(&mut *read) else { return };
    for line in lines(&text) {
        if rules.len() >= MAX_RULES || depth >= MAX_DEPTH {
            return;
        }
        let mut words = words(&line).into_iter();
        let Some(first) = words.next() else { continue };
        if first == "@include" {
            if let Some(included) = words.next() {
                collect(&included, kind, read, rules, depth + 1);
            }
            continue;
        }
        // A leading `-` only keeps a missing module out of the log.
        let first = first.trim_start_matches('-').to_owned();
        if kind.is_some_and(|kind| kind != first) {
            continue;
        }
        let (Some(control), Some(module)) = (words.next(), words.next()) else { continue };
        if control == "include" || control == "substack" {
            collect(&module, Some(&first), read, rules, depth + 1);
        } else {
            rules.push(Rule { kind: first, control, module, arguments: words.collect() });
        }
    }
}

/// The lines that say something: a `\` at the end continues one, a `#` begins a comment.
fn lines(text: &str) -> Vec<String> {
    let text = text.replace("\\\n", " ");
    let lines = text.lines().map(|line| line.split('#').next().unwrap_or_default().trim());
    lines.filter(|line| !line.is_empty()).map(ToOwned::to_owned).collect()
}

/// The words of a line. `[…]` is one word, and quotes keep blanks together; they are taken off.
fn words(line: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let (mut bracket, mut quoted) = (false, false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            c if c.is_whitespace() && !bracket && !quoted => words.push(String::new()),
            c => {
                bracket = (bracket || c == '[') && c != ']';
                if let Some(word) = words.last_mut() {
                    word.push(c);
                }
            }
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

#[cfg(test)]
mod tests;
