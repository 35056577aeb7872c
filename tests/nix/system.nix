# The system that a case declares, with the stand-in for nixpkgs that is at `nixpkgs`.
{
  nixpkgs,
  case,
  # Without it: what the same host is without podspawn's module.
  withModule ? true,
}:
let
  lib = import "${nixpkgs}/lib";
  evaluated = import "${nixpkgs}/nixos" { inherit lib; } {
    system = builtins.currentSystem;
    modules = lib.optional withModule ../../nix/module ++ [ (/. + case) ];
  };
in
evaluated.config.system.build.toplevel
