//! What takes the bench host for itself.

use super::*;

/// The methods that sshd offers show which names have an account, unless passwords are off for all.
#[test]
fn where_passwords_are_off_sshd_answers_alike_for_every_name() {
    let bench = bench::alone();
    let methods = |name: &str| {
        let ask = ["-o", "PreferredAuthentications=none", "-o", "ControlPath=none", "-l", name];
        let printed = Finished::of(bench.plain().ssh(&ask).arg("true"), b"").errors();
        printed.split_once("Permission denied ").map_or(printed.clone(), |(_, methods)| methods.trim().to_owned())
    };
    let user = bench.user();
    let place = "/etc/ssh/sshd_config.d/04-names.conf";
    let _mend = Disturbance::of(
        &bench,
        &format!(
            "printf 'PasswordAuthentication no\\nKbdInteractiveAuthentication no\\n' >{place}; \
             ! sshd -T | grep -q persourcepenalties || echo PerSourcePenalties no >>{place}; systemctl reload ssh; sleep 0.2"
        ),
        format!("rm {place}; systemctl reload ssh; sleep 0.2"),
    );
    eventually("sshd has read it", || methods("plain") == "(publickey).");
    for name in [&user.name, "no-such-user", "root"] {
        assert_eq!(methods(name), "(publickey).", "{name}");
    }
}
