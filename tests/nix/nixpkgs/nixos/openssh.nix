{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.services.openssh;
  yesNo = value: if lib.isBool value then (if value then "yes" else "no") else toString value;
  nullable =
    type: default:
    mkOption {
      type = types.nullOr type;
      inherit default;
    };
in
{
  options.services.openssh = {
    enable = mkOption {
      type = types.bool;
      default = false;
    };
    openFirewall = mkOption {
      type = types.bool;
      default = true;
    };
    ports = mkOption {
      type = types.listOf types.port;
      default = [ 22 ];
    };
    authorizedKeysCommand = mkOption {
      type = types.str;
      default = "none";
    };
    authorizedKeysCommandUser = mkOption {
      type = types.str;
      default = "nobody";
    };
    extraConfig = mkOption {
      type = types.lines;
      default = "";
    };
    settings = mkOption {
      type = types.submodule {
        freeformType = types.attrsOf (
          types.nullOr (
            types.oneOf [
              types.bool
              types.int
              types.str
            ]
          )
        );
        options = {
          UsePAM = nullable types.bool true;
          PasswordAuthentication = nullable types.bool true;
          AllowGroups = nullable (types.listOf types.str) null;
          AllowUsers = nullable (types.listOf types.str) null;
        };
      };
      default = { };
    };
  };

  config = lib.mkIf cfg.enable {
    networking.firewall.allowedTCPPorts = lib.mkIf cfg.openFirewall cfg.ports;

    services.openssh.extraConfig = lib.mkOrder 0 (
      lib.concatStringsSep "\n" (
        map (port: "Port ${toString port}") cfg.ports
        ++ [
          "Subsystem sftp ${pkgs.openssh}/libexec/sftp-server"
          "AuthorizedKeysFile %h/.ssh/authorized_keys /etc/ssh/authorized_keys.d/%u"
        ]
        ++ lib.optionals (cfg.authorizedKeysCommand != "none") [
          "AuthorizedKeysCommand ${cfg.authorizedKeysCommand}"
          "AuthorizedKeysCommandUser ${cfg.authorizedKeysCommandUser}"
        ]
        ++ map (kind: "HostKey /etc/ssh/ssh_host_${kind}_key") [
          "rsa"
          "ed25519"
        ]
      )
    );

    # The settings first: sshd takes the first value that it finds.
    environment.etc."ssh/sshd_config".text = lib.concatLines (
      lib.concatLists (
        lib.mapAttrsToList (
          name: value:
          lib.optional (value != null)
            "${name} ${if lib.isList value then lib.concatStringsSep " " value else yesNo value}"
        ) cfg.settings
      )
      ++ [ cfg.extraConfig ]
    );
  };
}
