# The packages that podspawn's own and its module use. What would be built from source is this machine's own program.
{ lib, system }:
let
  build = import ./build.nix { inherit lib system; };
  inherit (build) mkDerivation runCommand writeText;

  # host NAME { STORE-PATH = FILE; }: programs of the machine, under the names that nixpkgs has for them.
  host =
    name: files:
    runCommand name { meta.mainProgram = name; } (
      lib.concatStringsSep "\n" (
        lib.mapAttrsToList (place: file: ''
          mkdir -p "$(dirname "$out/${place}")"
          ln -s ${file} "$out/${place}"
        '') files
      )
    );

  callPackageWith =
    set: path: overrides:
    let
      f = if lib.isFunction path then path else import path;
      given = builtins.intersectAttrs (lib.functionArgs f) set;
    in
    f (given // overrides);

  platform = {
    inherit system;
    isGnu = true;
    canExecute = other: other.system == system;
  };

  pkgs = {
    inherit
      lib
      pkgs
      runCommand
      writeText
      ;
    callPackage = callPackageWith pkgs;
    stdenv = {
      inherit mkDerivation;
      hostPlatform = platform;
      buildPlatform = platform;
      cc.libc = {
        out = host "glibc" { };
        static = host "glibc-static" { };
      };
    };
    mkShell =
      {
        inputsFrom ? [ ],
        packages ? [ ],
      }:
      runCommand "shell" { inherit packages; } "echo ${toString (lib.length inputsFrom)} >$out";

    coreutils = host "coreutils" { "bin/kill" = "/bin/kill"; };
    findutils = host "findutils" { "bin/find" = "/usr/bin/find"; };
    gnugrep = host "gnugrep" { "bin/grep" = "/bin/grep"; };
    gnused = host "gnused" { "bin/sed" = "/bin/sed"; };
    systemd = host "systemd" { "bin/systemctl" = "/bin/systemctl"; };
    # Built with another place for its state than Debian's.
    logrotate = runCommand "logrotate" { meta.mainProgram = "logrotate"; } ''
      mkdir -p "$out/bin"
      printf '#!/bin/sh\nexec /usr/sbin/logrotate --state /var/lib/logrotate.status "$@"\n' >"$out/bin/logrotate"
      chmod 0555 "$out/bin/logrotate"
    '';
    openssh = host "openssh" { "libexec/sftp-server" = "/usr/lib/openssh/sftp-server"; };
    sqlite = host "sqlite3" { "bin/sqlite3" = "/usr/bin/sqlite3"; };
    jq = host "jq" { "bin/jq" = "/usr/bin/jq"; };
    bashInteractive = host "bash" { "bin/bash" = "/bin/bash"; };
    deadnix = host "deadnix" { };
    nixfmt = host "nixfmt" { };
    nixfmt-tree = host "treefmt" { };
    clippy = host "clippy" { };
    rustfmt = host "rustfmt" { };
    cargo-deny = host "cargo-deny" { };
    installShellFiles = host "install-shell-files" { };

    rustPlatform = import ./rust.nix { inherit lib mkDerivation; };
    formats.yaml = _: import ./yaml.nix { inherit lib runCommand; };
    testers.runNixOSTest = import ../nixos/test.nix { inherit lib pkgs; };
    buildEnv =
      {
        name,
        paths,
        pathsToLink,
      }:
      runCommand name { } "echo ${toString (paths ++ pathsToLink)} >$out";
    # An image that no engine could load; tests that want one run elsewhere.
    dockerTools.buildImage =
      {
        name,
        tag,
        copyToRoot,
        extraCommands ? "",
      }:
      runCommand "image" { } ''
        mkdir layer
        (cd layer && ${if extraCommands == "" then ":" else extraCommands})
        echo ${name}:${tag} ${toString copyToRoot} "$(ls -l layer)" >$out
      '';
  };
in
pkgs
