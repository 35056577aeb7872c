//! The table of events: the name that the logs and the metrics have, the journal's message id, severity, sinks, meaning.
//!
//! A name and an id never change, and no other event gets them: operators' queries and the catalog
//! (`systemd/catalog/podspawn.catalog`, shown by `journalctl -x`) go by them.

/// How urgent an event is in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Severity {
    /// Nothing is wrong.
    Info,
    /// An administrator may want to look.
    Warning,
    /// Something failed.
    Error,
}

macro_rules! kinds {
    ($($kind:ident = $name:literal, $id:literal, $severity:ident, [$($sink:ident),*], $meaning:literal;)*) => {
        /// The kinds of events.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
        pub enum Kind {
            $(#[doc = concat!($meaning, ".")] $kind,)*
        }

        impl Kind {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// The name: `PODSPAWN_EVENT` in the journal, `event` in the log file and in the audit log.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name,)* }
            }

            /// The message id: `MESSAGE_ID` in the journal.
            #[must_use]
            pub const fn message_id(self) -> &'static str {
                match self { $(Self::$kind => $id,)* }
            }

            /// How urgent it is in the log.
            #[must_use]
            pub const fn severity(self) -> Severity {
                match self { $(Self::$kind => Severity::$severity,)* }
            }

            /// The sinks beside the log, which has every event.
            pub(super) const fn sinks(self) -> &'static [&'static str] {
                match self { $(Self::$kind => &[$(stringify!($sink)),*],)* }
            }

            /// The meaning: a sentence without its full stop.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$kind => $meaning,)* }
            }
        }
    };
}

kinds! {
    ContainerCreate = "container_create", "d12e07c03d8c4724aaaa2b362b01a378", Info, [audit, metrics], "A container was created";
    ContainerCreateFailed = "container_create_failed", "dff59b1fc9224b89bf94f9ea407b3b0d", Error, [metrics], "A container could not be created";
    Connect = "connect", "b4d438d966614503b4c958b28c27d9ae", Info, [audit], "A connection began";
    Disconnect = "disconnect", "ec7db4fda1664c3c9acc80935378a652", Info, [audit], "A connection ended";
    GuestInvalid = "guest_invalid", "41dee2ee486341189456c086e82bb30a", Warning, [], "A container named connections that do not exist";
    Command = "command", "3d5fdf20853046feba361f9fdb2def59", Info, [audit], "A command or a file transfer ended";
    ContainerDestroy = "container_destroy", "69abcf176c0649dcb04120063f65ce15", Info, [audit, metrics], "A container is removed";
    PolicyDeny = "policy_deny", "24bcc914e3404f068c7b7601a4522c07", Warning, [audit], "A request was refused";
    AttachFailed = "attach_failed", "9ed2c3616e70450c97212604d2c05ebb", Error, [], "A login failed";
    ConfigReload = "config_reload", "49256f77a0154ac2847940b554eccf89", Info, [], "Changed configuration files are in force";
    ConfigInvalid = "config_invalid", "f94583c0a87e4f778f5abf2caf9d67b4", Error, [], "A configuration file is invalid and not in force";
    NotReady = "not_ready", "95e4bbd24d904a8f8d2d8e90c0372a04", Error, [], "The broker cannot serve logins";
    AuditWritten = "audit_written", "a80b7a1340d54a3a8cb814a6e4300e4b", Info, [], "The audit log is written again";
    AuditFailed = "audit_failed", "adf83d7bf622486ca5372a151f6138c8", Error, [], "The audit log cannot be written";
    NotWritten = "not_written", "6b42ef0de4e6486faba5ab6426d0222e", Warning, [audit], "Events were counted instead of written";
    LogWritten = "log_written", "14ce3a32b6f84a91b3d3fb7955199cd4", Info, [], "The log file is written again";
    LogFailed = "log_failed", "269c9fb425dd4a2e956395194d083fbd", Error, [], "The log file cannot be written";
    StateInvalid = "state_invalid", "271b6bb712de4e9db3b7b499a0da047c", Error, [], "A row of the state database is invalid";
    IdleExit = "idle_exit", "a76bfd368639474084933e354f52badc", Info, [], "The broker exits, as it has no session";
    AcceptFailed = "accept_failed", "c77cd9d8c00945f487cdb4948d7ce79e", Error, [], "The broker could not accept a connection";
    Cleanup = "cleanup", "329215a7f2854e258d03163e74042b8c", Info, [audit, metrics], "A cleanup removed something";
    CleanupFailed = "cleanup_failed", "992e09e5ce4c47af8aac2bbd036c8f6e", Error, [metrics], "A cleanup could not be completed";
    EngineLost = "engine_lost", "e724f0aaa84346ab82dfa708159467b2", Warning, [], "The container engine stopped answering";
    EngineBack = "engine_back", "fcf0690700e2424a849c73c9fe58e07d", Info, [], "The container engine answers again";
    ImageVerified = "image_verified", "398e7dab7ba747dc87ef89121085e37a", Info, [], "An image was verified";
    ImageNotVerified = "image_not_verified", "cc272f13932944b3a8fcdb742d90a1ea", Warning, [], "An image could not be verified";
    AuthKeys = "auth_keys", "ffb8c13a8f494570a4e828915416b536", Warning, [], "A key file, or a line of it, was not used";
}

impl Kind {
    /// The kind with this name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name)
    }
}
