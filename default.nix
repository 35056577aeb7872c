# Without flakes: the package. The module is ./nix/module, for `imports`.
{
  pkgs ? import <nixpkgs> { },
}:
pkgs.callPackage ./nix/package.nix { }
