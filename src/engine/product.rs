//! The names by which an administrator knows the engine: its commands, unit, group and files, for messages and checks.

use crate::{
    domain::{ContainerId, text},
    sys::usage,
};
use std::path::Path;

/// The names of one engine.
#[derive(Debug)]
pub struct Product {
    /// The proper name.
    pub name: &'static str,
    /// The command of its client.
    pub command: &'static str,
    /// The systemd unit of its daemon.
    pub unit: &'static str,
    /// The group that may use its socket, and so is root on the host.
    pub group: &'static str,
    /// The configuration file of its daemon.
    pub settings: &'static str,
    /// The `NixOS` option that stands for that file.
    pub nixos_settings: &'static str,
    /// Its socket, where no other is configured.
    pub socket: &'static str,
    /// The directory of its images and containers.
    pub data: &'static str,
    /// The oldest version that podspawn is tested with.
    pub oldest: (u32, u32),
    /// Network interfaces that it makes for itself.
    pub(super) interfaces: &'static [&'static str],
    /// The files that have a container's memory in use, with `{}` for its id: for each cgroup driver and layout.
    pub(super) memory_files: &'static [&'static str],
}

impl Product {
    /// Puts the names into a text: `{engine}` is the proper name, then `{engine-command}`, `{engine-unit}`,
    /// `{engine-group}`, `{engine-socket}`, `{engine-data}`, `{engine-settings}`, `{engine-nixos-settings}` and
    /// `{engine-oldest}`.
    #[must_use]
    pub fn fill(&self, text: &str) -> String {
        text::fill(text, |name| {
            let own = match name {
                "engine" => self.name,
                "engine-command" => self.command,
                "engine-unit" => self.unit,
                "engine-group" => self.group,
                "engine-settings" => self.settings,
                "engine-socket" => self.socket,
                "engine-data" => self.data,
                "engine-nixos-settings" => self.nixos_settings,
                "engine-oldest" => {
                    let (major, minor) = self.oldest;
                    return Some(format!("{major}.{minor}"));
                }
                _ => return None,
            };
            Some(own.to_owned())
        })
    }

    /// Whether the engine made a network interface. The engine itself keeps those networks apart from ours.
    #[must_use]
    pub fn made_interface(&self, interface: &str) -> bool {
        let is_network = |id: &str| id.len() == 12 && id.bytes().all(|byte| byte.is_ascii_hexdigit());
        self.interfaces.contains(&interface) || interface.strip_prefix("br-").is_some_and(is_network)
    }

    /// The memory that a container uses, in bytes; `None` if its control group is not found.
    #[must_use]
    pub fn container_memory(&self, id: &ContainerId) -> Option<u64> {
        self.memory_files.iter().find_map(|path| usage::number_in(Path::new(&path.replace("{}", id.as_ref()))))
    }
}

#[cfg(test)]
mod tests {
    use super::super::product;

    #[test]
    fn names_are_put_into_a_text() {
        assert_eq!(product().fill("systemctl start {engine-unit} # {engine}"), "systemctl start docker # Docker");
    }

    #[test]
    fn an_interface_of_the_engine_has_a_name_of_the_engines() {
        for (interface, made) in [
            ("docker0", true),
            ("docker_gwbridge", true),
            ("br-0123456789ab", true),
            ("br-lan", false),
            ("eth0", false),
        ] {
            assert_eq!(product().made_interface(interface), made, "{interface}");
        }
    }

    #[test]
    fn a_container_that_does_not_exist_uses_no_memory() {
        assert_eq!(product().container_memory(&"0".repeat(64).parse().unwrap()), None);
    }
}
