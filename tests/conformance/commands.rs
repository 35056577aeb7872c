//! Commands of scripts and programs: `ssh host command`.

use crate::{
    bench::{self, eventually},
    client::{Finished, Process},
};
use std::{
    ffi::OsString,
    io::{Read, Write},
    os::unix::ffi::OsStringExt,
    time::{Duration, Instant},
};

#[test]
fn a_command_reaches_the_shell_byte_for_byte() {
    let bench = bench::shared();
    let user = bench.user();
    // Every byte that an argument can hold; a quote closes, is escaped, and opens again.
    let payload: Vec<u8> = (1..=255).collect();
    let mut command = b"printf %s '".to_vec();
    for byte in &payload {
        if *byte == b'\'' { command.extend_from_slice(b"'\\''") } else { command.push(*byte) }
    }
    command.push(b'\'');
    assert_eq!(user.run(OsString::from_vec(command)).out, payload);
}

#[test]
fn quotes_newlines_and_dollars_mean_what_the_remote_shell_makes_of_them() {
    let bench = bench::shared();
    let (user, plain) = (bench.user(), bench.plain());
    for command in [
        "printf '<%s>' \"a  b\" 'c \"d\"' e\\ f",
        "x=5\necho $((x * 2))\necho '$x' \"$x\" `echo sub`",
        "echo \"$#\" \"$*\"; set -- a b; echo $#",
        "echo 'it''s' \\$HOME \\\\ *nothing-matches-this*",
        "cat <<END\n  a $((1 + 1)) 'b'\nEND",
        " ",
        "#",
    ] {
        assert_eq!(user.run(command), plain.run(command), "{command:?}");
    }
}

#[test]
fn a_command_runs_in_the_users_shell_with_dash_c() {
    let bench = bench::shared();
    let (user, plain) = (bench.user(), bench.plain());
    let command = "echo $0; shopt -q login_shell || echo no login; tr '\\0' ' ' </proc/$$/cmdline";
    let ours = user.run(command).success();
    assert_eq!(ours, plain.run(command).success());
    assert_eq!(user.run("echo $SHELL; pwd").success(), format!("/bin/bash\n/home/{}", user.name));
}

#[test]
fn input_reaches_its_end() {
    let bench = bench::shared();
    let user = bench.user();
    assert_eq!(user.run_with(&[], "wc -c", &vec![7; 1_000_000]).success(), "1000000");
    assert_eq!(user.run_with(&[], "cat; echo after", b"before\n").success(), "before\nafter");
    assert_eq!(user.run_with(&["-n"], "wc -c", b"not for you").success(), "0");
}

#[test]
fn every_byte_comes_back_unchanged() {
    let bench = bench::shared();
    let user = bench.user();
    let mut bytes = vec![0; 8 << 20];
    std::fs::File::open("/dev/urandom").unwrap().read_exact(&mut bytes).unwrap();
    assert!(user.run_with(&[], "cat", &bytes).out == bytes);
}

#[test]
fn output_and_errors_stay_apart_and_in_order() {
    let bench = bench::shared();
    let user = bench.user();
    let done = user.run("for i in $(seq 2000); do echo out $i; echo err $i >&2; done");
    let lines = |word| (1..=2000).map(|n| format!("{word} {n}\n")).collect::<String>();
    assert_eq!(done.text(), lines("out"));
    assert_eq!(done.errors(), lines("err"));
}

#[test]
fn a_closed_reader_gives_sigpipe_and_no_hang() {
    let bench = bench::shared();
    let user = bench.user();
    let (process, mut out) = Process::start_with_output(user.ssh(&[]).arg("yes"));
    out.read_exact(&mut [0; 100]).unwrap();
    drop(out);
    process.finish();
    eventually("yes has ended", || user.inside("grep -lx yes /proc/[0-9]*/comm").text().is_empty());
}

#[test]
fn a_program_that_reads_no_further_ends_the_sender() {
    let bench = bench::shared();
    let user = bench.user();
    let mut process = Process::start(user.ssh(&[]).arg("head -c 10"));
    process.send(vec![b'x'; 64 << 20]);
    let done = process.finish();
    assert_eq!((done.code, done.text().as_str()), (Some(0), "xxxxxxxxxx"));
}

#[test]
fn the_devices_of_the_standard_streams_can_be_opened() {
    let bench = bench::shared();
    let user = bench.user();
    let done = user.run_with(&[], "cat /dev/stdin; echo out >/dev/stdout; echo err >/dev/stderr", b"in\n");
    assert_eq!((done.code, done.text().as_str(), done.errors().as_str()), (Some(0), "in\nout\n", "err\n"));
    let by_number = user.run_with(&[], "cat /proc/self/fd/0; echo out >/dev/fd/1; echo err >/proc/self/fd/2", b"in\n");
    assert_eq!(by_number, done);
}

