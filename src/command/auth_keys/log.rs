//! Remarks for the administrator, in the journal: sshd discards what the command writes to stderr.

use crate::{
    domain::plain,
    event::{Event, Subject},
    log::Journal,
};
use std::{ffi::OsStr, io::Write as _};
use tracing_subscriber::{layer::SubscriberExt as _, registry};

/// Most remarks that one run makes: a broken file of a thousand lines must not flood the journal at every login.
const MAX_REMARKS: usize = 20;

/// Writes `remarks` to the journal, and to stderr for an administrator who runs the verb. Costs nothing without remarks.
pub(super) fn write(user: &OsStr, remarks: &[String]) {
    if remarks.is_empty() {
        return;
    }
    let user: String = user.to_string_lossy().chars().take(64).flat_map(char::escape_default).collect();
    let more = format!("{} more like these", remarks.len().saturating_sub(MAX_REMARKS));
    let mut lines: Vec<&str> = remarks.iter().take(MAX_REMARKS).map(String::as_str).collect();
    if remarks.len() > MAX_REMARKS {
        lines.push(&more);
    }
    let mut stderr = std::io::stderr().lock();
    for remark in &lines {
        // There may be no reader; there is nothing else to do about it.
        let _ = writeln!(stderr, "podspawn auth-keys: {user}: {}", plain(remark));
    }
    tracing::subscriber::with_default(registry().with(Journal), || {
        for remark in lines {
            Event::AuthKeys { remark }.log(&Subject { user: Some(&user), ..Subject::default() });
        }
    });
}
