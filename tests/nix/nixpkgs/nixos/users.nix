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
  maybe = mkOption {
    type = types.nullOr types.str;
    default = null;
  };
  texts = mkOption {
    type = types.listOf types.str;
    default = [ ];
  };
  cfg = config.users;
in
{
  options.systemd.sysusers.enable = flag;
  options.users = {
    mutableUsers = mkOption {
      type = types.bool;
      default = true;
    };
    groups = mkOption {
      type = types.attrsOf (
        types.submodule (
          { name, ... }: {
            options.members = mkOption {
              type = types.listOf types.str;
              default = [ ];
            };
            config.members = lib.attrNames (
              lib.filterAttrs (_: user: user.enable && lib.elem name user.extraGroups) cfg.users
            );
          }
        )
      );
      default = { };
    };
    users = mkOption {
      type = types.attrsOf (
        types.submodule (
          { config, ... }: {
            options = {
              enable = mkOption {
                type = types.bool;
                default = true;
              };
              uid = mkOption {
                type = types.nullOr types.int;
                default = null;
              };
              isNormalUser = flag;
              isSystemUser = flag;
              autoSubUidGidRange = flag;
              createHome = flag;
              linger = mkOption {
                type = types.nullOr types.bool;
                default = null;
              };
              description = text "";
              group = text "";
              home = text "/var/empty";
              shell = mkOption {
                type = types.either types.package types.path;
                default = "/run/current-system/sw/bin/nologin";
              };
              password = maybe;
              initialPassword = maybe;
              hashedPassword = maybe;
              hashedPasswordFile = maybe;
              initialHashedPassword = maybe;
              extraGroups = texts;
              openssh.authorizedKeys = {
                keys = texts;
                keyFiles = mkOption {
                  type = types.listOf types.path;
                  default = [ ];
                };
              };
            };
            config = lib.mkMerge [
              (lib.mkIf config.isNormalUser { autoSubUidGidRange = lib.mkDefault true; })
              (lib.mkIf (!cfg.mutableUsers && config.initialHashedPassword != null) {
                hashedPassword = lib.mkDefault config.initialHashedPassword;
              })
            ];
          }
        )
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
            (toString user.hashedPassword)
            (toString user.initialHashedPassword)
          ];
          message = "users.users.${name}: /etc/passwd has no place for a colon";
        }
        {
          assertion = cfg.groups ? ${user.group};
          message = "users.users.${name}: group ${user.group} is not declared";
        }
        {
          assertion = config.systemd.sysusers.enable -> user.enable -> !user.isNormalUser;
          message = "${name} is a normal user. systemd-sysusers doesn't create normal users, only system users.";
        }
        {
          assertion =
            config.systemd.sysusers.enable
            -> user.hashedPassword == user.initialHashedPassword || user.hashedPassword == null;
          message = "user '${name}' uses password or hashedPassword. systemd-sysupdate only supports initial passwords.";
        }
      ]
  ) (lib.attrNames cfg.users);
}
