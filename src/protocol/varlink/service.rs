//! `org.varlink.service`: the interface that every Varlink service has.

use serde::{Deserialize, Serialize};

/// Parameters of the reply to `GetInfo`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceInfo {
    /// `podspawn`.
    pub vendor: String,
    /// `podspawn broker`.
    pub product: String,
    /// The broker's version.
    pub version: String,
    /// Empty.
    pub url: String,
    /// The names of all interfaces.
    pub interfaces: Vec<String>,
}

/// Parameters of `GetInterfaceDescription`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceName {
    /// The interface's full name.
    pub interface: String,
}

/// Parameters of the reply to `GetInterfaceDescription`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InterfaceDescription {
    /// The interface in Varlink's definition language.
    pub description: String,
}