#[test]
fn a_large_stream_flows_in_constant_memory() {
    const BYTES: u64 = 2 << 30;
    let bench = bench::shared();
    let user = bench.user();
    user.run("true").success();
    let guest = bench.root(&format!("docker inspect --format '{{{{.State.Pid}}}}' {}", user.container()));
    // Resident kilobytes of guest, broker, and spawn if it runs.
    let sample = || -> Vec<u64> {
        let list = bench.root(&format!(
            "ps -o rss= -p {guest}; ps -o rss= -p $(systemctl show -P MainPID podspawn-broker); \
             pgrep -u {} -x podspawn | tail -n 1 | xargs -r ps -o rss= -p",
            user.name
        ));
        list.split_whitespace().map(|kib| kib.parse().unwrap()).collect()
    };
    let watch = |process: &mut Process| {
        let mut samples = Vec::new();
        let end = Instant::now() + Duration::from_secs(180);
        while !process.has_ended() {
            assert!(Instant::now() < end, "2 GiB take too long");
            if let Some(sample) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(&sample)).ok()
                && sample.len() == 3
            {
                samples.push(sample);
            }
            std::thread::sleep(Duration::from_millis(300));
        }
        assert!(samples.len() > 3, "{samples:?}");
        let (early, late) = samples.split_at(samples.len() / 2);
        for who in 0..3 {
            let highest = |samples: &[Vec<u64>]| samples.iter().map(|sample| sample[who]).max().unwrap();
            // Not from the first sample on: what starting takes comes and goes meanwhile.
            let growth = highest(late).saturating_sub(highest(early));
            assert!(growth < 2048, "{} grew by {growth} KiB: {samples:?}", ["guest", "broker", "spawn"][who]);
        }
    };
    let (mut down, mut out) = Process::start_with_output(user.ssh(&[]).arg(format!("head -c {BYTES} /dev/zero")));
    let count = std::thread::spawn(move || std::io::copy(&mut out, &mut std::io::sink()).unwrap());
    watch(&mut down);
    assert_eq!(count.join().unwrap(), BYTES);
    assert_eq!(down.finish().code, Some(0));

    let zeros = std::process::Stdio::from(
        std::process::Command::new("head")
            .args(["-c", &BYTES.to_string(), "/dev/zero"])
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap()
            .stdout
            .unwrap(),
    );
    let mut up = Process::start_with_input(user.ssh(&[]).arg("wc -c"), zeros);
    watch(&mut up);
    assert_eq!(up.finish().success(), BYTES.to_string());
}

#[test]
fn a_process_killed_by_a_signal_is_reported_as_killed() {
    let bench = bench::shared();
    let (user, plain) = (bench.user(), bench.plain());
    for signal in ["KILL", "TERM", "SEGV", "PIPE", "HUP"] {
        let command = format!("kill -{signal} $$");
        let (ours, theirs) = (user.run(&command), plain.run(&command));
        assert_eq!(ours.code, theirs.code, "{signal}");
        assert!(ours.code.unwrap() >= 128, "{signal}: {ours:?}");
        assert_eq!(ours.errors(), theirs.errors(), "{signal}");
    }
}

#[test]
fn a_signal_that_killed_is_named_in_the_protocol() {
    let bench = bench::shared();
    let (user, plain) = (bench.user(), bench.plain());
    let printed = |user: &crate::bench::User<'_>| {
        let log = user.run_with(&["-v"], "kill -TERM $$", b"").errors();
        let printed = log.lines().filter(|line| line.contains("exit-s") || line.contains("Exit status"));
        printed.map(|line| line.trim_end().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(printed(&user), printed(&plain));
}

#[test]
fn exit_codes_pass_through() {
    let bench = bench::shared();
    let user = bench.user();
    for code in [0, 1, 2, 42, 126, 127, 128, 200, 255] {
        assert_eq!(user.run(format!("exit {code}")).code, Some(code));
    }
}

#[test]
fn an_unknown_command_is_127_and_one_without_permission_126() {
    let bench = bench::shared();
    let (user, plain) = (bench.user(), bench.plain());
    for command in ["no-such-command --at-all", "/etc/passwd", "/nowhere/at/all"] {
        assert_eq!(user.run(command), plain.run(command), "{command}");
    }
    assert_eq!(user.run("no-such-command").code, Some(127));
    assert_eq!(user.run("/etc/passwd").code, Some(126));
}

#[test]
fn a_background_process_that_holds_the_output_is_waited_for() {
    let bench = bench::shared();
    let (user, plain) = (bench.user(), bench.plain());
    let command = "(sleep 1; echo late) & echo early";
    assert_eq!(user.run(command).success(), "early\nlate");
    assert_eq!(plain.run(command).success(), "early\nlate");
}

#[test]
fn a_background_process_that_lets_go_of_the_output_lives_on() {
    let bench = bench::shared();
    let user = bench.user();
    let begun = Instant::now();
    let command = "sleep 300 >/dev/null 2>&1 </dev/null & echo $!";
    let pid = user.run(command).success();
    assert!(begun.elapsed() < Duration::from_secs(100));
    // Longer than what a client's end grants to processes that are in its way.
    std::thread::sleep(Duration::from_secs(7));
    assert_eq!(user.run(format!("kill -0 {pid} && echo alive")).success(), "alive");
}

#[test]
fn a_slow_reader_gets_everything() {
    let bench = bench::shared();
    let user = bench.user();
    let (process, mut out) = Process::start_with_output(user.ssh(&[]).arg("seq 1 300000"));
    let (mut text, mut buffer) = (Vec::new(), vec![0; 64 * 1024]);
    loop {
        let count = out.read(&mut buffer).unwrap();
        if count == 0 {
            break;
        }
        text.write_all(&buffer[..count]).unwrap();
        std::thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(process.finish().code, Some(0));
    assert!(text == (1..=300_000).map(|n| format!("{n}\n")).collect::<String>().into_bytes());
}

#[test]
fn input_that_never_ends_does_not_hold_a_command_that_did() {
    let bench = bench::shared();
    let user = bench.user();
    let process = Process::start(user.ssh(&[]).arg("echo done; exit 5"));
    let done: Finished = process.finish();
    assert_eq!((done.code, done.text().as_str()), (Some(5), "done\n"));
}
