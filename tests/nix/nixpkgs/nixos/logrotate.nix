{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.services.logrotate;

  scripts = [
    "postrotate"
    "prerotate"
  ];
  line =
    name: value:
    if value == null || name == "files" then
      ""
    else if name == "frequency" then
      "  ${value}\n"
    else if lib.elem name scripts then
      "  ${name}\n    ${value}\n  endscript\n"
    else if value == true then
      "  ${name}\n"
    else if value == false then
      "  no${name}\n"
    else
      "  ${name} ${toString value}\n";
  section = name: settings: ''
    "${name}" {
    ${lib.concatStrings (lib.mapAttrsToList line settings)}}
  '';
  file = pkgs.writeText "logrotate.conf" (
    "weekly\nrotate 4\nmissingok\nnotifempty\n"
    + lib.concatStrings (lib.mapAttrsToList section cfg.settings)
  );
in
{
  options.services.logrotate.settings = mkOption {
    type = types.attrsOf (
      types.submodule {
        freeformType = types.attrsOf (
          types.nullOr (
            types.oneOf [
              types.int
              types.bool
              types.str
            ]
          )
        );
        options.frequency = mkOption {
          type = types.nullOr types.str;
          default = null;
        };
      }
    );
    default = { };
  };

  config = lib.mkIf (cfg.settings != { }) {
    systemd.timers.logrotate = {
      wantedBy = [ "timers.target" ];
      timerConfig.OnCalendar = "hourly";
    };
    # As strict as the strictest that NixOS had.
    systemd.services.logrotate = {
      description = "Logrotate Service";
      serviceConfig = {
        Type = "oneshot";
        ExecStart = "${lib.getExe pkgs.logrotate} --state /var/lib/logrotate.status ${file}";
        CapabilityBoundingSet = [
          "CAP_CHOWN"
          "CAP_SETGID"
        ];
        DevicePolicy = "closed";
        LockPersonality = true;
        MemoryDenyWriteExecute = true;
        NoNewPrivileges = true;
        PrivateDevices = true;
        PrivateNetwork = true;
        PrivateTmp = true;
        ProcSubset = "pid";
        ProtectHome = true;
        ProtectProc = "invisible";
        ProtectSystem = "full";
        RestrictAddressFamilies = "none";
        RestrictNamespaces = true;
        RestrictSUIDSGID = true;
        SystemCallFilter = [
          "@system-service"
          "~@privileged @resources"
          "@chown"
        ];
        UMask = "0027";
      };
    };
    environment.etc."logrotate.conf".source = file;
  };
}
