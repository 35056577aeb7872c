//! Connections that sshd is asked about: as they may come, and as the criteria of a `Match` block describe them.

use super::{order::Matching, pattern};
use std::net::IpAddr;

/// Where a client may be: on this host, and anywhere else (RFC 5737). `Match Address` may distinguish them.
pub const ADDRESSES: [&str; 2] = ["127.0.0.1", ELSEWHERE];
/// An address of another host.
pub const ELSEWHERE: &str = "192.0.2.1";

/// A connection that sshd is asked about: its user, the client's address, and the server's.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Connection {
    /// The login name.
    pub user: String,
    /// The client's address.
    pub address: String,
    /// The client's name, which is its address unless sshd looks names up.
    pub host: String,
    /// The address that the client connects to.
    pub local_address: String,
    /// The port that the client connects to.
    pub local_port: u16,
}

impl Connection {
    /// One to port 22.
    pub fn new(user: impl Into<String>, address: &str) -> Self {
        let address = || address.to_owned();
        Self { user: user.into(), address: address(), host: address(), local_address: address(), local_port: 22 }
    }

    /// As `sshd -C` takes it.
    pub(super) fn specification(&self) -> String {
        let Self { user, address, host, local_address, local_port } = self;
        format!("user={user},host={host},addr={address},laddr={local_address},lport={local_port}")
    }

    /// One of `user` that is as `block` asks for, as far as an example of its criteria can be made; the rest of it is as
    /// in [`Self::new`].
    #[must_use]
    pub fn like(block: &Matching, user: &str) -> Self {
        let mut connection = Self::new(user, ELSEWHERE);
        for (criterion, list) in &block.criteria {
            let mut patterns = list.split(',').filter(|pattern| !pattern.starts_with('!'));
            match criterion.as_str() {
                "address" => connection.address = patterns.find_map(inside).unwrap_or(connection.address),
                "localaddress" => {
                    connection.local_address = patterns.find_map(inside).unwrap_or(connection.local_address);
                }
                "localport" => {
                    connection.local_port =
                        patterns.find_map(|pattern| pattern.parse().ok()).unwrap_or(connection.local_port);
                }
                // Patterns of names become a name.
                "host" => {
                    let names = patterns.map(|pattern| pattern.replace(['*', '?'], "x"));
                    connection.host = names.into_iter().next().unwrap_or(connection.host);
                }
                _ => {}
            }
        }
        connection
    }
}

/// An address that a pattern or a network describes.
fn inside(written: &str) -> Option<String> {
    let network = written.split('/').next().unwrap_or(written);
    if let Ok(address) = network.parse::<IpAddr>() {
        return Some(address.to_string());
    }
    let ones = network.replace(['*', '?'], "1");
    let missing = 3_usize.checked_sub(ones.matches('.').count())?;
    let filled = format!("{ones}{}", ".1".repeat(missing));
    filled
        .parse::<IpAddr>()
        .ok()
        .map(|address| address.to_string())
        .filter(|address| pattern::matches(address, written))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_is_made_that_a_block_asks_for() {
        for (written, address) in [
            ("10.0.0.0/8", Some("10.0.0.0")),
            ("192.168.*", Some("192.168.1.1")),
            ("10.2.3.?", Some("10.2.3.1")),
            ("2001:db8::/32", Some("2001:db8::")),
            ("example", None),
        ] {
            assert_eq!(inside(written).as_deref(), address, "{written}");
        }
        let pairs = [("address", "!10.9.0.0/16,10.0.0.0/8"), ("localport", "2222"), ("host", "*.example.org")];
        let criteria = pairs.map(|(name, list)| (name.to_owned(), list.to_owned())).to_vec();
        let block = Matching { file: "/f".into(), line: 1, written: String::new(), criteria, options: Vec::new() };
        assert_eq!(
            Connection::like(&block, "alice").specification(),
            "user=alice,host=x.example.org,addr=10.0.0.0,laddr=192.0.2.1,lport=2222"
        );
    }
}
