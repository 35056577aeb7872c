//! Which subnets of the pool a session cannot have because the host has a route into them.
//!
//! A bridge's own route is more specific than a VPN's: with such a subnet a container would cut off a part of the network
//! behind it, and the engine would not report it.

use super::AttachError;
use crate::{
    domain::{Pool, Subnet},
    engine::product,
    sys::routes::Route,
};
use std::{collections::HashSet, io};

/// Where sessions' networks come from: the pool, and what of it is in use by others.
#[derive(Debug, Clone)]
pub(super) struct Subnets {
    pub(super) pool: Pool,
    pub(super) avoid: HashSet<Subnet>,
}

impl Subnets {
    /// Those of `pool` that no route of the host leads into; an error if one leads into all of them.
    ///
    /// If the routes cannot be read, no login is refused: the engine still keeps its own networks apart.
    pub(super) fn of(pool: Pool, routes: io::Result<Vec<Route>>) -> Result<Self, AttachError> {
        let routes = routes.unwrap_or_else(|error| {
            tracing::debug!(%error, "reading the host's routes");
            Vec::new()
        });
        let mut avoid = HashSet::new();
        for route in routes {
            if product().made_interface(&route.interface) || !route.subnet.overlaps(pool.network()) {
                continue;
            }
            if route.subnet.covers(pool.network()) {
                return Err(AttachError::PoolRouted { pool: pool.network(), route });
            }
            avoid.insert(route.subnet);
        }
        Ok(Self { pool, avoid })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subnets(routes: &[(&str, &str)]) -> Result<Subnets, AttachError> {
        let route = |(subnet, interface): &(&str, &str)| Route {
            subnet: subnet.parse().unwrap(),
            interface: (*interface).to_owned(),
        };
        let pool = Pool::new("10.209.0.0/16".parse().unwrap(), 28).unwrap();
        Subnets::of(pool, Ok(routes.iter().map(route).collect()))
    }

    #[test]
    fn a_route_into_all_of_the_pool_is_named() {
        for route in [("10.0.0.0/8", "tun0"), ("10.209.0.0/16", "eth1")] {
            let error = subnets(&[("192.168.0.0/16", "eth0"), route]).unwrap_err().for_user();
            assert!(error.starts_with("network.pool 10.209.0.0/16 overlaps this server's route to "), "{error}");
            assert!(error.contains(&format!("{} on {}", route.0, route.1)), "{error}");
        }
    }

    #[test]
    fn a_route_into_a_part_of_the_pool_makes_that_part_unusable() {
        let routes = [("10.209.4.0/24", "wg0"), ("10.209.9.9/32", "wg0"), ("10.0.0.0/16", "eth1")];
        let mut avoid: Vec<_> = subnets(&routes).unwrap().avoid.iter().map(ToString::to_string).collect();
        avoid.sort_unstable();
        assert_eq!(avoid, ["10.209.4.0/24", "10.209.9.9/32"]);
    }

    #[test]
    fn networks_of_the_engine_and_unknown_routes_are_no_reason_to_refuse() {
        assert!(subnets(&[("10.209.0.0/28", "br-0123456789ab")]).unwrap().avoid.is_empty());
        assert!(subnets(&[("10.0.0.0/8", "br-lan")]).is_err());
        let pool = Pool::new("10.209.0.0/16".parse().unwrap(), 28).unwrap();
        assert!(Subnets::of(pool, Err(io::ErrorKind::NotFound.into())).unwrap().avoid.is_empty());
    }
}
