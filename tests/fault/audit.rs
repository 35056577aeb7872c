//! The audit log, held against what an auditor expects: whole lines, numbered without a gap, and whatever began has
//! ended once.

use crate::bench::Bench;
use serde_json::Value;
use std::collections::BTreeMap;

const LOG: &str = "/var/log/podspawn/audit.jsonl";

/// How far the log was read, and what was open there.
#[derive(Debug, Default)]
pub(crate) struct Audit {
    bytes: usize,
    last: Option<u64>,
    /// Begun and not ended: channels and sessions, with how much more often they began.
    open: BTreeMap<String, i64>,
}

impl Audit {
    /// Reads on. `Err` is what no log should have, whatever follows.
    pub(crate) fn read(&mut self, bench: &Bench) -> Result<(), String> {
        let done = bench.bash(&[], &format!("tail -c +{} {LOG} 2>/dev/null || true", self.bytes + 1));
        // The last line may be half written.
        let whole = done.out.iter().rposition(|byte| *byte == b'\n').map_or(0, |place| place + 1);
        self.bytes += whole;
        for line in done.out[..whole].split_inclusive(|byte| *byte == b'\n') {
            let event: Value = serde_json::from_slice(line)
                .map_err(|error| format!("audit log: {error}: {:?}", String::from_utf8_lossy(line)))?;
            let number = event["seq"].as_u64();
            if let (Some(last), Some(number)) = (self.last, number)
                && number != last + 1
            {
                self.last = Some(number);
                return Err(format!("audit log: line {number} follows line {last}"));
            }
            self.last = number;
            let (key, change) = match event["event"].as_str().unwrap_or_default() {
                "connect" => ("channel", 1),
                "disconnect" => ("channel", -1),
                "container_create" => ("session", 1),
                "container_destroy" => ("session", -1),
                _ => continue,
            };
            // A container without a label that names its owner has no beginning here either.
            let Some(id) = event[key].as_str() else { continue };
            let key = format!("{key} {id} of {}", event["user"].as_str().unwrap_or_default());
            let count = self.open.entry(key.clone()).or_default();
            *count += change;
            if *count == 0 {
                self.open.remove(&key);
            }
        }
        Ok(())
    }

    /// Whether exactly so many things have begun and not ended, each once.
    pub(crate) fn balanced(&self, open: usize) -> Result<(), String> {
        if self.open.len() == open && self.open.values().all(|count| *count == 1) {
            return Ok(());
        }
        Err(format!("audit log: {open} things should be open, and these are: {:?}", self.open))
    }

    /// Takes the present state for balanced: what ended twice or never was not the broker's doing.
    pub(crate) fn forgive(&mut self) {
        self.open.clear();
    }
}
