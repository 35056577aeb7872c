//! The broker's Varlink interfaces, as the broker and its clients use them.
//!
//! The `.varlink` files beside the types are the contract; a test compares both field by field ([`interface`]). Descriptors
//! travel as `SCM_RIGHTS`; a parameter `…Fd` is an index into those of its message, systemd's convention.

mod admin;
pub mod interface;
mod metrics;
mod service;
mod sessions;

pub use admin::{
    CleanupParameters, CleanupReply, DiagnoseReply, EngineInfo, ImageInfo, PoolUse, UidConflict, VerifyImageParameters,
    VerifyImageReply,
};
pub use metrics::SnapshotReply;
pub use service::{InterfaceDescription, InterfaceName, ServiceInfo};
pub use sessions::{
    AttachParameters, AttachReply, EndedParameters, EndedReply, ListReply, Own, SessionInfo, Step, StopParameters,
};

use super::measurements::MeasurementsReply;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{str::FromStr, time::Duration};

/// Where the broker listens.
pub const SOCKET_PATH: &str = "/run/podspawn/broker.sock";

/// Largest message that the broker reads, in bytes. The largest that a client needs is a command of 128 KiB in base64 with
/// a full environment; the broker parses it on its only thread.
pub const MAX_MESSAGE_BYTES: usize = 256 * 1024;

/// Largest reply that a client reads, in bytes: a list of some thousand sessions.
pub const MAX_REPLY_BYTES: usize = 16 * 1024 * 1024;

/// How long a client waits for the reply to `Ended`, in front of a terminal whose container is gone.
pub const ENDED_TIMEOUT: Duration = Duration::from_secs(3);

/// The error of a session that does not exist.
pub const NO_SUCH_SESSION: &str = "io.podspawn.Sessions.NoSuchSession";
/// The error of a refusal by policy; the user sees its reason verbatim.
pub const DENIED: &str = "io.podspawn.Sessions.Denied";
/// The error of a failure: nothing was decided about the user, and trying again may help.
pub const UNAVAILABLE: &str = "io.podspawn.Sessions.Unavailable";
/// The error of a call that the access table does not permit.
pub const PERMISSION_DENIED: &str = "org.varlink.service.PermissionDenied";
/// The error of a parameter that is unknown, missing or malformed.
pub const INVALID_PARAMETER: &str = "org.varlink.service.InvalidParameter";
/// The error of an unknown method.
pub const METHOD_NOT_FOUND: &str = "org.varlink.service.MethodNotFound";
/// The error of an unknown interface.
pub const INTERFACE_NOT_FOUND: &str = "org.varlink.service.InterfaceNotFound";

/// One method with its parameters and its reply.
pub trait Call {
    /// The method.
    const METHOD: Method;
    /// What the caller sends.
    type Parameters: Serialize + DeserializeOwned;
    /// What the broker answers; with `more` also before the last reply.
    type Reply: Serialize + DeserializeOwned;
}

/// Every method: its name on the wire, its parameters and its reply.
macro_rules! methods {
    ($($method:ident = $name:literal: $parameters:ident => $reply:ident;)*) => {
        /// A method of the broker's interfaces.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Method {
            $(#[doc = concat!("`", $name, "`.")] $method,)*
        }

        impl Method {
            /// All methods, in the order of the interfaces.
            pub const ALL: &[Self] = &[$(Self::$method),*];

            /// The full name.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$method => $name,)* }
            }
        }

        /// A type for each method, to name it in a signature.
        pub mod methods {
            $(
                #[doc = concat!("`", $name, "`.")]
                #[derive(Debug)]
                pub enum $method {}

                impl super::Call for $method {
                    const METHOD: super::Method = super::Method::$method;
                    type Parameters = super::$parameters;
                    type Reply = super::$reply;
                }
            )*
        }

        /// Gives each method's types to `visit`.
        #[cfg(test)]
        fn visit_calls(visit: &mut impl interface::VisitCall) {
            $(visit.call::<methods::$method>();)*
        }
    };
}

methods! {
    Attach = "io.podspawn.Sessions.Attach": AttachParameters => AttachReply;
    List = "io.podspawn.Sessions.List": Own => ListReply;
    Stop = "io.podspawn.Sessions.Stop": StopParameters => Nothing;
    Ended = "io.podspawn.Sessions.Ended": EndedParameters => EndedReply;
    Snapshot = "io.podspawn.Metrics.Snapshot": Own => SnapshotReply;
    Measurements = "io.podspawn.Metrics.Measurements": Nothing => MeasurementsReply;
    Cleanup = "io.podspawn.Admin.Cleanup": CleanupParameters => CleanupReply;
    Diagnose = "io.podspawn.Admin.Diagnose": Nothing => DiagnoseReply;
    VerifyImage = "io.podspawn.Admin.VerifyImage": VerifyImageParameters => VerifyImageReply;
    GetInfo = "org.varlink.service.GetInfo": Nothing => ServiceInfo;
    GetInterfaceDescription = "org.varlink.service.GetInterfaceDescription": InterfaceName => InterfaceDescription;
}

/// The text names no method.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownMethod;

impl FromStr for Method {
    type Err = UnknownMethod;

    fn from_str(name: &str) -> Result<Self, UnknownMethod> {
        Self::ALL.iter().find(|method| method.name() == name).copied().ok_or(UnknownMethod)
    }
}

/// No parameters: those of every call that takes none, and of the reply to `Stop`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nothing {}

/// Parameters of [`DENIED`] and [`UNAVAILABLE`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// One line for the user.
    pub reason: String,
}
