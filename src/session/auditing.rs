//! Where the audit log is, and what an operator may want to know of it.

use crate::{audit::AuditError, domain::UserName};
use std::{collections::BTreeMap, path::PathBuf};

/// Where the audit log is, and what it means that it cannot be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Auditing {
    /// The file.
    pub path: PathBuf,
    /// Whether nobody gets in then.
    pub required: bool,
}

/// What an operator may want to know of the audit log itself.
#[derive(Debug)]
pub enum AuditNews<'a> {
    /// It cannot be written; reported once.
    Failed(&'a AuditError),
    /// It can be written again.
    Written,
    /// Events are counted instead of written, in the log as well.
    Withheld {
        /// The user who caused too many; `None` where too many wait for a file that cannot be written.
        user: Option<&'a UserName>,
        /// How many, by their names.
        counts: &'a BTreeMap<&'static str, u64>,
    },
}

/// Is called with the news. Must not block.
pub type AuditObserver = Box<dyn Fn(&AuditNews<'_>)>;
