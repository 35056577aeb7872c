# The bench host with people and projects declared, too.
{ lib, ... }:
let
  key = /. + builtins.getEnv "PODSPAWN_BENCH_KEY";
in
{
  imports = [ ./bench.nix ];

  services.podspawn = {
    mutableUsers = lib.mkForce false;
    users = {
      alice = {
        keyFiles = [ key ];
        settings.env.DECLARED = "here";
      };
      dora = {
        keyFiles = [ key ];
        projects = [ "backend" ];
      };
    };
    projects.backend = {
      repo = "https://git.example.org/backend";
      settings.image = "podspawn-alpine-like:latest";
    };
  };
}
