//! The contract of `tests/engine/contract.rs` against a real engine, and what only a real one can show.
//!
//! Not part of a plain `cargo test`, which must pass without an engine: `cargo test --test engine` wants the one of
//! `DOCKER_HOST` (or /var/run/docker.sock), on this very machine, and fails without. It needs no image of anybody's:
//! the containers have an empty root and run this program, bind-mounted, as their first process.

#![allow(clippy::unwrap_used, clippy::expect_used)] // a test from end to end

use bollard::{Docker, query_parameters::CreateImageOptionsBuilder};
use contract::Ground;
use futures_util::StreamExt;
use podspawn::{
    domain::{self, Bind},
    engine::{self, Engine, EngineError, docker::DockerEngine},
};
use std::{env, fs, time::Instant};
use tokio::sync::OnceCell;

#[path = "engine/contract.rs"]
mod contract;

/// What makes a good container a bad one.
type Change<'a> = &'a dyn Fn(&mut engine::ContainerSpec);

const IMAGE: &str = "podspawn-test-empty:1";
/// Where the containers find this program.
const PROGRAM: &str = "/engine-test";

fn host() -> String {
    env::var("DOCKER_HOST").unwrap_or_else(|_| "unix:///var/run/docker.sock".to_owned())
}

/// Makes the image unless an earlier run did.
async fn import() {
    let docker = Docker::connect_with_unix(&host(), 60, bollard::API_DEFAULT_VERSION).expect("an engine");
    if docker.inspect_image(IMAGE).await.is_ok() {
        return;
    }
    let (repo, tag) = IMAGE.split_once(':').unwrap();
    let options = CreateImageOptionsBuilder::default().from_src("-").repo(repo).tag(tag).build();
    let empty_tar = bollard::body_full(vec![0_u8; 1024].into());
    let mut steps = docker.create_image(Some(options), Some(empty_tar), None);
    while let Some(step) = steps.next().await {
        step.unwrap();
    }
}

/// The engine with the image, and nothing of an earlier run of the clause.
async fn prepared(number: u8) -> (DockerEngine, Ground) {
    static IMPORTED: OnceCell<()> = OnceCell::const_new();
    IMPORTED.get_or_init(import).await;
    let ground = Ground {
        number,
        image: IMAGE.parse().unwrap(),
        entrypoint: [PROGRAM, "--exact", "--ignored", "stay"].map(ToOwned::to_owned).into(),
        binds: vec![Bind { source: env::current_exe().unwrap(), target: PROGRAM.into(), writable: false }],
    };
    let engine = DockerEngine::new(&host()).unwrap();
    let ours = Some(ground.session());
    for found in engine.containers().await.unwrap().iter().filter(|found| found.session == ours) {
        engine.remove_container(&found.id).await.unwrap();
    }
    for found in engine.networks().await.unwrap().iter().filter(|found| found.session == ours) {
        engine.remove_network(&found.id).await.unwrap();
    }
    (engine, ground)
}

#[test]
#[ignore = "the first process of the containers"]
fn stay() {
    loop {
        std::thread::park();
    }
}

macro_rules! clauses {
    ($($number:literal $clause:ident),* $(,)?) => {$(
        #[tokio::test]
        async fn $clause() {
            let (engine, ground) = prepared($number).await;
            contract::$clause(&engine, &ground).await;
        }
    )*};
}

clauses!(
    1 a_session_is_made_found_and_removed,
    2 a_container_and_its_network_can_be_made_at_once,
    3 a_container_whose_network_is_absent_starts_once_it_is_there,
    4 names_are_unique,
    5 networks_do_not_overlap,
    6 a_network_in_use_stays,
    7 an_absent_image_is_an_error_of_its_own,
    8 what_the_engine_does_not_accept_is_refused,
    9 a_container_that_is_gone_is_gone_for_every_verb,
    10 starting_twice_and_removing_twice_at_once_are_fine,
    11 a_limit_above_what_the_machine_has_is_no_error,
    12 a_watch_reports_the_events_of_a_container,
);

