//! What is broken, how it is mended, and whom it may cost their connection.

use crate::host::Host;
use std::{path::Path, process::Command};

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Fault {
    KillBroker,
    FreezeBroker,
    KillSpawn,
    FreezeSpawn,
    KillProcess,
    KillGuest,
    FreezeGuest,
    KillSshd,
    FreezeSshd,
    KillClient,
    FreezeClient,
    KillContainer,
    RemoveContainer,
    StopContainer,
    PauseContainer,
    KillShim,
    KillEngine,
    RestartEngine,
    FreezeEngine,
    FullDisk,
    FullLog,
    ReadOnlyState,
    TruncatedState,
    GarbageState,
    LostRow,
    PowerCut,
}

/// Who may lose a connection by a fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Toll {
    None,
    /// One connection of the session that was chosen.
    One,
    /// All of that session.
    Session,
    All,
}

/// What scripts of the chosen user begin with.
const TARGET: &str = r#"
container=$(docker ps --quiet --no-trunc --filter "label=podspawn-user=$user" | head -n 1)
init=$([ -z "$container" ] || docker inspect --format '{{.State.Pid}}' "$container")
one() { shuf -n 1; }
signal() { xargs --no-run-if-empty kill "-$1" 2>/dev/null || true; }
freeze() { read -r frozen || return 0; kill -STOP $frozen; sleep "$pause"; kill -CONT $frozen; }
broker() { systemctl show -P MainPID podspawn-broker.service | grep -vx 0; }
hold_broker() { systemctl stop podspawn-broker.socket podspawn-broker.service; }
state=/var/lib/podspawn
log=/var/log/podspawn
saved=/run/podspawn-saved
save() { rm -rf $saved; mkdir $saved; cp -a $state/state.db* $saved; }
"#;

