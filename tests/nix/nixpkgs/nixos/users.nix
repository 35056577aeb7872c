{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  flag = mkOption {
    type = types.bool;
    default = false;
  };
  text =
    default:
    mkOption {
      type = types.str;
      inherit default;
    };
  cfg = config.users;
in
{
  options.users = {
    groups = mkOption {
      type = types.attrsOf (types.submodule { options = { }; });
      default = { };
    };
    users = mkOption {
      type = types.attrsOf (
        types.submodule {
          options = {
            uid = mkOption {
              type = types.nullOr types.int;
              default = null;
            };
            isNormalUser = flag;
            isSystemUser = flag;
            createHome = flag;
            description = text "";
            group = text "";
            home = text "/var/empty";
            shell = mkOption {
              type = types.either types.package types.path;
              default = "/run/current-system/sw/bin/nologin";
            };
            hashedPassword = mkOption {
              type = types.nullOr types.str;
              default = null;
            };
            extraGroups = mkOption {
              type = types.listOf types.str;
              default = [ ];
            };
            openssh.authorizedKeys.keys = mkOption {
              type = types.listOf types.str;
              default = [ ];
            };
          };
        }
      );
      default = { };
    };
  };

  # As on every host.
  config.users = {
    users.root = {
      uid = 0;
      group = "root";
      home = "/root";
    };
    groups.root = { };
  };

  config.assertions = lib.concatMap (
    name:
    let
      user = cfg.users.${name};
    in
    if lib.stringLength name > 31 then
      # No assertion: it ends there, before anybody else says anything.
      abort "Username '${name}' is longer than 31 characters which is not allowed!"
    else
      [
        {
          assertion = lib.match "[a-zA-Z0-9_.][a-zA-Z0-9_.-]*" name != null;
          message = "users.users.${name}: no name for an account";
        }
        {
          assertion = user.isNormalUser != (user.isSystemUser || user.uid != null);
          message = "users.users.${name}: exactly one of isNormalUser and isSystemUser";
        }
        {
          assertion = lib.all (text: lib.match ".*[:\n].*" text == null) [
            user.description
            user.home
            (if user.hashedPassword == null then "" else user.hashedPassword)
          ];
          message = "users.users.${name}: /etc/passwd has no place for a colon";
        }
        {
          assertion = cfg.groups ? ${user.group};
          message = "users.users.${name}: group ${user.group} is not declared";
        }
      ]
  ) (lib.attrNames cfg.users);
}
