{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.systemd;

  # Names of units, and of nothing else.
  list = mkOption {
    type = types.listOf (
      types.mkType {
        name = "unit";
        description = "name of a unit";
        check =
          name:
          lib.isString name
          && lib.match "[a-zA-Z0-9@%:_.-]+[.](service|socket|target|path|timer)" name != null;
      }
    );
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
    enable = flag;
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
  lines =
    set:
    lib.concatStrings (
      lib.concatLists (
        lib.mapAttrsToList (key: value: map (one: "${key}=${text one}\n") (lib.toList value)) set
      )
    );
  trigger =
    kind: list: lib.optionalAttrs (list != [ ]) { ${kind} = pkgs.writeText kind (toString list); };
  # What is said by the options goes over what unitConfig says. [Install] is written, and not read.
  unit = one: section: content: ''
    [Unit]
    ${lines (
      one.unitConfig
      // lib.optionalAttrs (one.description != "") { Description = one.description; }
      // lib.optionalAttrs (one.after != [ ]) { After = toString one.after; }
      // lib.optionalAttrs (one.wants != [ ]) { Wants = toString one.wants; }
      // lib.optionalAttrs (one.requires != [ ]) { Requires = toString one.requires; }
      // trigger "X-Restart-Triggers" (one.restartTriggers or [ ])
      // trigger "X-Reload-Triggers" (one.reloadTriggers or [ ])
    )}
    [${section}]
    ${content}${
      lib.optionalString (one.wantedBy != [ ]) ''

        [Install]
        WantedBy=${toString one.wantedBy}
      ''
    }'';

  directories = name: packages: lib.concatMapStringsSep ":" (package: "${package}/${name}") packages;
  service =
    one:
    let
      path = one.path ++ [
        pkgs.coreutils
        pkgs.findutils
        pkgs.gnugrep
        pkgs.gnused
        cfg.package
      ];
      # Every service that is said anything of gets a PATH.
      environment = {
        PATH = "${directories "bin" path}:${directories "sbin" path}";
      }
      // one.environment;
    in
    unit one "Service" (
      lib.concatStrings (
        lib.mapAttrsToList (
          name: value: "Environment=${lib.strings.toJSON "${name}=${value}"}\n"
        ) environment
      )
      + lib.optionalString (!one.restartIfChanged) "X-RestartIfChanged=false\n"
      + lib.optionalString (!one.stopIfChanged) "X-StopIfChanged=false\n"
      + lines one.serviceConfig
    );

  all =
    kind: render: set:
    lib.mapAttrsToList (name: one: {
      name = "${name}.${kind}";
      inherit (one) enable wantedBy;
      file = pkgs.writeText "${name}.${kind}" (render one);
    }) set;
  rendered =
    all "service" service cfg.services
    ++ all "socket" (one: unit one "Socket" (lines one.socketConfig)) cfg.sockets
    ++ all "timer" (one: unit one "Timer" (lines one.timerConfig)) cfg.timers;
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

  # What a package has is linked, what is said of it goes into overrides.conf, what is disabled is
  # masked, and [Install] is not read.
  config.environment.etc."systemd/system".source = pkgs.runCommand "system-units" { } ''
    mkdir $out
    for package in ${toString cfg.packages}; do
      for unit in "$package"/lib/systemd/system/*; do ln -s "$unit" $out/; done
    done
    ${lib.concatMapStringsSep "\n" (one: ''
      if [ -z "${lib.optionalString one.enable "enabled"}" ]; then
        ln -sfn /dev/null $out/${one.name}
      elif [ -e $out/${one.name} ]; then
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
