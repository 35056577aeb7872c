{
  description = "ssh user@host lands in the user's own container";

  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      inherit (nixpkgs) lib;
      systems = [
        "x86_64-linux"
        "aarch64-linux"
      ];
      perSystem = f: lib.genAttrs systems (system: f nixpkgs.legacyPackages.${system});
      packageFor = pkgs: pkgs.callPackage ./nix/package.nix { };
      vmTestsFor = pkgs: import ./nix/tests { inherit pkgs; };
    in
    {
      overlays.default = import ./nix/overlay.nix;

      nixosModules.default = {
        imports = [ ./nix/module ];
      };

      packages = perSystem (pkgs: rec {
        podspawn = packageFor pkgs;
        default = podspawn;
        # nix/OPTIONS.md as it should be.
        options = pkgs.writeText "OPTIONS.md" (import ./nix/reference.nix { inherit pkgs; });
      });

      checks = perSystem (
        pkgs:
        {
          package = packageFor pkgs;
          reference = pkgs.runCommand "podspawn-options-are-current" { } ''
            diff -u ${./nix/OPTIONS.md} ${self.packages.${pkgs.stdenv.hostPlatform.system}.options}
            touch $out
          '';
        }
        // lib.mapAttrs' (name: lib.nameValuePair "vm-${name}") (vmTestsFor pkgs)
      );

      devShells = perSystem (pkgs: {
        default = pkgs.mkShell {
          inputsFrom = [ (packageFor pkgs) ];
          packages = [
            pkgs.clippy
            pkgs.rustfmt
            pkgs.cargo-deny
            pkgs.deadnix
            pkgs.nixfmt
          ];
        };
      });

      # `nix fmt` names no files, and nixfmt alone would wait for one on its stdin.
      formatter = perSystem (pkgs: pkgs.nixfmt-tree);
    };
}
