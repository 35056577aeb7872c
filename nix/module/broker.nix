# The units of the package: their start, the paths that they may write, and the effect of a switch.
{ config, lib, ... }:
let
  inherit (lib) mkIf;
  cfg = config.services.podspawn;
  inherit (cfg.settings) state log;

  isBelow = directory: path: path == directory || lib.hasPrefix "${directory}/" path;
  # Paths that the package's unit does not yet allow the broker to write.
  directories = lib.unique (
    lib.filter (path: !isBelow "/var/lib/podspawn" path && !isBelow "/var/log/podspawn" path) (
      [ state.homes_dir ]
      ++ map dirOf (
        [ state.db_path ]
        ++ lib.filter (path: path != "") [
          log.file
          log.audit_log
        ]
      )
    )
  );
  isHome =
    path:
    lib.any (home: isBelow home path) [
      "/home"
      "/root"
      "/run/user"
    ];
in
{
  config = mkIf cfg.enable {
    systemd.packages = [ cfg.package ];

    # The [Install] sections of a package are not read.
    systemd.sockets.podspawn-broker.wantedBy = [ "sockets.target" ];
    systemd.timers.podspawn-cleanup = {
      wantedBy = [ "timers.target" ];
      timerConfig = {
        # The empty value removes the package's; the values are written in this order.
        OnBootSec = [
          ""
          "1min"
        ];
        OnUnitActiveSec = cfg.cleanup.interval;
      };
    };

    systemd.services.podspawn-broker = {
      # A switch restarts it and leaves its socket open: logins meanwhile wait, and sessions continue.
      stopIfChanged = false;
      reloadTriggers = [ cfg.etc ];
      unitConfig.RequiresMountsFor = mkIf (directories != [ ]) directories;
      serviceConfig = {
        ReadWritePaths = mkIf (directories != [ ]) directories;
        ProtectHome = mkIf (lib.any isHome directories) false;
        SupplementaryGroups = mkIf (cfg.engineGroup != "docker") [
          ""
          cfg.engineGroup
        ];
      };
    };

    # A switch does not end a pass in the middle.
    systemd.services.podspawn-cleanup.restartIfChanged = false;
  };
}
