{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.systemd;

  list = mkOption {
    type = types.listOf types.str;
    default = [ ];
  };
  flag = mkOption {
    type = types.bool;
    default = true;
  };
  scalar = types.oneOf [
    types.bool
    types.int
    types.str
  ];
  # Values of one key add up where one of them is a list, and have to be the same where none is.
  setting = types.mkType {
    name = "unit option";
    description = "systemd option";
    check = value: lib.all scalar.check (lib.toList value);
    merge =
      loc: defs:
      if lib.any (def: lib.isList def.value) defs then
        lib.concatMap (def: lib.toList def.value) defs
      else
        scalar.merge loc defs;
  };
  settings = mkOption {
    type = types.attrsOf setting;
    default = { };
  };
  triggers = mkOption {
    type = types.listOf types.package;
    default = [ ];
  };

  common = {
    wantedBy = list;
    after = list;
    wants = list;
    requires = list;
    description = mkOption {
      type = types.str;
      default = "";
    };
    unitConfig = settings;
  };
  units =
    options:
    mkOption {
      type = types.attrsOf (types.submodule { options = common // options; });
      default = { };
    };

  text = value: if lib.isBool value then lib.boolToString value else toString value;
  section =
    name: set:
    "[${name}]\n"
    + lib.concatStrings (
      lib.concatLists (
        lib.mapAttrsToList (key: value: map (one: "${key}=${text one}\n") (lib.toList value)) set
      )
    );
  unit =
    unit:
    section "Unit" (
      unit.unitConfig
      // lib.optionalAttrs (unit.description != "") { Description = unit.description; }
      // lib.optionalAttrs (unit.after != [ ]) { After = toString unit.after; }
      // lib.optionalAttrs (unit.wants != [ ]) { Wants = toString unit.wants; }
      // lib.optionalAttrs (unit.requires != [ ]) { Requires = toString unit.requires; }
      // lib.optionalAttrs (unit.restartTriggers or [ ] != [ ]) {
        X-Restart-Triggers = toString unit.restartTriggers;
      }
      // lib.optionalAttrs (unit.reloadTriggers or [ ] != [ ]) {
        X-Reload-Triggers = toString unit.reloadTriggers;
      }
    );
  service =
    one:
    unit one
    + section "Service" (
      one.serviceConfig
      // {
        # Every service that is said anything of gets one.
        Environment =
          map (name: ''"${name}=${one.environment.${name}}"'') (lib.attrNames one.environment)
          ++ [
            ''"PATH=${
              lib.makeBinPath (
                one.path
                ++ [
                  pkgs.coreutils
                  pkgs.systemd
                ]
              )
            }"''
          ];
      }
      // lib.optionalAttrs (!one.stopIfChanged) { X-StopIfChanged = false; }
      // lib.optionalAttrs (!one.restartIfChanged) { X-RestartIfChanged = false; }
    );

  all =
    kind: render: set:
    lib.mapAttrsToList (name: one: {
      name = "${name}.${kind}";
      inherit (one) wantedBy;
      file = pkgs.writeText "${name}.${kind}" (render one);
    }) set;
  rendered =
    all "service" service cfg.services
    ++ all "socket" (one: unit one + section "Socket" one.socketConfig) cfg.sockets
    ++ all "timer" (one: unit one + section "Timer" one.timerConfig) cfg.timers;
in
{
  options.systemd = {
    package = mkOption {
      type = types.package;
      default = pkgs.systemd;
    };
    packages = mkOption {
      type = types.listOf types.package;
      default = [ ];
    };
    services = units {
      serviceConfig = settings;
      environment = mkOption {
        type = types.attrsOf types.str;
        default = { };
      };
      path = mkOption {
        type = types.listOf types.package;
        default = [ ];
      };
      restartTriggers = triggers;
      reloadTriggers = triggers;
      stopIfChanged = flag;
      restartIfChanged = flag;
    };
    sockets = units { socketConfig = settings; };
    timers = units { timerConfig = settings; };
  };

  # What a package has is linked, what is said of it goes into overrides.conf, and nobody reads [Install].
  config.environment.etc."systemd/system".source = pkgs.runCommand "system-units" { } ''
    mkdir $out
    for package in ${toString cfg.packages}; do
      for unit in "$package"/lib/systemd/system/*; do ln -s "$unit" $out/; done
    done
    ${lib.concatMapStringsSep "\n" (one: ''
      if [ -e $out/${one.name} ]; then
        mkdir $out/${one.name}.d
        ln -s ${one.file} $out/${one.name}.d/overrides.conf
      else
        ln -s ${one.file} $out/${one.name}
      fi
      ${lib.concatMapStringsSep "\n" (target: ''
        mkdir -p $out/${target}.wants
        ln -s ../${one.name} $out/${target}.wants/
      '') one.wantedBy}
    '') rendered}
  '';
}
