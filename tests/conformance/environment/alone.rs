//! What takes the bench host for itself.

use super::*;

#[test]
fn the_hosts_locale_stays_out_and_the_images_holds() {
    let bench = bench::alone();
    let (user, plain) = (bench.user(), bench.plain());
    let _host = french_host(&bench);
    assert_eq!(value(&plain, &[], "LANG"), FRENCH, "the host's locale is not set at all");
    assert_eq!(value(&user, &[], "LANG"), "C.UTF-8");
    assert_eq!(value(&user, &[], "LC_PAPER"), "");
    assert_eq!(value(&user, &[("LC_TIME", FRENCH)], "LC_TIME"), FRENCH);
    let (_, shown) = user.terminal(Some("echo lang:$LANG:")).finish();
    assert!(shown.contains("lang:C.UTF-8:"), "{shown:?}");
    // PAM's value has replaced the client's before anything of ours runs.
    assert_eq!(value(&plain, &[("LANG", "en_US.UTF-8")], "LANG"), FRENCH);
    assert_eq!(value(&user, &[("LANG", "en_US.UTF-8")], "LANG"), "C.UTF-8");
}

#[test]
fn the_clients_language_arrives_where_pam_leaves_it_alone() {
    let bench = bench::alone();
    let user = bench.user();
    let _host = french_host(&bench);
    {
        // The line of the manual.
        let rule = "session [success=1 default=ignore] pam_succeed_if.so quiet user ingroup podspawn";
        let make = format!("sed '/envfile=\\/etc\\/default\\/locale/i {rule}' sshd");
        let _pam = Disturbance::of_file(&bench, "/etc/pam.d", "sshd", &make, "");
        assert_eq!(value(&bench.plain(), &[], "LANG"), FRENCH);
        for language in ["en_US.UTF-8", FRENCH] {
            assert_eq!(value(&user, &[("LANG", language)], "LANG"), language);
        }
        assert_eq!(value(&user, &[], "LANG"), "C.UTF-8");
    }
    let without = "{ echo UsePAM no; cat sshd_config; }";
    let _sshd = Disturbance::of_file(&bench, "/etc/ssh", "sshd_config", without, RESTART);
    for language in ["en_US.UTF-8", FRENCH] {
        assert_eq!(value(&user, &[("LANG", language)], "LANG"), language);
    }
    assert_eq!(value(&user, &[], "LANG"), "C.UTF-8");
}
