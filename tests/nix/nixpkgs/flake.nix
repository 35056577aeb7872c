{
  description = "A stand-in for nixpkgs: what podspawn's flake, package and module use, and nothing else";

  outputs =
    { self }:
    let
      lib = import ./lib // {
        nixosSystem = import ./nixos { inherit lib; };
      };
      inherit (builtins) listToAttrs map;
    in
    {
      inherit lib;
      legacyPackages = listToAttrs (
        map
          (system: {
            name = system;
            value = import ./pkgs { inherit lib system; };
          })
          [
            "x86_64-linux"
            "aarch64-linux"
          ]
      );
    };
}
