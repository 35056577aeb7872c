//! What takes the bench host for itself.

use super::*;

#[test]
fn a_home_is_writable_on_a_read_only_root() {
    let bench = bench::alone();
    let _read_only = Disturbance::of_config(&bench, "sed '$ a security: { readonly_rootfs: true }'");
    let user = bench.user_with("mode: named");
    let first = user.run("echo x >~/kept; echo x >/tmp/x || id -u").text();
    let uid = user.uid();
    assert_eq!(first, format!("{uid}\n"));
    // The account is not written down there, and is the same every time.
    assert_eq!(user.run("cat ~/kept; id -u; pwd").success(), format!("x\n{uid}\n/home/{}", user.name));
    user.stop(None);
    assert_eq!(user.run("cat ~/kept; test -O ~ && test -O ~/kept && id -u").success(), format!("x\n{uid}"));
}

#[test]
fn homes_outside_of_the_state_need_the_units_leave_and_then_work() {
    let bench = bench::alone();
    let user = bench.user_with("mode: named");
    let _elsewhere = Disturbance::of_config(&bench, "sed '$ a state: { homes_dir: /srv/homes }'");
    assert_refused(&user.run("true"), &["the server cannot make your home directory", "journalctl"]);
    eventually("nothing is left", || user.containers().is_empty() && user.sessions().is_empty());
    let log = bench.root(&format!("journalctl -u podspawn-broker --no-pager -o cat PODSPAWN_USER={}", user.name));
    assert!(log.contains("/srv/homes") && log.contains("ReadWritePaths="), "{log}");
    // As docs/configuration.md says.
    let allow = "install -d -m 0700 -o podspawn -g podspawn /srv/homes; \
                 mkdir -p /etc/systemd/system/podspawn-broker.service.d; \
                 printf '[Service]\\nReadWritePaths=/srv/homes\\n' >/etc/systemd/system/podspawn-broker.service.d/homes.conf; \
                 systemctl daemon-reload; systemctl restart podspawn-broker.service";
    let forbid = "rm /etc/systemd/system/podspawn-broker.service.d/homes.conf; systemctl daemon-reload; \
                  systemctl restart podspawn-broker.service";
    let _allowed = Disturbance::of(&bench, allow, forbid);
    user.run("echo x >~/kept").success();
    user.stop(None);
    assert_eq!(user.run("cat ~/kept").success(), "x");
    assert_eq!(bench.root(&format!("cat /srv/homes/{}/kept", user.name)), "x");
    user.stop(None);
    bench.root("rm -r /srv/homes");
}
