//! What takes the bench host for itself.

use super::*;

#[test]
fn max_containers_is_refused_and_those_that_exist_are_entered() {
    let bench = bench::alone();
    let (here, newcomer) = (bench.user(), bench.user());
    here.run("true").success();
    {
        let _limited = Disturbance::of_config(&bench, "sed 's/max_containers: [0-9]*/max_containers: 1/'");
        assert_refused(
            &newcomer.run("true"),
            &["this host is at its limit of 1 containers", "resources.max_containers"],
        );
        newcomer.assert_gone();
        assert_eq!(here.run("echo still").success(), "still");
    }
    assert_eq!(newcomer.run("echo now").success(), "now");
}
