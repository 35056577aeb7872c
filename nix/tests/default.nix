# Whole machines, each with one property: a file here is a test. They want KVM and the packages of nixpkgs.
{ pkgs }:
let
  inherit (pkgs) lib;
  support = import ./support { inherit pkgs; };
  isTest = name: type: type == "regular" && lib.hasSuffix ".nix" name && name != "default.nix";
in
lib.mapAttrs' (
  file: _:
  let
    name = lib.removeSuffix ".nix" file;
  in
  lib.nameValuePair name (
    pkgs.testers.runNixOSTest (import (./. + "/${file}") { inherit pkgs support; } // { inherit name; })
  )
) (lib.filterAttrs isTest (builtins.readDir ./.))
