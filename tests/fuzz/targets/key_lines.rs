//! Files of keys: whatever is in one, each line that sshd gets begins with the options that confine, and loosens nothing.
#![no_main]

use libfuzzer_sys::fuzz_target;

const FORCED: &str = "command=\"/usr/bin/podspawn spawn\",restrict,pty,agent-forwarding";
/// What may follow: restrictions alone.
const KEPT: [&str; 9] = [
    "no-pty",
    "no-agent-forwarding",
    "no-port-forwarding",
    "no-x11-forwarding",
    "no-user-rc",
    "touch-required",
    "verify-required",
    "from",
    "expiry-time",
];

/// The options at the start of a line, as sshd splits them, and what is behind them.
fn options(line: &str) -> (Vec<&str>, &str) {
    let bytes = line.as_bytes();
    let (mut found, mut start, mut quoted, mut at) = (Vec::new(), 0, false, 0);
    while at < bytes.len() {
        match bytes[at] {
            b'\\' if bytes.get(at + 1) == Some(&b'"') => at += 1,
            b'"' => quoted = !quoted,
            b',' if !quoted => {
                found.push(&line[start..at]);
                start = at + 1;
            }
            b' ' if !quoted => {
                found.push(&line[start..at]);
                return (found, &line[at + 1..]);
            }
            _ => {}
        }
        at += 1;
    }
    panic!("a line without a key: {line}");
}

fuzz_target!(|bytes: &[u8]| {
    let printed = podspawn::command::auth_keys::fuzz_lines(FORCED, bytes);
    assert!(printed.is_empty() || printed.ends_with('\n'));
    assert!(printed.lines().count() <= bytes.split(|&byte| byte == b'\n').count());
    for line in printed.split_terminator('\n') {
        assert!(line.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{line:?}");
        let rest = line.strip_prefix(FORCED).expect("our options come first");
        let (options, key) = options(line);
        assert_eq!(options[..4].join(","), FORCED);
        assert!(rest.starts_with([',', ' ']));
        for option in &options[4..] {
            let name = option.split('=').next().unwrap_or_default();
            assert!(KEPT.iter().any(|kept| name.eq_ignore_ascii_case(kept)), "{option} is kept");
        }
        // Type and data: no comment, no second key.
        assert_eq!(key.split(' ').count(), 2, "{key}");
        // sshd's own reading of the line gives the same line again.
        let again = podspawn::command::auth_keys::fuzz_lines(FORCED, key.as_bytes());
        assert_eq!(again, format!("{FORCED} {key}\n"));
    }
});
