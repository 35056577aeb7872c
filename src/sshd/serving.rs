//! How systemd runs sshd, and how sshd reads its configuration again.

use super::{Effective, greeting};
use crate::sys::systemd::{Systemctl, Unit};
use std::{io, net::SocketAddr, time::Duration};

/// The names of sshd's service and socket: Debian's, and those of other distributions.
pub const UNITS: [&str; 4] = ["ssh.service", "sshd.service", "ssh.socket", "sshd.socket"];

/// The unit that serves connections.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Serving {
    /// A service that listens itself. It reads its configuration when it starts and when it is reloaded.
    Service {
        /// Its name.
        name: String,
    },
    /// A service that its socket has started, and that listens by the socket's descriptor. Debian's sshd closes that
    /// descriptor when it is reloaded, cannot bind the port, and ends; a restart gets it from systemd again.
    Activated {
        /// The service.
        service: String,
        /// The socket.
        socket: String,
        /// Whether a restart ends no connection (`KillMode=process`).
        keeps_connections: bool,
    },
    /// A socket: sshd is started by the next connection, or by each one, and reads its configuration then.
    Socket {
        /// Its name.
        name: String,
    },
    /// Nothing; the unit to start is one that the host has enabled, if it has any.
    Stopped {
        /// The unit to start.
        unit: Option<String>,
    },
}

/// sshd's units as systemd shows them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The unit that serves connections.
    pub serving: Serving,
    /// Where the socket listens, if one does: the `Port` of sshd's configuration is then not in force.
    pub listens: Vec<SocketAddr>,
    /// When the service last read its configuration, by the monotonic clock; `None` if none runs.
    pub read: Option<Duration>,
}

/// Asks systemd about `units`.
pub fn find(systemctl: &Systemctl, units: &[&str], deadline: Duration) -> io::Result<Found> {
    const PROPERTIES: [&str; 8] = [
        "Id",
        "LoadState",
        "ActiveState",
        "UnitFileState",
        "Accept",
        "Listen",
        "KillMode",
        "StateChangeTimestampMonotonic",
    ];
    Ok(judge(&systemctl.show(units, &PROPERTIES, deadline)?))
}

/// The units to ask about where the administrator names one.
#[must_use]
pub fn units_of(name: &str) -> Vec<String> {
    let stem = name.strip_suffix(".service").or_else(|| name.strip_suffix(".socket")).unwrap_or(name);
    vec![format!("{stem}.service"), format!("{stem}.socket")]
}

impl Found {
    /// Where an sshd should answer: at the socket, or where `options` have it listen.
    #[must_use]
    pub fn addresses(&self, options: &Effective) -> Vec<SocketAddr> {
        if self.listens.is_empty() { listen_addresses(options) } else { self.listens.clone() }
    }
}

/// Where sshd listens by its own configuration.
#[must_use]
pub fn listen_addresses(options: &Effective) -> Vec<SocketAddr> {
    options.words("listenaddress").filter_map(|word| greeting::address(std::iter::once(word))).collect()
}

fn judge(units: &[Unit]) -> Found {
    let id = |unit: &Unit| unit.property("Id").to_owned();
    let active = |end: &str| units.iter().filter(|unit| unit.is_active()).find(|unit| id(unit).ends_with(end));
    let service = active(".service");
    let name = service.map(id).unwrap_or_default();
    let own_socket = || {
        let socket = name.replace(".service", ".socket");
        // One that accepts starts another service for each connection.
        let is_it = |unit: &&Unit| id(unit) == socket && unit.is_active() && unit.property("Accept") == "no";
        units.iter().find(is_it)
    };
    let read = service.and_then(|unit| unit.moment("StateChangeTimestampMonotonic"));
    let (serving, socket) = match (service, active(".socket")) {
        (Some(unit), _) => match own_socket() {
            Some(socket) => {
                let keeps_connections = ["process", "none"].contains(&unit.property("KillMode"));
                (Serving::Activated { service: name, socket: id(socket), keeps_connections }, Some(socket))
            }
            None => (Serving::Service { name }, None),
        },
        (None, Some(socket)) => (Serving::Socket { name: id(socket) }, Some(socket)),
        (None, None) => {
            let mut loaded = units.iter().filter(|unit| unit.property("LoadState") == "loaded");
            let enabled = loaded.clone().find(|unit| unit.property("UnitFileState").starts_with("enabled"));
            (Serving::Stopped { unit: enabled.or_else(|| loaded.next()).map(id) }, None)
        }
    };
    let listens = socket.map(|unit| listens(unit.property("Listen"))).unwrap_or_default();
    Found { serving, listens, read }
}

