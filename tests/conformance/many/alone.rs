//! What takes the bench host for itself.

use super::*;

#[test]
fn fifty_users_at_once_get_fifty_containers() {
    let bench = bench::alone();
    let users: Vec<User<'_>> = (0..50).map(|_| bench.user()).collect();
    let done = at_once(users.iter(), "id -un; cat /etc/hostname");
    for (user, done) in users.iter().zip(&done) {
        assert_eq!(done.quiet_success().lines().next(), Some(user.name.as_str()));
    }
    let hosts: BTreeSet<String> = done.iter().map(Finished::text).collect();
    assert_eq!(hosts.len(), 50);
    let names: BTreeSet<&str> = users.iter().map(|user| user.name.as_str()).collect();
    let listed = bench.root("docker ps --filter label=managed-by=podspawn --format '{{.Label \"podspawn-user\"}}'");
    let listed: Vec<&str> = listed.lines().filter(|name| names.contains(name)).collect();
    assert_eq!((listed.len(), listed.iter().collect::<BTreeSet<_>>().len()), (50, 50));
}
