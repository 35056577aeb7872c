//! Where podspawn's server is meant to differ.

use std::collections::BTreeSet;

/// A difference: the start of a script's name, the end of OpenSSH's line and of ours, and whether every OpenSSH has it.
struct Difference {
    script: &'static str,
    openssh: &'static str,
    podspawn: &'static str,
    certain: bool,
}

const DIFFERENCES: [Difference; 4] = [
    // OpenSSH's server ends at a packet that it cannot read, and at a request before the greeting. Ours refuses the one
    // request: the framing is whole, and other transfers of the connection go on.
    Difference { script: "malformed", openssh: ": gone", podspawn: ": STATUS 5", certain: true },
    // The protocol wants an answer to every request (section 4 of the draft); a client of OpenSSH's waits for ever.
    Difference { script: "unknown requests", openssh: ": no answer", podspawn: ": STATUS 8", certain: true },
    // OpenSSH takes a copy whose last piece cannot be written for a success.
    Difference { script: "copies that fail", openssh: ": STATUS 0", podspawn: ": STATUS 2", certain: true },
    // OpenSSH 9.2 gives the user's own home for every name.
    Difference { script: "homes of others", openssh: "| 0", podspawn: "| 0", certain: false },
];

/// The place in the list of the difference between two lines.
pub(crate) fn find(script: &str, theirs: &str, ours: &str) -> Option<usize> {
    DIFFERENCES.iter().position(|difference| {
        script.starts_with(difference.script)
            && theirs.ends_with(difference.openssh)
            && ours.ends_with(difference.podspawn)
    })
}

/// Those that must show.
pub(crate) fn certain() -> BTreeSet<usize> {
    DIFFERENCES.iter().enumerate().filter(|(_, difference)| difference.certain).map(|(place, _)| place).collect()
}
