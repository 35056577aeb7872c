//! Units of systemd: their properties, and orders about them.

use super::{child::Finished, program};
use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

/// systemctl(1) of a host that systemd runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Systemctl(PathBuf);

impl Systemctl {
    /// `None` where another init runs this host, by the directory that `sd_booted(3)` looks at.
    #[must_use]
    pub fn find() -> Option<Self> {
        let booted = Path::new("/run/systemd/system").symlink_metadata().is_ok_and(|about| about.is_dir());
        program::find("systemctl").filter(|_| booted).map(Self)
    }

    /// Runs it to its end, whatever its exit code.
    pub fn run(&self, arguments: &[&str], deadline: Duration) -> io::Result<Finished> {
        let named = |error: io::Error| io::Error::new(error.kind(), format!("running systemctl: {error}"));
        program::run(&self.0, arguments, b"", deadline).map_err(named)
    }

    /// Runs it; an exit code other than 0 is an error with its complaint.
    pub fn order(&self, arguments: &[&str], deadline: Duration) -> io::Result<()> {
        let done = self.run(arguments, deadline)?;
        if done.succeeded() {
            return Ok(());
        }
        Err(io::Error::other(format!("systemctl {}: {}", arguments.join(" "), done.complaint())))
    }

    /// The `properties` of each of `units`, in their order. A unit that does not exist has them as well; an answer about
    /// fewer units is an error.
    pub fn show(&self, units: &[&str], properties: &[&str], deadline: Duration) -> io::Result<Vec<Unit>> {
        let properties = format!("--property={}", properties.join(","));
        let arguments: Vec<&str> = ["show", &properties, "--"].into_iter().chain(units.iter().copied()).collect();
        let done = self.run(&arguments, deadline)?;
        let found = parse(&done.out);
        if done.succeeded() && found.len() == units.len() { Ok(found) } else { Err(io::Error::other(done.complaint())) }
    }
}

/// The properties of one unit, by their names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unit(BTreeMap<String, String>);

impl Unit {
    /// A unit from the text that systemd would print, for tests.
    #[cfg(test)]
    pub(crate) fn parse_for_test(text: &str) -> Self {
        parse(text).pop().unwrap_or_default()
    }

    /// The value of a property, several values one per line; empty if systemd does not print it.
    #[must_use]
    pub fn property(&self, name: &str) -> &str {
        self.0.get(name).map_or("", String::as_str)
    }

    /// Whether it exists, and runs or waits as it should.
    #[must_use]
    pub fn is_active(&self) -> bool {
        ["active", "reloading"].contains(&self.property("ActiveState"))
    }

    /// How its last run failed, with `Result` and `ExecMainStatus`; `None` if it did not, or has not ended yet.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        let result = self.property("Result");
        (!["success", ""].contains(&result)).then(|| format!("{result}, {}", self.property("ExecMainStatus")))
    }

    /// The moment in a property of the monotonic clock; `None` if it has not come yet.
    #[must_use]
    pub fn moment(&self, name: &str) -> Option<Duration> {
        self.property(name).parse().ok().filter(|micros| *micros > 0).map(Duration::from_micros)
    }
}

/// Empty lines separate units.
fn parse(text: &str) -> Vec<Unit> {
    let unit = |block: &str| {
        let mut properties: BTreeMap<String, String> = BTreeMap::new();
        for (name, value) in block.lines().filter_map(|line| line.split_once('=')) {
            // A property of several values has a line for each.
            let entry = properties.entry(name.to_owned());
            entry.and_modify(|all| all.extend(["\n", value])).or_insert_with(|| value.to_owned());
        }
        Unit(properties)
    };
    text.split("\n\n").filter(|block| !block.trim().is_empty()).map(unit).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_and_their_properties_are_separated() {
        let units = parse(
            "ActiveState=active\nListen=/run/a=b (Stream)\nListen=/c\nStamp=1500000\n\nActiveState=failed\nStamp=0\n",
        );
        assert_eq!(units.len(), 2);
        assert!(units[0].is_active() && !units[1].is_active());
        assert_eq!(units[0].property("Listen"), "/run/a=b (Stream)\n/c");
        assert_eq!((units[0].moment("Stamp"), units[1].moment("Stamp")), (Some(Duration::from_millis(1500)), None));
        assert_eq!(units[1].property("Absent"), "");
    }
}
