# Backups: where to, how often, how many.
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
        Where backups go, each a directory with the time in UTC for a name. It is made, and belongs to `podspawn-backup`: there
        are keys and homes in it, and whoever can write to it decides what root restores. Where it is mounted, the mount
        is waited for.
      '';
    };

    keep = mkOption {
      type = types.ints.between 1 3660;
      default = 14;
      description = "How many backups are kept, the newest.";
    };

    homes = mkOption {
      type = types.bool;
      default = false;
      description = "Whether the persistent homes are saved, too.";
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
    # Masked where nobody wants it, so that a switch stops it, as in metrics.nix.
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
