//! Backups during logins, and restores: all of it or nothing.

mod alone;

use crate::{
    bench::{self, Bench, DEADLINE, Disturbance, START_BROKER, STOP_BROKER, eventually},
    client::{Finished, Process},
};
use serde_json::Value;
use std::time::Duration;

/// `podspawn backup` as the timer's unit runs it, as often as one likes: systemd would find that too often.
const BACK_UP: &str = "setpriv --reuid podspawn-backup --regid podspawn-backup --clear-groups --no-new-privs \
    --bounding-set=-all,+dac_read_search --inh-caps=-all,+dac_read_search --ambient-caps=-all,+dac_read_search \
    podspawn backup --json";

/// Nothing of a test is left to be found by the next.
const TIDY: &str = "rm -rf /etc/podspawn/*.before-restore-* /var/lib/podspawn/*.before-restore-* \
    /var/lib/podspawn/homes/*.before-restore-* /etc/podspawn/keys/mallory /var/backups/podspawn/* /var/backups/podspawn/.partial-*";

impl Bench {
    /// Makes a backup; its path.
    fn back_up(&self, options: &str) -> String {
        let report: Value = serde_json::from_str(&self.root(&format!("{BACK_UP} {options}"))).unwrap();
        report["path"].as_str().unwrap().to_owned()
    }

    /// Runs a longer script of many steps as root; it ends with 0 or says what is wrong.
    fn steps(&self, script: &str, patience: Duration) -> String {
        Process::start(self.command(&[]).args(["bash", "-euc", script])).finish_within(patience).success()
    }

    fn restore(&self, arguments: &str) -> Finished {
        self.bash(&[], &format!("podspawn restore {arguments}"))
    }
}

#[test]
fn a_backup_during_logins_is_consistent() {
    let bench = bench::shared();
    let held = bench.user();
    let _session = held.start(&[], "echo ready; exec sleep 1000");
    let users: Vec<_> = (0..3).map(|_| bench.user_with("mode: destroy-on-disconnect")).collect();
    let logins = std::sync::atomic::AtomicUsize::new(0);
    let over = std::sync::atomic::AtomicBool::new(false);
    let load = std::sync::atomic::Ordering::Relaxed;
    std::thread::scope(|scope| {
        for user in &users {
            scope.spawn(|| {
                while !over.load(load) {
                    user.run("true").success();
                    logins.fetch_add(1, load);
                }
            });
        }
        for _ in 0..10 {
            let path = bench.back_up(&format!("--to /var/backups/podspawn/{}", held.name));
            let check = format!(
                "cd {path}; sha256sum --quiet --check manifest.sha256; sqlite3 state.db 'pragma integrity_check; \
                 pragma foreign_key_check; select count(*) from sessions where user = \"{}\"'; ls -A | tr '\\n' ' '",
                held.name
            );
            let found = bench.root(&check);
            let expected = "ok\n1\nconfig.yaml keys manifest.json manifest.sha256 projects.yaml state.db users";
            assert_eq!(found.trim_end(), expected, "{path}");
            // It is read from end to end before anything else is looked at.
            assert_eq!(bench.restore(&format!("{path} --dry-run")).code, Some(0));
        }
        eventually("users have logged in and out", || logins.load(load) > 10);
        over.store(true, load);
    });
    bench.root(&format!("rm -rf /var/backups/podspawn/{}", held.name));
}

