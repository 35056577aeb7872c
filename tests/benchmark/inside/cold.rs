//! A new container: by podspawn, and by nothing but the engine's calls, one after the other.

use super::{Account, PODSPAWN, engine, spawn, timed, wait_gone};
use crate::{host::IMAGE, samples::Samples};
use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::json;
use std::time::Instant;

/// Milliseconds.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct ColdTimes {
    /// From the start of spawn to the end of `true`.
    pub(crate) spawn: Samples,
    /// Network, creation and start together.
    pub(crate) engine: Samples,
    pub(crate) network: Samples,
    pub(crate) create: Samples,
    pub(crate) start: Samples,
}

/// Both of the engine's objects.
const NAME: &str = "podspawn-perf-engine";

pub(crate) fn measure(account: &Account, rounds: u32) -> Result<ColdTimes> {
    let mut times = ColdTimes::default();
    let users = [account.name().to_owned()];
    for round in 0..=rounds {
        let mut engine_alone = || engine_alone(if round > 0 { Some(&mut times) } else { None });
        let podspawn = || {
            let time = timed(spawn(account, "true"))?;
            wait_gone(&users).map(|()| time)
        };
        let spawned = if round % 2 == 0 {
            engine_alone()?;
            podspawn()?
        } else {
            let spawned = podspawn()?;
            engine_alone()?;
            spawned
        };
        // The first round makes the copy of the guest and warms caches up.
        if round > 0 {
            times.spawn.push_time(spawned);
        }
    }
    Ok(times)
}

fn engine_alone(times: Option<&mut ColdTimes>) -> Result<()> {
    remove();
    let begin = Instant::now();
    // Below the pool of podspawn's own networks.
    let ipam = json!({ "Config": [{ "Subnet": "10.208.255.240/28" }] });
    engine::created("POST", "/networks/create", &json!({ "Name": NAME, "Driver": "bridge", "IPAM": ipam }))?;
    let network = begin.elapsed();
    // As podspawn's defaults ask for it, with as many mounts.
    let mount =
        |source: &str, target: &str| json!({ "Type": "bind", "Source": source, "Target": target, "ReadOnly": true });
    let container = json!({
        "Image": IMAGE,
        "Hostname": NAME,
        "User": "0:0",
        "Entrypoint": ["/bin/sleep", "infinity"],
        "Labels": { "perf": "engine" },
        "HostConfig": {
            "NetworkMode": NAME,
            "NanoCpus": 2_000_000_000_i64,
            "Memory": 2_i64 << 30,
            "MemorySwap": 2_i64 << 30,
            "PidsLimit": 256,
            "CapDrop": ["ALL"],
            "CapAdd": ["CHOWN", "SETUID", "SETGID", "DAC_OVERRIDE", "FOWNER", "NET_BIND_SERVICE"],
            "SecurityOpt": ["no-new-privileges:true"],
            "Mounts": [mount(PODSPAWN, "/.podspawn/podspawn"), mount("/var/empty", "/.podspawn/run")],
            "CgroupnsMode": "private",
        },
    });
    let id = engine::created("POST", &format!("/containers/create?name={NAME}"), &container)?;
    let created = begin.elapsed();
    engine::call("POST", &format!("/containers/{id}/start"), None)?;
    let started = begin.elapsed();
    remove();
    if let Some(times) = times {
        times.network.push_time(network);
        times.create.push_time(created.saturating_sub(network));
        times.start.push_time(started.saturating_sub(created));
        times.engine.push_time(started);
    }
    Ok(())
}

/// Whether there is anything to remove shows when it is made again.
fn remove() {
    let _ = engine::call("DELETE", &format!("/containers/{NAME}?force=1&v=1"), None);
    let _ = engine::call("DELETE", &format!("/networks/{NAME}"), None);
}
