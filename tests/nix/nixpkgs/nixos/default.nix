# lib.nixosSystem: the options of NixOS that podspawn's module sets, and what NixOS makes of them.
{ lib }:
{
  modules,
  system ? null,
  pkgs ? import ../pkgs { inherit lib system; },
}:
let
  evaluate =
    extra:
    lib.evalModules {
      specialArgs = { inherit pkgs; };
      modules = [
        ./assertions.nix
        ./environment.nix
        ./logrotate.nix
        ./openssh.nix
        ./services.nix
        ./specialisation.nix
        ./sysctl.nix
        ./systemd.nix
        ./tmpfiles.nix
        ./toplevel.nix
        ./users.nix
        { specialisationOf = evaluate; }
      ]
      ++ modules
      ++ extra;
    };
in
evaluate [ ]