/// Kills `podspawn backup` at many points of its life.
const KILL_BACKUP: &str = r#"
to=/var/backups/podspawn/killed
install -d -m 0700 -o podspawn-backup "$to"
points=0
for call in mkdir mkdirat openat write pwrite64 fchown syncfs fsync renameat2 rename unlink; do
    when=1
    while [ "$when" -lt 5000 ]; do
        if strace -o /dev/null -e trace=?$call -e inject=?$call:signal=KILL:when=$when \
            podspawn backup --to "$to" --keep 2 >/dev/null 2>&1; then break; fi
        points=$((points + 1))
        for backup in "$to"/*; do
            [ -d "$backup" ] || continue
            podspawn restore "$backup" --dry-run >/dev/null || { echo "$backup after $call $when"; exit 1; }
        done
        when=$((when * 3 + 1))
    done
done
podspawn backup --to "$to" --keep 2 >/dev/null
[ "$(ls -A "$to" | wc -l)" -le 2 ] || { ls -lA "$to"; exit 1; }
rm -rf "$to"
echo "$points"
"#;

/// Kills `podspawn restore` at many points of its life. Afterwards everything is as it was, or a broker refuses and a
/// resumed restore makes everything as it is in the backup.
const KILL_RESTORE: &str = r#"
backup=$1
etc=/etc/podspawn lib=/var/lib/podspawn
fail() { echo "$call $when: $*"; ls -la "$etc" "$lib"; exit 1; }
start() { systemctl reset-failed podspawn-broker.socket; systemctl start podspawn-broker.socket; }
change() {
    rm -rf $etc/*.before-restore-* $lib/*.before-restore-*
    start
    podspawn list >/dev/null
    sqlite3 $lib/state.db 'pragma busy_timeout = 5000; pragma application_id = 7' >/dev/null
    echo 'ssh-ed25519 mallory' >$etc/keys/mallory
    echo 'x: {repo: /x}' >$etc/projects.yaml
    rm -f "$etc/users/$3.yaml"
}
state() {
    [ -e $etc/keys/mallory ] && k=changed || k=backup
    grep -q '^x:' $etc/projects.yaml && p=changed || p=backup
    [ -e "$etc/users/$3.yaml" ] && u=backup || u=changed
    case $(od -An -tu1 -j71 -N1 $lib/state.db | tr -d ' ') in 7) d=changed ;; *) d=backup ;; esac
    echo "$k $p $u $d"
}
settle() { sqlite3 $lib/state.db 'pragma wal_checkpoint(TRUNCATE)' >/dev/null 2>&1 || true; }
points=0 pending=0
for call in $2; do
    when=1
    while [ "$when" -lt 400 ]; do
        change "$@"
        if strace -o /dev/null -e trace=?$call -e inject=?$call:signal=KILL:when=$when \
            podspawn restore "$backup" --force >/run/podspawn-test/restore.log 2>&1; then
            done=yes
        else
            done=
            points=$((points + 1))
        fi
        if [ -e $etc/restore.journal ]; then
            pending=$((pending + 1))
            start
            said=$(podspawn list 2>&1) && fail "the broker serves a half-restored state: $said"
            case $said in *'being restored'*) ;; *) fail "$said" ;; esac
            podspawn backup --to /run/podspawn-test/none >/dev/null 2>&1 && fail 'a backup of a mixture'
            podspawn restore --resume >/dev/null || fail 'resume'
            expected='backup backup backup backup'
        elif [ -e $etc/restore.plan ]; then
            podspawn restore --resume >/dev/null || fail 'resume'
            expected='changed changed changed changed'
        elif [ -n "$done" ]; then
            expected='backup backup backup backup'
        else
            expected=
        fi
        start
        podspawn list >/dev/null || fail 'no broker'
        settle
        found=$(state "$@")
        case ${expected:-$found} in
        'changed changed changed changed' | 'backup backup backup backup') ;;
        *) fail "$found" ;;
        esac
        [ "$found" = "${expected:-$found}" ] || fail "$found, not $expected"
        # Files that the next restore begins with removing may be left; nothing that was laid out.
        left=$(find $etc $lib -maxdepth 2 \( -name '.*restor*' -o -name 'restore.*' \) ! -name '.restore.*new' ! -name '.restore-sessions*')
        [ -z "$left" ] || fail "$left"
        [ -z "$done" ] || break
        when=$(( when < 24 ? when + 1 : when * 2))
    done
done
echo "$points $pending"
"#;
