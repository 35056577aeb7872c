//! What others configure, globally or in `Match` blocks, against podspawn's block.

use super::*;

impl Host {
    /// Whether sshd has what the block says for its user, from and to every address and port that a test here asks for.
    fn is_confined(&self) -> bool {
        let config = self.at("ssh/sshd_config");
        let setup = self.setup();
        let is_so = |connection: &sshd::Connection| {
            let options = setup.sshd.effective(&config, connection).unwrap();
            doctor::sshd::config::forced(&options, &setup.block.text()).is_empty()
        };
        let mut connections = Vec::new();
        for address in ["127.0.0.1", "192.0.2.1", "10.1.2.3", "::1", "2001:db8:1::7"] {
            for (local_port, host) in [(22, "h"), (2222, "h.example.org")] {
                let connection = sshd::Connection::new("games", address);
                let (host, local_address) = (host.to_owned(), "192.0.2.77".to_owned());
                connections.push(sshd::Connection { host, local_address, local_port, ..connection });
            }
        }
        connections.iter().all(is_so)
    }
}

#[test]
fn global_options_keep_out_no_user_whom_the_block_lets_in() {
    for (main, is_root_in) in [
        ("PubkeyAuthentication no\n", false),
        ("AuthenticationMethods publickey,password password\n", false),
        ("ChrootDirectory /srv\n", true),
        ("TrustedUserCAKeys /etc/ssh/ca.pub\nAuthorizedPrincipalsFile none\n", true),
        ("PasswordAuthentication yes\nPermitEmptyPasswords yes\nHostbasedAuthentication yes\n", true),
        ("PermitTunnel yes\nAllowTcpForwarding yes\nGatewayPorts yes\nForceCommand /bin/sh\n", true),
    ] {
        for rest in [WITH_INCLUDE, WITHOUT_INCLUDE] {
            let host = Host::new(&format!("{main}{rest}"));
            fs::write(host.at("etc/shadow"), "root:*:1::::::\ndaemon:$y$j9T$aaaaaaaaaaaaaaaa:1::::::\n").unwrap();
            let caller = (!is_root_in).then(|| "daemon".to_owned());
            host.run(&Setup { caller, ..host.setup() }, false).unwrap_or_else(|error| panic!("{main}: {error}"));
            assert!(host.is_confined(), "{main}");
        }
    }
}

/// Blocks that win over one that is read behind them, for a user, from somewhere, or to some port.
const WINNERS: [&str; 9] = [
    "Match all\n    ForceCommand /bin/echo other\n",
    "Match Group games\n    AllowTcpForwarding yes\n",
    "Match User g*\n    PasswordAuthentication yes\n    AuthenticationMethods password\n",
    "Match Address 10.0.0.0/8\n    AuthorizedKeysFile /etc/keys/%u\n",
    "Match Address 2001:db8:1::/48\n    PermitTunnel yes\n",
    "Match LocalPort 2222\n    ChrootDirectory /srv\n",
    "Match User=games\n    ForceCommand=/x\n",
    "\"match\" Host *.example.org Address !10.9.0.0/16,*\n    TrustedUserCAKeys /etc/ssh/ca.pub\n",
    "=Match LocalAddress 192.0.2.77\n    X11Forwarding yes\n",
];

#[test]
fn no_block_of_others_wins_over_ours_wherever_it_is() {
    for place in ["sshd_config.d/10-a.conf", "sshd_config.d/00-a.conf", "sshd_config"] {
        let host = Host::new(WITH_INCLUDE);
        let main = fs::read_to_string(host.at("ssh/sshd_config")).unwrap();
        let put = |blocks: &str| match place {
            "sshd_config" => {
                // Options that are global only may not follow a block.
                let (key, rest) = main.split_once('\n').unwrap();
                let global = "Subsystem sftp internal-sftp\n";
                host.write(place, &format!("{key}\n{global}{blocks}Match all\n{}", rest.replace(global, "")));
            }
            _ => host.write(place, blocks),
        };
        // As it was installed before.
        host.write("sshd_config.d/50-podspawn.conf", &host.setup().block.text());
        assert!(host.is_confined());
        for block in WINNERS {
            put(block);
            assert!(!host.is_confined(), "{block} in {place} does not win");
        }
        put(&WINNERS.concat());
        host.run(&host.setup(), false).unwrap_or_else(|error| panic!("{place}: {error}"));
        assert!(host.is_confined(), "{place}");
        let order = sshd::order::Reading::of(&host.at("ssh/sshd_config")).unwrap();
        assert!(order.blocks[0].is_podspawns("games"), "{place}: {order:?}");
        let files = host.files();
        assert!(!files.keys().any(|path| path.ends_with("50-podspawn.conf")), "{place}");
        host.run(&host.setup(), false).unwrap();
        assert!(host.files() == files, "{place}");
        host.run(&host.setup(), true).unwrap();
        assert!(!host.files().keys().any(|path| path.to_string_lossy().ends_with("podspawn.conf")), "{place}");
    }
}