/// The addresses in a socket's `Listen`: one a line, each with the kind of socket behind it.
fn listens(text: &str) -> Vec<SocketAddr> {
    let mut addresses = Vec::new();
    for word in text.lines().filter_map(|line| line.split_whitespace().next()) {
        addresses.extend(greeting::address(std::iter::once(word)));
        // It takes IPv4 as well, and a host without IPv6 takes nothing else.
        let any = word.strip_prefix("[::]:").map(|port| format!("127.0.0.1:{port}"));
        addresses.extend(any.and_then(|address| address.parse::<SocketAddr>().ok()));
    }
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit(text: &str) -> Unit {
        Unit::parse_for_test(&text.replace(' ', "\n"))
    }

    fn serving(units: &[&str]) -> Serving {
        judge(&units.iter().map(|text| unit(text)).collect::<Vec<_>>()).serving
    }

    #[test]
    fn a_service_a_socket_and_a_service_of_a_socket_are_distinguished() {
        let service = "Id=ssh.service LoadState=loaded ActiveState=active KillMode=process UnitFileState=enabled";
        let idle = "Id=ssh.service LoadState=loaded ActiveState=inactive UnitFileState=disabled";
        let socket = "Id=ssh.socket LoadState=loaded ActiveState=active Accept=no UnitFileState=enabled";
        let accepting = "Id=ssh.socket LoadState=loaded ActiveState=active Accept=yes";
        let absent = "Id=sshd.service LoadState=not-found ActiveState=inactive";
        let stopped = "Id=ssh.socket LoadState=loaded ActiveState=inactive Accept=no UnitFileState=enabled";
        let own = || Serving::Service { name: "ssh.service".into() };
        let activated = |keeps_connections| Serving::Activated {
            service: "ssh.service".into(),
            socket: "ssh.socket".into(),
            keeps_connections,
        };
        assert_eq!(serving(&[service, absent, stopped]), own());
        assert_eq!(serving(&[service, socket]), activated(true));
        assert_eq!(serving(&[&service.replace("process", "control-group"), socket]), activated(false));
        assert_eq!(serving(&[service, accepting]), own());
        for one in [socket, accepting] {
            assert_eq!(serving(&[idle, absent, one]), Serving::Socket { name: "ssh.socket".into() });
        }
        assert_eq!(serving(&[idle, stopped]), Serving::Stopped { unit: Some("ssh.socket".into()) });
        assert_eq!(serving(&[idle, absent]), Serving::Stopped { unit: Some("ssh.service".into()) });
        assert_eq!(serving(&[absent]), Serving::Stopped { unit: None });
    }

    #[test]
    fn a_socket_listens_where_systemd_says() {
        let options = Effective::parse_for_test("listenaddress 0.0.0.0:22\n");
        let socket = Unit::parse_for_test(
            "Id=ssh.socket\nActiveState=active\nAccept=no\nListen=[::]:2222 (Stream)\nListen=192.0.2.7:23 (Stream)\n",
        );
        let of = |units: &[Unit]| -> Vec<String> {
            judge(units).addresses(&options).iter().map(ToString::to_string).collect()
        };
        assert_eq!(of(&[socket]), ["[::1]:2222", "127.0.0.1:2222", "192.0.2.7:23"]);
        assert_eq!(of(&[unit("Id=ssh.service ActiveState=active")]), ["127.0.0.1:22"]);
    }

    #[test]
    fn a_named_service_is_asked_about_with_its_socket() {
        for name in ["ssh", "ssh.service", "ssh.socket"] {
            assert_eq!(units_of(name), ["ssh.service", "ssh.socket"]);
        }
    }
}
