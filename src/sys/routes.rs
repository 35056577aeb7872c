//! The host's IPv4 routes, as the kernel lists them for this process's network namespace.

use crate::domain::{Subnet, text::one_line};
use std::{
    fmt,
    fs::File,
    io::{self, Read},
};

/// The file of the routes, and the bytes of it that are read: 8192 routes. A host with more is a router of the internet, whose
/// routes lead elsewhere than to private networks.
const LIST: &str = "/proc/self/net/route";
const MAX_BYTES: u64 = 1024 * 1024;

/// Of the kernel's `rtnetlink.h`: the route is usable, and it leads nowhere on purpose.
const UP: u32 = 0x0001;
const REJECT: u32 = 0x0200;

/// The shortest prefix that is no default route in disguise: a VPN that takes everything takes it in two halves.
const SHORTEST: u8 = 2;

/// A route with a destination.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// Where to.
    pub subnet: Subnet,
    /// By which interface.
    pub interface: String,
}

impl fmt::Display for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} on {}", self.subnet, self.interface)
    }
}

/// Those of the main table, without default routes and those that lead nowhere.
pub fn list() -> io::Result<Vec<Route>> {
    let mut text = String::new();
    File::open(LIST)?.take(MAX_BYTES).read_to_string(&mut text)?;
    Ok(parse(&text))
}

/// Lines that are no routes, as the first, are passed over.
fn parse(text: &str) -> Vec<Route> {
    text.lines().filter_map(route).collect()
}

/// `eth0 0000FEA9 00000000 0001 0 0 1000 0000FFFF 0 0 0`: addresses are in network order, printed as one number.
fn route(line: &str) -> Option<Route> {
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let [interface, destination, _, flags, _, _, _, mask, ..] = fields[..] else { return None };
    let number = |text| u32::from_str_radix(text, 16).ok();
    let flags = number(flags)?;
    let subnet = Subnet::from_mask(u32::from_be(number(destination)?), u32::from_be(number(mask)?))?;
    let leads_somewhere = flags & UP != 0 && flags & REJECT == 0 && subnet.prefix() >= SHORTEST;
    leads_somewhere.then(|| Route { subnet, interface: one_line(interface) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The number as this machine's kernel prints an address.
    fn printed(address: [u8; 4]) -> String {
        format!("{:08X}", u32::from_ne_bytes(address))
    }

    fn line(interface: &str, to: [u8; 4], flags: &str, mask: [u8; 4]) -> String {
        format!("{interface}\t{}\t00000000\t{flags}\t0\t0\t0\t{}\t0\t0\t0      \n", printed(to), printed(mask))
    }

    #[test]
    fn routes_read_as_the_kernel_means_them() {
        let text = [
            "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n".to_owned(),
            line("eth0", [0, 0, 0, 0], "0003", [0, 0, 0, 0]),
            line("tun0", [128, 0, 0, 0], "0003", [128, 0, 0, 0]),
            line("tun0", [10, 0, 0, 0], "0003", [255, 0, 0, 0]),
            line("wg0", [10, 209, 7, 1], "0005", [255, 255, 255, 255]),
            line("*", [10, 1, 0, 0], "0201", [255, 255, 0, 0]),
            line("eth1", [10, 2, 0, 0], "0000", [255, 255, 0, 0]),
            line("odd0", [10, 3, 0, 0], "0001", [255, 0, 255, 0]),
            line("odd1", [10, 3, 0, 1], "0001", [255, 255, 0, 0]),
            "eth0\tnot hexadecimal\n".to_owned(),
            "tun0\t0000000A\t00000000\t00".to_owned(),
        ];
        let found: Vec<String> = parse(&text.concat()).iter().map(ToString::to_string).collect();
        assert_eq!(found, ["10.0.0.0/8 on tun0", "10.209.7.1/32 on wg0"]);
    }

    #[test]
    fn this_hosts_own_routes_can_be_read() {
        for route in list().unwrap() {
            assert!(route.subnet.prefix() >= SHORTEST && !route.interface.is_empty(), "{route}");
        }
    }
}
