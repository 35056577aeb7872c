# The generation after: another binary path, alice's key replaced, a new user.
{ lib, pkgs, ... }:
{
  imports = [ ./declared.nix ];

  services.podspawn = {
    package = lib.mkForce (
      (pkgs.callPackage ../../../nix/package.nix { }).overrideAttrs { pname = "podspawn-next"; }
    );
    settings.session.grace_period = "5m";
    users.alice.keyFiles = lib.mkForce [ ./alice.pub ];
    users.emil.keyFiles = [ (/. + builtins.getEnv "PODSPAWN_BENCH_KEY") ];
  };
}
