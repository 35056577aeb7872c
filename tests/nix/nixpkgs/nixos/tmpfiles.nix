{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  text =
    default:
    mkOption {
      type = types.str;
      inherit default;
    };
  rule =
    path: type: rule:
    "'${type}' '${path}' '${rule.mode}' '${rule.user}' '${rule.group}' '${rule.age}' ${rule.argument}\n";
  file =
    paths:
    lib.concatStrings (
      lib.concatLists (lib.mapAttrsToList (path: types: lib.mapAttrsToList (rule path) types) paths)
    );
in
{
  options.systemd.tmpfiles.settings = mkOption {
    type = types.attrsOf (
      types.attrsOf (
        types.attrsOf (
          types.submodule {
            options = {
              mode = text "-";
              user = text "-";
              group = text "-";
              age = text "-";
              argument = text "";
            };
          }
        )
      )
    );
    default = { };
  };

  config.environment.etc = lib.mapAttrs' (
    name: paths: lib.nameValuePair "tmpfiles.d/${name}.conf" { text = file paths; }
  ) config.systemd.tmpfiles.settings;
}
