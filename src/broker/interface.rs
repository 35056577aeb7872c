//! What the broker says about itself: `org.varlink.service`.

use serde_json::{Value, json};

// The descriptions that `varlinkctl introspect` shows.
const SESSIONS: &str = include_str!("io.podspawn.Sessions.varlink");
const ADMIN: &str = include_str!("io.podspawn.Admin.varlink");
const METRICS: &str = include_str!("io.podspawn.Metrics.varlink");

const SERVICE: &str = "# The Varlink service interface
interface org.varlink.service

method GetInfo() -> (vendor: string, product: string, version: string, url: string, interfaces: []string)

method GetInterfaceDescription(interface: string) -> (description: string)

error InterfaceNotFound (interface: string)
error MethodNotFound (method: string)
error MethodNotImplemented (method: string)
error InvalidParameter (parameter: string)
error PermissionDenied ()
error ExpectedMore ()
";

/// Every interface, by name.
const INTERFACES: [(&str, &str); 4] = [
    ("io.podspawn.Admin", ADMIN),
    ("io.podspawn.Metrics", METRICS),
    ("io.podspawn.Sessions", SESSIONS),
    ("org.varlink.service", SERVICE),
];

/// The reply to `GetInfo`.
pub(super) fn info() -> Value {
    json!({
        "vendor": "podspawn",
        "product": "podspawn broker",
        "version": env!("CARGO_PKG_VERSION"),
        "url": "",
        "interfaces": INTERFACES.map(|(name, _)| name),
    })
}

/// The text of an interface.
pub(super) fn description(name: &str) -> Option<&'static str> {
    INTERFACES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use zlink::idl::Interface;

    #[test]
    fn the_descriptions_are_valid_and_name_every_method() {
        for (name, text) in INTERFACES {
            let interface = Interface::try_from(text).unwrap();
            assert_eq!(interface.name().to_string(), name);
        }
        let methods = |text| {
            let interface = Interface::try_from(text).unwrap();
            interface.methods().map(|method| method.name().to_string()).collect::<Vec<_>>()
        };
        assert_eq!(methods(SESSIONS), ["Attach", "List", "Stop", "Ended"]);
        assert_eq!(methods(METRICS), ["Snapshot", "Measurements"]);
    }
}
