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
    if
      value == null
      || lib.elem name [
        "enable"
        "files"
        "priority"
      ]
    then
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
  section = settings: ''
    "${settings.files}" {
    ${lib.concatStrings (lib.mapAttrsToList line settings)}}
  '';
  enabled = lib.filter (settings: settings.enable) (lib.attrValues cfg.settings);
  file = pkgs.writeText "logrotate.conf" (
    "weekly\nmissingok\nnotifempty\nrotate 4\n"
    + lib.concatMapStringsSep "\n" section (lib.sort (a: b: a.priority < b.priority) enabled)
  );
in
{
  options.services.logrotate.enable = mkOption {
    type = types.bool;
    default = enabled != [ ];
  };
  options.services.logrotate.settings = mkOption {
    type = types.attrsOf (
      types.submodule (
        { name, ... }: {
          freeformType = types.attrsOf (
            types.nullOr (
              types.oneOf [
                types.int
                types.bool
                types.str
              ]
            )
          );
          options = {
            enable = mkOption {
              type = types.bool;
              default = true;
            };
            files = mkOption {
              type = types.str;
              default = name;
            };
            frequency = mkOption {
              type = types.nullOr types.str;
              default = null;
            };
            priority = mkOption {
              type = types.int;
              default = 1000;
            };
          };
        }
      )
    );
    default = { };
  };

  # systemd's own, on every host: so logrotate always runs.
  config.services.logrotate.settings = lib.genAttrs [ "/var/log/btmp" "/var/log/wtmp" ] (_: {
    frequency = lib.mkDefault "monthly";
    rotate = lib.mkDefault 1;
    create = lib.mkDefault "0660 root utmp";
    minsize = lib.mkDefault "1M";
  });

  config.systemd = lib.mkIf cfg.enable {
    timers.logrotate = {
      wantedBy = [ "timers.target" ];
      timerConfig.OnCalendar = "hourly";
    };
    # As strict as the strictest that NixOS had.
    services.logrotate = {
      description = "Logrotate Service";
      serviceConfig = {
        Type = "oneshot";
        ExecStart = "${lib.getExe pkgs.logrotate} ${file}";
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
  };

  config.environment.etc."logrotate.conf" = lib.mkIf cfg.enable { source = file; };
}