impl Fault {
    pub(crate) fn all() -> &'static [Self] {
        <Self as clap::ValueEnum>::value_variants()
    }

    /// As it is typed.
    pub(crate) fn name(self) -> String {
        clap::ValueEnum::to_possible_value(&self).unwrap().get_name().to_owned()
    }

    /// How often it is drawn, next to the others: those that take long, seldom.
    pub(crate) fn weight(self) -> u64 {
        match self {
            Self::KillBroker => 4,
            Self::FullDisk | Self::FullLog | Self::ReadOnlyState | Self::TruncatedState | Self::GarbageState => 2,
            Self::KillEngine | Self::RestartEngine | Self::PowerCut => 1,
            _ => 3,
        }
    }

    pub(crate) fn toll(self) -> Toll {
        match self {
            Self::KillSpawn | Self::KillProcess | Self::KillSshd | Self::KillClient => Toll::One,
            Self::KillGuest | Self::KillContainer | Self::RemoveContainer | Self::StopContainer | Self::KillShim => {
                Toll::Session
            }
            Self::KillEngine | Self::RestartEngine | Self::PowerCut => Toll::All,
            _ => Toll::None,
        }
    }

    /// Whether a login meanwhile may be refused, whosever it is.
    pub(crate) fn refuses(self) -> bool {
        self.is_lasting() || matches!(self, Self::KillBroker) || self.toll() == Toll::All
    }

    /// Whether it lasts until it is mended.
    pub(crate) fn is_lasting(self) -> bool {
        matches!(self, Self::FullDisk | Self::FullLog | Self::ReadOnlyState | Self::TruncatedState | Self::GarbageState)
    }

    /// Whether it is over by itself, after a pause in which all wait.
    pub(crate) fn is_freeze(self) -> bool {
        matches!(
            self,
            Self::FreezeBroker
                | Self::FreezeSpawn
                | Self::FreezeGuest
                | Self::FreezeSshd
                | Self::FreezeClient
                | Self::FreezeEngine
                | Self::PauseContainer
        )
    }

    /// What breaks it. `user` is the chosen one, `pause` how long something is frozen, in seconds.
    fn script(self) -> &'static str {
        match self {
            Self::KillBroker => "systemctl kill --signal=KILL podspawn-broker.service || true",
            Self::FreezeBroker => "broker | freeze",
            Self::KillSpawn => "pgrep -u $user -x podspawn | one | signal KILL",
            Self::FreezeSpawn => "pgrep -u $user -x podspawn | one | freeze",
            Self::KillProcess => "[ -z $init ] || pgrep -P $init | one | signal KILL",
            Self::KillGuest => "[ -z $init ] || echo $init | signal KILL",
            Self::FreezeGuest => "[ -z $init ] || echo $init | freeze",
            Self::KillSshd => "pgrep -f \"^sshd(-session)?: $user@\" | one | signal KILL",
            Self::FreezeSshd => "pgrep -f \"^sshd(-session)?: $user@\" | one | freeze",
            // The client is here, not there.
            Self::KillClient | Self::FreezeClient => "true",
            Self::KillContainer => "[ -z $container ] || docker kill $container",
            Self::RemoveContainer => "[ -z $container ] || docker rm --force $container",
            Self::StopContainer => "[ -z $container ] || docker stop --time 10 $container",
            Self::PauseContainer => {
                "[ -z $container ] || { docker pause $container && sleep $pause && docker unpause $container; } || true"
            }
            Self::KillShim => "[ -z $container ] || pgrep -f \"^[^ ]*containerd-shim.* $container\" | signal KILL",
            Self::KillEngine => "pgrep -x dockerd | signal KILL; sleep $pause; systemctl reset-failed docker; \
                                 systemctl start docker; bench-wait",
            Self::RestartEngine => "systemctl reset-failed docker; systemctl restart docker; bench-wait",
            Self::FreezeEngine => "pgrep -x dockerd | freeze",
            Self::FullDisk => {
                "hold_broker; mkdir -p /run/podspawn-full
                 mount -t tmpfs -o size=200m,mode=0700,uid=$(id -u podspawn),gid=$(id -g podspawn) none /run/podspawn-full
                 cp -a $state/. /run/podspawn-full; mount --move /run/podspawn-full $state 2>/dev/null ||
                     { mount --bind /run/podspawn-full $state; umount /run/podspawn-full; }
                 systemctl start podspawn-broker.socket; podspawn list >/dev/null
                 head -c 1G /dev/zero >$state/fill 2>/dev/null || true"
            }
            Self::FullLog => {
                "hold_broker; touch $log/audit.jsonl; chown podspawn: $log/audit.jsonl; rm -rf $saved; mkdir $saved
                 mount -t tmpfs -o size=$(($(stat -c %s $log/audit.jsonl) / 1024 + 8))k,mode=0700 none $saved
                 chown podspawn: $saved; cp -a $log/audit.jsonl $saved; mount --bind $saved $log; umount $saved
                 systemctl start podspawn-broker.socket; podspawn list >/dev/null
                 head -c 1M /dev/zero >$log/fill 2>/dev/null || true"
            }
            Self::ReadOnlyState => {
                "hold_broker; mount --bind $state $state; mount -o remount,bind,ro $state
                 systemctl start podspawn-broker.socket"
            }
            Self::TruncatedState => {
                "hold_broker; save; systemctl start podspawn-broker.socket; podspawn list >/dev/null
                 for file in $state/state.db*; do truncate -s $(($(stat -c %s $file) / 3)) $file; done"
            }
            Self::GarbageState => {
                "hold_broker; save; rm -f $state/state.db-*; head -c 20000 /dev/urandom >$state/state.db
                 systemctl start podspawn-broker.socket"
            }
            Self::LostRow => {
                "podspawn list >/dev/null; sqlite3 -cmd '.timeout 5000' $state/state.db \
                     \"PRAGMA foreign_keys = ON; DELETE FROM sessions WHERE user = '$user'\""
            }
            Self::PowerCut => "",
        }
    }

    /// What mends one that lasts.
    fn mending(self) -> &'static str {
        match self {
            Self::FullDisk => {
                "rm -f $state/fill; hold_broker; rm -rf $saved; cp -a $state $saved; umount -l $state
                 rm -f $state/state.db*; cp -a $saved/state.db* $state; systemctl start podspawn-broker.socket"
            }
            Self::FullLog => {
                "rm -f $log/fill; hold_broker; cp -a $log/audit.jsonl $saved; umount -l $log
                 cp -a $saved/audit.jsonl $log; systemctl start podspawn-broker.socket"
            }
            Self::ReadOnlyState => "hold_broker; umount -l $state; systemctl start podspawn-broker.socket",
            Self::TruncatedState | Self::GarbageState => {
                "hold_broker; rm -f $state/state.db*; cp -a $saved/state.db* $state
                 systemctl start podspawn-broker.socket"
            }
            _ => "true",
        }
    }

    /// Breaks it; returns when it is broken, or, where it mends itself, when that is over.
    pub(crate) fn strike(self, host: &Host, user: &str, pause: f64) {
        if self == Self::PowerCut {
            return cut_power();
        }
        let script = format!("set -e\nuser={user} pause={pause}\n{TARGET}\n{}", self.script());
        let done = host.bench.bash(&[], &script);
        // A container may be on its way out, or not quite there.
        assert!(done.code == Some(0) || self.toll() == Toll::Session, "{self:?}: {done:?}");
    }

    /// Mends what lasts.
    pub(crate) fn mend(self, host: &Host) {
        host.bench.root(&format!("set -e\nuser= pause=0\n{TARGET}\n{}", self.mending()));
    }
}

/// Switches the bench host off, without a shutdown, and on again.
fn cut_power() {
    let run = |program: &Path, arguments: &[&str]| {
        let done = crate::client::Finished::of(Command::new(program).args(arguments), b"");
        assert_eq!(done.code, Some(0), "{} {arguments:?}: {done:?}", program.display());
    };
    let name = std::env::var("PODSPAWN_BENCH_HOST").unwrap_or_else(|_| "podspawn-bench".into());
    run(Path::new("docker"), &["restart", "--time", "0", &name]);
    let bench = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/bench");
    // What has booted needs a moment, and may have another address.
    run(Path::new("docker"), &["exec", &name, "bench-wait"]);
    run(&bench, &["user", "t000"]);
}