#[tokio::test]
async fn limits_and_hardening_reach_the_kernel() {
    let (engine, ground) = prepared(20).await;
    let mut spec = ground.container(0);
    spec.hardening.readonly_rootfs = true;
    spec.hardening.seccomp = Some(r#"{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[]}"#.into());
    let network = engine.create_network(&ground.network(0)).await.unwrap();
    let container = engine.create_container(&spec).await.unwrap();
    engine.start_container(&container).await.unwrap();
    let pid = engine.inspect_container(&container).await.unwrap().pid.unwrap();
    let proc = |name: &str| String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/{name}")).unwrap()).into_owned();

    let status = proc("status");
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned();
    for set in ["CapEff:", "CapPrm:", "CapBnd:"] {
        assert_eq!(field(set), "0000000000000001", "{set} CHOWN alone");
    }
    assert_eq!(
        (field("NoNewPrivs:"), field("Seccomp:"), field("NSpid:")),
        ("1".into(), "2".into(), format!("{pid}\t1"))
    );
    assert_eq!(field("Uid:"), "0\t0\t0\t0");
    assert!(proc("environ").split('\0').any(|variable| variable == "CONTRACT=1"));
    assert_eq!(proc("cmdline").split('\0').next(), Some(PROGRAM));

    let mounts = proc("mountinfo");
    let options = |target: &str| {
        let line =
            mounts.lines().find(|line| line.split(' ').nth(4) == Some(target)).unwrap_or_else(|| panic!("{mounts}"));
        line.split(' ').nth(5).unwrap().split(',').map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    assert!(options("/").contains(&"ro".into()) && options(PROGRAM).contains(&"ro".into()), "{mounts}");
    assert!(options("/scratch").contains(&"rw".into()), "{mounts}");
    assert_ne!(
        fs::read_link(format!("/proc/{pid}/ns/cgroup")).unwrap(),
        fs::read_link("/proc/self/ns/cgroup").unwrap()
    );

    for (v1, v2, value) in [
        ("memory/memory.limit_in_bytes", "memory.max", (64 << 20).to_string()),
        ("memory/memory.memsw.limit_in_bytes", "memory.swap.max", String::new()),
        ("pids/pids.max", "pids.max", "32".to_owned()),
        ("cpu/cpu.cfs_quota_us", "cpu.max", "100000".to_owned()),
    ] {
        let (controller, file) = v1.split_once('/').unwrap();
        let groups = proc("cgroup");
        let mine = groups.lines().find_map(|line| {
            let (_, rest) = line.split_once(':')?;
            let (controllers, path) = rest.split_once(':')?;
            controllers.split(',').any(|name| name == controller).then(|| path.to_owned())
        });
        let found = match mine {
            Some(path) => fs::read_to_string(format!("/sys/fs/cgroup/{controller}{path}/{file}")),
            None => fs::read_to_string(format!("/sys/fs/cgroup{}/{v2}", groups.trim().trim_start_matches("0::"))),
        };
        match found {
            Ok(found) if value.is_empty() => {
                // Memory and swap are one number in v1, and swap its own in v2.
                assert!([(64 << 20).to_string().as_str(), "0"].contains(&found.trim()), "{v1}: {found}");
            }
            Ok(found) => assert!(found.starts_with(&value), "{v1}: {found}"),
            // Without swap accounting the kernel has no such file, and no /sys means that we are in a container
            // ourselves; the engine's own view below still holds.
            Err(error) => println!("{v1}: {error}"),
        }
    }
    engine.remove_container(&container).await.unwrap();
    engine.remove_network(&network).await.unwrap();
}

#[tokio::test]
async fn wrong_options_are_refused_with_the_reason() {
    let (engine, ground) = prepared(21).await;
    let refusal = async |change: Change<'_>| {
        let mut spec = ground.container(0);
        change(&mut spec);
        let EngineError::Refused(message) = engine.create_container(&spec).await.unwrap_err() else { panic!() };
        message
    };
    let message = refusal(&|spec| spec.hardening.cap_add.push("NO_SUCH".into())).await;
    assert!(message.contains("NO_SUCH"), "{message}");
    let message = refusal(&|spec| spec.binds[0].source = "/no/such/file".into()).await;
    assert!(message.contains("/no/such/file"), "{message}");
}

#[tokio::test]
async fn what_the_runtime_cannot_start_is_refused_and_does_not_run() {
    let (engine, ground) = prepared(24).await;
    let network = engine.create_network(&ground.network(0)).await.unwrap();
    let changes: [(&str, Change); 4] = [
        ("/nope", &|spec| spec.entrypoint = vec!["/nope".into()]),
        ("sethostname", &|spec| spec.hostname = "h".repeat(80)),
        ("seccomp", &|spec| spec.hardening.seccomp = Some("{garbage".into())),
        ("tmpfs", &|spec| drop(spec.hardening.tmpfs.insert("/x".into(), "no-such-option=1".into()))),
    ];
    for (reason, change) in changes {
        let mut spec = ground.container(0);
        change(&mut spec);
        let container = engine.create_container(&spec).await.unwrap();
        let error = engine.start_container(&container).await.unwrap_err();
        assert!(matches!(&error, EngineError::Refused(message) if message.contains(reason)), "{error:?}");
        assert!(!engine.inspect_container(&container).await.unwrap().running);
        engine.remove_container(&container).await.unwrap();
    }
    engine.remove_network(&network).await.unwrap();
}

#[tokio::test]
async fn the_engine_reports_its_version_and_its_limits() {
    let (engine, _) = prepared(22).await;
    let info = engine.info().await.unwrap();
    println!("{info:?}");
    assert!(info.version.starts_with(|c: char| c.is_ascii_digit()) && info.api_version.starts_with("1."), "{info:?}");
    assert!(info.components.contains_key("runc") && info.data_root.starts_with('/'), "{info:?}");
    assert!(info.memory_limit.is_some() && info.pids_limit.is_some(), "{info:?}");
    assert!(info.runtimes.contains(&info.default_runtime), "{info:?}");
}

#[tokio::test]
async fn an_end_shows_with_its_code() {
    let (engine, ground) = prepared(23).await;
    let mut spec = ground.container(0);
    spec.entrypoint.truncate(1);
    spec.entrypoint.push("--no-such-option".into());
    let network = engine.create_network(&ground.network(0)).await.unwrap();
    let container = engine.create_container(&spec).await.unwrap();
    engine.start_container(&container).await.unwrap();
    let status = loop {
        let status = engine.inspect_container(&container).await.unwrap();
        if !status.running {
            break status;
        }
    };
    assert!(status.exit_code.is_some_and(|code| code > 0) && status.pid.is_none(), "{status:?}");
    engine.remove_network(&network).await.expect("a container that ended is not in its network");
    engine.remove_container(&container).await.unwrap();
}

/// `cargo test --test engine -- --ignored --nocapture times`
#[tokio::test]
#[ignore = "a measurement"]
async fn times() {
    const STEPS: [&str; 8] = [
        "network create",
        "container create",
        "start",
        "inspect",
        "list",
        "remove container",
        "remove network",
        "network and container create at once",
    ];
    let (engine, ground) = prepared(30).await;
    let mut taken = [const { Vec::new() }; STEPS.len()];
    for _ in 0..11 {
        let mut step = 0;
        let mut lap = |began: Instant| {
            taken[step].push(began.elapsed().as_micros());
            step += 1;
        };
        let (network_spec, container_spec) = (ground.network(0), ground.container(0));
        macro_rules! timed {
            ($call:expr) => {{
                let began = Instant::now();
                let result = $call.await;
                lap(began);
                result.unwrap()
            }};
        }
        let network = timed!(engine.create_network(&network_spec));
        let container = timed!(engine.create_container(&container_spec));
        timed!(engine.start_container(&container));
        timed!(engine.inspect_container(&container));
        timed!(engine.containers());
        timed!(engine.remove_container(&container));
        timed!(engine.remove_network(&network));
        let both = async {
            let (n, c) = tokio::join!(engine.create_network(&network_spec), engine.create_container(&container_spec));
            Ok::<_, EngineError>((n?, c?))
        };
        let (network, container) = timed!(both);
        engine.remove_container(&container).await.unwrap();
        engine.remove_network(&network).await.unwrap();
    }
    for (name, times) in STEPS.iter().zip(&mut taken) {
        times.sort_unstable();
        let ms = |n: usize| f64::from(u32::try_from(times[n]).unwrap()) / 1_000.0;
        println!("{name:38} median {:6.1} ms, lowest {:6.1}, highest {:6.1}", ms(5), ms(0), ms(10));
    }
}
