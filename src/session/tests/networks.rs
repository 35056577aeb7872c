//! Which subnets sessions get.

use super::*;
use crate::sys::routes::Route;

/// The subnets that the engine has networks for, in order.
async fn taken(host: &Host) -> Vec<String> {
    let mut subnets: Vec<_> =
        host.engine.networks().await.unwrap().iter().map(|found| found.subnet.unwrap().to_string()).collect();
    subnets.sort_unstable();
    subnets
}

fn route(subnet: &str) -> Route {
    Route { subnet: subnet.parse().unwrap(), interface: "tun0".into() }
}

#[test]
fn subnets_are_given_without_gaps_and_given_back_until_none_is_left() {
    let host = Host::with_config("network: {pool: 10.9.0.0/27, prefix: 28}\nsession: {mode: destroy-on-disconnect}");
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        let alice = attach(&sessions, &host.request("alice", None)).await.unwrap();
        let _bob = attach(&sessions, &host.request("bob", None)).await.unwrap();
        assert_eq!(taken(host).await, ["10.9.0.0/28", "10.9.0.16/28"]);
        let error = attach(&sessions, &host.request("carol", None)).await.unwrap_err();
        assert!(error.for_user().contains("no network left") && error.for_user().contains("network.pool"), "{error}");
        assert_eq!((host.engine.counts(), host.rows()), ((2, 2), 2));
        drop(alice);
        until("one is given back", || sessions.counts().0 == 1).await;
        let _carol = attach(&sessions, &host.request("carol", None)).await.unwrap();
        assert_eq!(taken(host).await, ["10.9.0.0/28", "10.9.0.16/28"]);
    });
}

#[test]
fn a_pool_that_the_host_has_a_route_into_is_refused_by_name_and_a_session_that_is_there_goes_on() {
    let host = Host::new();
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        let _alice = attach(&sessions, &host.request("alice", None)).await.unwrap();
        let routed = |mut request: Request| {
            request.capacity.routes = || Ok(vec![route("10.0.0.0/8")]);
            request
        };
        let error = attach(&sessions, &routed(host.request("bob", None))).await.unwrap_err();
        let line = "network.pool 10.209.0.0/16 overlaps this server's route to 10.0.0.0/8 on tun0; ask the administrator \
                    to choose another network.pool";
        assert_eq!(error.for_user(), line);
        assert_eq!((host.engine.counts(), host.rows()), ((1, 1), 1));
        // Routes are not read for a session that has its network.
        let mut warm = host.request("alice", None);
        warm.capacity.routes = || panic!("a warm login reads routes");
        attach(&sessions, &warm).await.unwrap();
    });
}

#[test]
fn a_route_into_a_part_of_the_pool_and_a_network_of_the_engines_own_are_both_passed_over() {
    let host = Host::new();
    on_host(&host, async |host| {
        let sessions = host.broker();
        let _guests = play_guests(host);
        host.foreign_network("10.209.0.32/28").await;
        let mut request = host.request("alice", None);
        request.capacity.routes = || Ok(vec![route("10.209.0.0/27")]);
        let _alice = attach(&sessions, &request).await.unwrap();
        assert_eq!(taken(host).await, ["10.209.0.32/28", "10.209.0.48/28"]);
    });
}
