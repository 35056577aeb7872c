# Options of the service as a whole. Options of a part stand beside that part.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) literalExpression mkOption types;
  cfg = config.services.podspawn;
  engine = import ./engine.nix { inherit config lib; };
in
{
  options.services.podspawn = {
    enable = lib.mkEnableOption "podspawn, which gives each user of group `podspawn` a container of its own at ssh logins";

    package = mkOption {
      type = types.package;
      default = pkgs.callPackage ../package.nix { };
      defaultText = literalExpression "pkgs.callPackage ./nix/package.nix { }";
      description = "The podspawn package: the binary and its units.";
    };

    mutableUsers = mkOption {
      type = types.bool;
      default = false;
      description = ''
        Whether users, their keys and overrides, and projects are managed on the host, with {command}`podspawn add-user` and
        files below {file}`/etc/podspawn`, instead of {option}`services.podspawn.users` and
        {option}`services.podspawn.projects`, which must be empty then. {file}`/etc/podspawn/config.yaml` is declared
        either way.
      '';
    };

    checkConfig = mkOption {
      type = types.bool;
      default = pkgs.stdenv.buildPlatform.canExecute pkgs.stdenv.hostPlatform;
      defaultText = literalExpression "pkgs.stdenv.buildPlatform.canExecute pkgs.stdenv.hostPlatform";
      description = ''
        Whether {command}`podspawn check-config` reads the files when they are built, so that a mistake ends the build. The
        message has the mistake and the correct form.
      '';
    };

    engineGroup = mkOption {
      type = types.str;
      default = if engine.isPodman then "podman" else "docker";
      defaultText = literalExpression ''"podman" if the socket is Podman's, else "docker"'';
      example = "podman";
      description = ''
        The group that may use the engine's socket. Membership is equivalent to root. The module adds the broker to it, and
        refuses podspawn users in it.
      '';
    };

    cleanup.interval = mkOption {
      type = types.str;
      default = "5min";
      example = "1min";
      description = ''
        The time that {file}`podspawn-cleanup.timer` waits between two passes, as in {manpage}`systemd.time(7)`. Sessions end
        without it; it removes orphans.
      '';
    };
  };

  config = lib.mkIf cfg.enable {
    # For `podspawn list`, `stop`, `restore` and the manual; the units name the binary by its path.
    environment.systemPackages = [ cfg.package ];

    # podspawn needs an engine. If another one is enabled, assertions.nix names the options to set.
    virtualisation.docker.enable = lib.mkIf engine.isDockerWanted (lib.mkDefault true);
  };
}
