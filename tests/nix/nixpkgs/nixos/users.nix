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

  config.assertions = lib.concatMap (
    name:
    let
      user = cfg.users.${name};
    in
    [
      {
        assertion = user.isNormalUser != user.isSystemUser;
        message = "users.users.${name}: exactly one of isNormalUser and isSystemUser";
      }
      {
        assertion = cfg.groups ? ${user.group};
        message = "users.users.${name}: group ${user.group} is not declared";
      }
    ]
  ) (lib.attrNames cfg.users);
}
