//! What takes the bench host for itself.

use super::*;

#[test]
fn a_container_from_before_users_had_ids_of_their_own_is_named_by_doctor_until_it_ends() {
    let bench = bench::alone();
    let user = bench.user();
    let held = user.start(&[], "echo ready; read -r go; echo went");
    let forget = format!(
        "systemctl stop podspawn-broker.service
         sqlite3 /var/lib/podspawn/state.db \"UPDATE sessions SET uid = NULL WHERE user = '{}'\"
         podspawn list >/dev/null",
        user.name
    );
    bench.root(&forget);
    let report = || {
        bench.bash(&[], "podspawn doctor --json | jq -r '.checks[] | select(.check == \"user-ids\") | .outcome, .seen, .remedy'").text()
    };
    let printed = report();
    assert!(printed.starts_with("warn\n") && printed.contains(&format!("podspawn stop {}", user.name)), "{printed}");
    // It goes on, and the next container has an id of the user's own.
    let mut held = held;
    held.send(b"go\n".to_vec());
    assert_eq!(held.finish().success(), "went");
    bench.root(&format!("podspawn stop {}", user.name));
    eventually("the session is gone", || user.sessions().is_empty());
    assert_eq!(user.run("id -u").success(), user.uid().to_string());
    assert!(!report().contains(&user.name), "{}", report());
}
