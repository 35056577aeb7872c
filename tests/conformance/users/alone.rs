//! What takes the bench host for itself.

use super::*;

#[test]
fn what_nixos_made_is_named_with_its_option() {
    let bench = bench::alone();
    let guest = Guest::new(&bench, "u-nix");
    let _mend = bench::Disturbance::of(
        &bench,
        "mkdir -p /nix/store/x && touch /nix/store/x/u-nix && ln -s /nix/store/x/u-nix /etc/podspawn/keys/u-nix",
        "rm -rf /nix/store/x /etc/podspawn/keys/u-nix; rmdir /nix/store /nix || true",
    );
    assert_refused(&guest.add(&format!("--key '{}'", key(&bench))), "services.podspawn.users.u-nix.keys");
    assert_refused(&guest.remove(""), "made by NixOS");
    bench.root("! getent passwd u-nix && test -L /etc/podspawn/keys/u-nix");
}
