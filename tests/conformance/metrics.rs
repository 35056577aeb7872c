//! What is measured, as Prometheus gets it: over both sockets, true, and no way in.

mod alone;

use crate::{
    bench::{self, Bench, Disturbance, START_BROKER, STOP_BROKER, eventually},
    client::Finished,
    engine::{START_ENGINE, STOP_ENGINE},
    peer,
};
use serde_json::json;
use std::time::{Duration, Instant};

const TCP: &str = "curl --silent --show-error --max-time 20 http://127.0.0.1:9746/metrics";
const UNIX: &str = "curl --silent --show-error --max-time 20 --unix-socket /run/podspawn/metrics.sock http://h/metrics";

impl Bench {
    /// The samples, each a line, no older than this call: answers are kept for a second.
    fn samples(&self) -> Vec<String> {
        let text = self.root(&format!("sleep 1.1; {TCP}"));
        text.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    }
}

/// The value of a sample, by its name with its labels.
fn value(samples: &[String], name: &str) -> Option<f64> {
    samples.iter().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
}

#[test]
fn neither_a_tenant_nor_the_metrics_service_can_do_more_than_it_should() {
    let bench = bench::shared();
    let user = bench.user();
    user.run("true").success();
    let refused = peer::call(&bench, &user.name, "io.podspawn.Metrics.Measurements", &json!({}));
    assert_eq!(refused[0]["error"], "org.varlink.service.PermissionDenied");
    let socket = bench.bash(&["-u", &user.name], UNIX);
    assert!(socket.code != Some(0) && socket.out.is_empty(), "{socket:?}");
    let last = bench.bash(&["-u", &user.name], "ls /run/podspawn/measurements");
    assert!(last.code != Some(0) && last.out.is_empty(), "{last:?}");
    // From its container: neither its own loopback nor the host's address, the first of the subnet, leads there.
    let reach = "own=$(hostname -i); host=${own%.*}.$((${own##*.} & 240 | 1)); \
        (exec 3<>/dev/tcp/$host/22) && echo $host is the host; \
        for address in 127.0.0.1 $host; do (exec 3<>/dev/tcp/$address/9746) 2>/dev/null && echo reached; done; echo done";
    let reached = user.run(reach).success();
    assert!(reached.ends_with("is the host\ndone"), "{reached}");

    // The service's own identity, for whatever else it could say.
    let as_service = |command: &str| {
        let properties = "-p DynamicUser=yes -p 'SupplementaryGroups=podspawn podspawn-metrics' -p PrivateNetwork=yes";
        bench.bash(
            &[],
            &format!("systemd-run --quiet --pipe --wait --collect {properties} /usr/bin/podspawn {command} </dev/null"),
        )
    };
    assert!(as_service("status --prometheus").success().contains("podspawn_up 1\n"));
    assert!(as_service("status --json").success().contains("sessions"));
    for command in ["list", "cleanup", "spawn", &format!("stop {}", user.name)] {
        let done = as_service(command);
        assert!(done.code.is_some_and(|code| code != 0) && done.out.is_empty(), "{command}: {done:?}");
    }
    assert_eq!(user.sessions().len(), 1);
}
