//! The definitions of the broker's interfaces, as `varlinkctl introspect` shows them.

#[cfg(test)]
mod shape;
#[cfg(test)]
mod tests;

#[cfg(test)]
pub(super) use tests::VisitCall;

/// The definition of every interface, by name.
pub const INTERFACES: [(&str, &str); 4] = [
    ("io.podspawn.Admin", include_str!("io.podspawn.Admin.varlink")),
    ("io.podspawn.Metrics", include_str!("io.podspawn.Metrics.varlink")),
    ("io.podspawn.Sessions", include_str!("io.podspawn.Sessions.varlink")),
    ("org.varlink.service", include_str!("org.varlink.service.varlink")),
];

/// The definition of one interface.
#[must_use]
pub fn description(name: &str) -> Option<&'static str> {
    INTERFACES.iter().find(|(known, _)| *known == name).map(|(_, text)| *text)
}
