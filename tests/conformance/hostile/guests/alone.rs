//! What takes the bench host for itself.

use super::*;

#[test]
fn a_guest_that_invents_connections_is_logged_once_and_loses_its_container() {
    let bench = bench::alone();
    let overrides = format!("image: {IMAGE}:latest\nmode: destroy-on-disconnect");
    let (user, other) = (bench.user_with(&overrides), bench.user());
    // The copy has to be there.
    other.run("true").success();
    let liars = lying_guests(&bench);
    let since = bench.root("date +%s");
    let login = Process::start(user.ssh(&[]).arg("true"));
    eventually("the liar is connected", || user.connections() > 0);
    // For as long as it holds the one that is real, there is one.
    let mut most = 0;
    for _ in 0..20 {
        most = most.max(user.connections());
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(most, 1, "connections that were never opened are counted");
    assert_eq!(login.finish().code, Some(255));
    // Whatever it goes on to name, no connection is counted.
    eventually("the session ends", || user.sessions().is_empty());
    let journal = bench.root(&format!("journalctl --quiet --output=cat --since=@{since} PODSPAWN_USER={}", user.name));
    let about = |text: &str| journal.lines().filter(|line| line.contains(text)).count();
    assert_eq!((about("connections that do not exist"), about(" disconnected: ")), (1, 1), "{journal:.2000}");
    assert!(journal.lines().count() < 10, "{journal:.2000}");
    assert_eq!(other.run("echo fine").quiet_success(), "fine");
    drop(liars);
}
