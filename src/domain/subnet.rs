//! The small subnets that sessions get, out of one pool.

use super::Invalid;
use serde::{Deserialize, Serialize};
use std::{fmt, net::Ipv4Addr, str::FromStr};

/// An IPv4 network in CIDR notation, its host bits zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subnet {
    base: u32,
    prefix: u8,
}

impl Subnet {
    const fn mask(prefix: u8) -> u32 {
        if prefix == 0 { 0 } else { u32::MAX << (32 - prefix) }
    }

    /// From an address and a mask, as numbers; `None` if the mask has gaps or the address bits outside of it.
    #[must_use]
    pub const fn from_mask(address: u32, mask: u32) -> Option<Self> {
        // A mask has 32 bits.
        #[allow(clippy::cast_possible_truncation)]
        let prefix = mask.leading_ones() as u8;
        if mask == Self::mask(prefix) && address & !mask == 0 { Some(Self { base: address, prefix }) } else { None }
    }

    /// Whether every address of the other is one of this.
    #[must_use]
    pub const fn covers(self, other: Self) -> bool {
        self.prefix <= other.prefix && self.overlaps(other)
    }

    /// The prefix length, in bits.
    #[must_use]
    pub const fn prefix(self) -> u8 {
        self.prefix
    }

    /// Whether the two have an address in common.
    #[must_use]
    pub const fn overlaps(self, other: Self) -> bool {
        let prefix = if self.prefix < other.prefix { self.prefix } else { other.prefix };
        let mask = Self::mask(prefix);
        self.base & mask == other.base & mask
    }
}

impl FromStr for Subnet {
    type Err = Invalid;

    fn from_str(text: &str) -> Result<Self, Invalid> {
        let invalid = || Invalid::new(format!("{} is not an IPv4 network such as 10.209.0.0/16", Invalid::quote(text)));
        let (address, prefix) = text.split_once('/').ok_or_else(invalid)?;
        let base = u32::from(address.parse::<Ipv4Addr>().map_err(|_| invalid())?);
        let prefix: u8 = prefix.parse().map_err(|_| invalid())?;
        if prefix > 32 || base & !Self::mask(prefix) != 0 {
            return Err(invalid());
        }
        Ok(Self { base, prefix })
    }
}

impl TryFrom<String> for Subnet {
    type Error = Invalid;
    fn try_from(text: String) -> Result<Self, Invalid> {
        text.parse()
    }
}

impl From<Subnet> for String {
    fn from(subnet: Subnet) -> Self {
        subnet.to_string()
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", Ipv4Addr::from(self.base), self.prefix)
    }
}

/// A network cut into equal subnets, one per session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pool {
    network: Subnet,
    prefix: u8,
}

impl Pool {
    /// Cuts `network` into subnets of `prefix` bits.
    ///
    /// # Errors
    /// If a subnet would not fit the network, or could not hold network, gateway, container and broadcast (at most /29,
    /// which leaves room for companions).
    pub fn new(network: Subnet, prefix: u8) -> Result<Self, Invalid> {
        if prefix < network.prefix || prefix > 29 {
            return Err(Invalid::new(format!(
                "a prefix of {prefix} does not divide {network}: it must be from {} to 29",
                network.prefix
            )));
        }
        Ok(Self { network, prefix })
    }

    /// How many subnets the pool holds.
    #[must_use]
    pub const fn capacity(self) -> u32 {
        1 << (self.prefix - self.network.prefix)
    }

    /// The whole pool.
    #[must_use]
    pub const fn network(self) -> Subnet {
        self.network
    }

    /// How many of the subnets have an address in common with `other`, which is within the pool or within one of them.
    #[must_use]
    pub const fn within(self, other: Subnet) -> u32 {
        1 << self.prefix.saturating_sub(if other.prefix > self.network.prefix {
            other.prefix
        } else {
            self.network.prefix
        })
    }

    /// The subnets, lowest first.
    pub fn subnets(self) -> impl Iterator<Item = Subnet> {
        let step = 32 - u32::from(self.prefix);
        (0..self.capacity()).map(move |n| Subnet { base: self.network.base + (n << step), prefix: self.prefix })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_pool_holds_4096_sessions() {
        let pool = Pool::new("10.209.0.0/16".parse().unwrap(), 28).unwrap();
        assert_eq!(pool.capacity(), 4096);
        let subnets: Vec<_> = pool.subnets().collect();
        assert_eq!(subnets[0].to_string(), "10.209.0.0/28");
        assert_eq!(subnets[17].to_string(), "10.209.1.16/28");
        assert_eq!(subnets[4095].to_string(), "10.209.255.240/28");
        assert!(subnets.windows(2).all(|pair| !pair[0].overlaps(pair[1])));
        assert!(subnets[9].overlaps(pool.network()));
        let within = |text: &str| pool.within(text.parse().unwrap());
        assert_eq!((within("10.209.4.0/24"), within("10.209.9.9/32"), within("10.0.0.0/8")), (16, 1, 4096));
    }

    #[test]
    fn a_network_covers_itself_and_what_is_inside() {
        let subnet = |text: &str| text.parse::<Subnet>().unwrap();
        assert!(
            subnet("10.0.0.0/8").covers(subnet("10.209.0.0/16")) && subnet("10.0.0.0/8").covers(subnet("10.0.0.0/8"))
        );
        assert!(!subnet("10.209.0.0/16").covers(subnet("10.0.0.0/8")));
        assert!(!subnet("10.208.0.0/16").covers(subnet("10.209.0.0/16")));
        assert_eq!(Subnet::from_mask(0x0a00_0000, 0xff00_0000), Some(subnet("10.0.0.0/8")));
        assert_eq!(Subnet::from_mask(0, 0), Some(subnet("0.0.0.0/0")));
        assert_eq!(Subnet::from_mask(0x0a00_0001, u32::MAX), Some(subnet("10.0.0.1/32")));
        assert_eq!(Subnet::from_mask(0x0a00_0001, 0xff00_0000), None);
        assert_eq!(Subnet::from_mask(0x0a00_0000, 0xff00_ff00), None);
    }

    #[test]
    fn a_pool_that_cannot_be_cut_is_refused() {
        assert!(Pool::new("10.0.0.0/24".parse().unwrap(), 16).is_err());
        assert!(Pool::new("10.0.0.0/24".parse().unwrap(), 30).is_err());
        assert!("10.0.0.1/24".parse::<Subnet>().is_err());
        assert!("10.0.0.0/33".parse::<Subnet>().is_err());
        assert!("10.0.0.0".parse::<Subnet>().is_err());
    }
}
