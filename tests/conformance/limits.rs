//! What a container may use, and how many there may be.

mod alone;

use crate::{
    bench::{self, Disturbance, User, eventually},
    modes::STAY,
    refusals::assert_refused,
};

/// Memory, processors, image, mode, and shell: of the container, and as a process sees them.
fn settings(user: &User<'_>, project: Option<&str>) -> [String; 5] {
    let run = |command: &str| match project {
        Some(project) => user.ssh_in(project, command).success(),
        None => user.run(command).success(),
    };
    let shell = run("echo $SHELL");
    let group = run("cat /sys/fs/cgroup/memory.max /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null; true");
    let values = user.inspect("{{.HostConfig.Memory}} {{.HostConfig.NanoCpus}} {{.Config.Image}}");
    let mut values = values.split_whitespace().map(str::to_owned);
    let [memory, cpus, image] = std::array::from_fn(|_| values.next().unwrap());
    assert_eq!(group, memory, "the kernel's limit is not the one that the engine was given");
    [memory, cpus, image, user.session()["mode"].as_str().unwrap().to_owned(), shell]
}

#[test]
fn a_setting_is_the_projects_then_the_users_then_the_servers_then_the_default() {
    let bench = bench::shared();
    // The server's file names an image, and nothing else of these: the rest are the defaults.
    let plain = bench.user();
    let (workload, bash) = ("podspawn-workload:latest", "/bin/bash");
    assert_eq!(settings(&plain, None), ["2147483648", "2000000000", workload, "grace-period", bash]);
    let overrides = "memory: 192m\ncpus: 0.5\nshell: /bin/sh\nmode: destroy-on-disconnect";
    let own = bench.user_with(overrides);
    let held = own.start(&[], STAY);
    assert_eq!(settings(&own, None), ["201326592", "500000000", workload, "destroy-on-disconnect", "/bin/sh"]);
    drop(held);
    own.assert_gone();
    // The project has all of them; another has an image only.
    let alpine = "podspawn-alpine-like:latest";
    assert_eq!(settings(&own, Some("tight")), ["100663296", "250000000", alpine, "ttl", "/bin/ash"]);
    bench.root(&format!("podspawn stop {}@tight", own.name));
    own.assert_gone();
    let held = own.stay_in("one");
    assert_eq!(settings(&own, Some("one")), ["201326592", "500000000", workload, "destroy-on-disconnect", "/bin/sh"]);
    drop(held);
}

#[test]
fn memory_is_limited() {
    let bench = bench::shared();
    let user = bench.user_with("memory: 128m");
    user.run("true").success();
    assert_eq!(user.inspect("{{.HostConfig.Memory}} {{.HostConfig.MemorySwap}}"), "134217728 134217728");
    let bomb = user.run("exec perl -e '$x = \"x\" x 1e9; print length $x'");
    assert!(bomb.code.unwrap() >= 128, "{bomb:?}");
    assert_eq!(user.run("exec perl -e '$x = \"x\" x 3e7; print length $x'").success(), "30000000");
}

#[test]
fn processors_are_limited() {
    let bench = bench::shared();
    let user = bench.user_with("cpus: 0.25");
    user.run("true").success();
    assert_eq!(user.inspect("{{.HostConfig.NanoCpus}}"), "250000000");
    let throttled = || -> u64 {
        let stat = user.run("cat /sys/fs/cgroup/cpu.stat /sys/fs/cgroup/cpu/cpu.stat 2>/dev/null; true").text();
        let line = stat.lines().find_map(|line| line.strip_prefix("nr_throttled ")).map(str::to_owned);
        line.unwrap_or_else(|| panic!("{stat:?}")).trim().parse().unwrap()
    };
    let before = throttled();
    assert_eq!(user.run("timeout 3 sh -c 'while :; do :; done'").code, Some(124));
    assert!(throttled() > before, "a busy loop was never held back");
}

#[test]
fn processes_are_limited() {
    let bench = bench::shared();
    let user = bench.user();
    user.run("true").success();
    assert_eq!(user.inspect("{{.HostConfig.PidsLimit}}"), "256");
    let forks = "for i in $(seq 400); do sleep 20 & done 2>&1 | grep -c -i resource; kill $(jobs -p) 2>/dev/null; true";
    let refused = user.run(forks);
    assert_ne!(refused.text().trim(), "0", "{refused:?}");
    // Its neighbours have processes of their own.
    bench.user().run("true").success();
}

#[test]
fn max_per_user_is_refused_with_the_command_that_frees_one_and_that_frees_one() {
    let bench = bench::shared();
    let user = bench.user();
    user.run("true").success();
    user.ssh_in("one", "true").success();
    user.ssh_in("two", "true").success();
    let name = &user.name;
    let refused = user.ssh_in("three", "true");
    assert_refused(
        &refused,
        &[&format!("{name} has 3 of at most 3 sessions"), &format!("ssh {name}@HOST podspawn stop")],
    );
    assert_eq!(user.containers().len(), 3);
    assert_eq!(user.ssh_in("two", "echo still").success(), "still");
    // As the message says, by the user itself.
    let printed = refused.errors();
    let stop = printed.trim_end().split_once("@HOST ").unwrap().1;
    assert_eq!(user.run(stop).quiet_success(), "");
    assert_eq!(user.ssh_in("three", "echo now").success(), "now");
    assert_eq!(bench.bash(&["-u", name], &format!("podspawn stop {name}@two")).success(), "");
    eventually("two are left", || user.containers().len() == 2);
}
