# The bench host with users and projects declared, too.
{ lib, ... }:
let
  key = /. + builtins.getEnv "PODSPAWN_BENCH_KEY";
in
{
  imports = [ ./bench.nix ];

  # Where NixOS has the keys of any account.
  users.users.dora.openssh.authorizedKeys.keyFiles = [ key ];

  # It would decide for alice, if podspawn's block did not come first.
  services.openssh.extraConfig = lib.mkBefore ''
    Match User alice
        ForceCommand echo "not podspawn"
        AuthorizedKeysFile /dev/null
    Match all
  '';

  services.podspawn = {
    mutableUsers = lib.mkForce false;
    users = {
      alice = {
        keyFiles = [ key ];
        settings.env.DECLARED = "here";
      };
      dora.projects = [ "backend" ];
    };
    projects.backend = {
      repo = "https://git.example.org/backend";
      settings.image = "podspawn-alpine-like:latest";
    };
  };
}
