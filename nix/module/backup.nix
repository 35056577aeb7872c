# Backups: directory, schedule, number.
{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  cfg = config.services.podspawn;
in
{
  options.services.podspawn.backup = {
    enable = lib.mkEnableOption "backups of podspawn's state, keys and configuration while sessions go on";

    directory = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/srv/backup/podspawn";
      description = ''
        The directory of backups. Each backup is a directory in it whose name is the time in UTC. The module creates the
        directory, and `podspawn-backup` owns it: backups contain keys and homes, and an account that can write there decides
        what root restores. If it is a mount point, the service waits for the mount.
      '';
    };

    keep = mkOption {
      type = types.ints.between 1 3660;
      default = 14;
      description = "The number of newest backups to keep.";
    };

    homes = mkOption {
      type = types.bool;
      default = false;
      description = "Whether to back up the persistent homes, too.";
    };

    startAt = mkOption {
      type = types.str;
      default = "daily";
      example = "*-*-* 03:30:00";
      description = ''
        When a backup is made, as in {manpage}`systemd.time(7)`. It is delayed by up to an hour, so that several hosts do not
        begin at once, and made up for after a night without power.
      '';
    };
  };

  config = lib.mkMerge [
    # Masked if it is not enabled, so that a switch stops it, as in metrics.nix.
    (lib.mkIf cfg.enable { systemd.timers.podspawn-backup.enable = cfg.backup.enable; })
    (lib.mkIf (cfg.enable && cfg.backup.enable) {
      systemd.timers.podspawn-backup = {
        wantedBy = [ "timers.target" ];
        timerConfig.OnCalendar = [
          ""
          cfg.backup.startAt
        ];
      };

      systemd.services.podspawn-backup = {
        # A switch does not end a backup in the middle.
        restartIfChanged = false;
        unitConfig.RequiresMountsFor = [ cfg.backup.directory ];
        serviceConfig = {
          ExecStart = [
            ""
            "${lib.getExe cfg.package} backup${lib.optionalString cfg.backup.homes " --homes"}"
          ];
          ReadWritePaths = [ cfg.backup.directory ];
          ProtectHome = lib.mkIf (lib.hasPrefix "/home/" cfg.backup.directory) false;
        };
      };

      systemd.tmpfiles.settings."10-podspawn" = lib.mkIf (cfg.backup.directory != null) {
        ${cfg.backup.directory}.d = {
          mode = "0700";
          user = "podspawn-backup";
          group = "podspawn-backup";
        };
      };
    })
  ];
}
