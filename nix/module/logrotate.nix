# Rotation of the logs that are written, by rename and a reload of the broker.
{ config, lib, ... }:
let
  inherit (lib) mkIf;
  cfg = config.services.podspawn;
  inherit (cfg.settings) log;

  rotated = frequency: maxage: {
    inherit frequency maxage;
    # A flood of events is rotated early and removes no older copies: copies are kept by age.
    maxsize = "100M";
    rotate = 1000;
    compress = true;
    delaycompress = true;
    missingok = true;
    notifempty = true;
    # The directory is podspawn's: what root did in it, podspawn could lead elsewhere.
    su = "podspawn podspawn-admin";
    create = "0640 podspawn podspawn-admin";
    sharedscripts = true;
    # If the broker does not run, no process has the files open, and none is started.
    postrotate = "${config.systemd.package}/bin/systemctl try-reload-or-restart podspawn-broker.service";
  };
in
{
  config = mkIf (cfg.enable && (log.file != "" || log.audit_log != "")) {
    services.logrotate.settings = lib.mkMerge [
      (mkIf (log.file != "") { ${log.file} = rotated "daily" 14; })
      (mkIf (log.audit_log != "") { ${log.audit_log} = rotated "weekly" 365; })
    ];

    # The stock unit had no way to become another account, nor any socket to talk to systemd with. Behind what NixOS says:
    # systemd reads from top to bottom, and "none" or "~@privileged" would take these away again.
    systemd.services.logrotate = mkIf config.services.logrotate.enable {
      serviceConfig = {
        CapabilityBoundingSet = lib.mkAfter [
          "CAP_SETGID"
          "CAP_SETUID"
        ];
        RestrictAddressFamilies = lib.mkAfter [ "AF_UNIX" ];
        SystemCallFilter = lib.mkAfter [ "@setuid" ];
      };
    };
  };
}
