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
  # Keys whose values may be a list; of any other it is an error.
  lists = [
    "AllowGroups"
    "AllowUsers"
    "DenyGroups"
    "DenyUsers"
  ];
  setting =
    name: value:
    if !lib.isList value then
      "${name} ${yesNo value}"
    else if lib.elem name lists then
      "${name} ${lib.concatStringsSep " " value}"
    else
      throw "services.openssh.settings.${name}: no list";
in
{
  options.programs.ssh.setXAuthLocation = mkOption {
    type = types.bool;
    default = false;
  };
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
          AllowGroups = nullable (types.listOf types.str) null;
          AllowUsers = nullable (types.listOf types.str) null;
          AuthorizedPrincipalsFile = nullable types.str "none";
          DenyGroups = nullable (types.listOf types.str) null;
          DenyUsers = nullable (types.listOf types.str) null;
          GatewayPorts = nullable types.str "no";
          KbdInteractiveAuthentication = nullable types.bool true;
          LogLevel = nullable types.str "INFO";
          PasswordAuthentication = nullable types.bool true;
          PermitRootLogin = nullable types.str "prohibit-password";
          PrintMotd = nullable types.bool false;
          StrictModes = nullable types.bool true;
          UseDns = nullable types.bool false;
          UsePAM = nullable types.bool true;
          X11Forwarding = nullable types.bool false;
        };
      };
      default = { };
    };
  };

  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = cfg.settings.X11Forwarding == true -> config.programs.ssh.setXAuthLocation;
        message = "cannot enable X11 forwarding without setting xauth location";
      }
    ];

    users.users.sshd = {
      isSystemUser = true;
      group = "sshd";
    };
    users.groups.sshd = { };

    networking.firewall.allowedTCPPorts = lib.mkIf cfg.openFirewall cfg.ports;

    services.openssh.extraConfig = lib.mkOrder 0 (
      lib.concatStringsSep "\n" (
        [ "Banner none" ]
        ++ map (port: "Port ${toString port}") cfg.ports
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

    # The settings first: sshd takes the first value that it finds. A shell writes the rest, and would take a $ for its own.
    environment.etc."ssh/sshd_config".source =
      let
        settings = lib.concatLists (
          lib.mapAttrsToList (name: value: lib.optional (value != null) (setting name value)) cfg.settings
        );
      in
      pkgs.runCommand "sshd.conf-final" { } ''
        cat ${pkgs.writeText "sshd.conf-settings" (lib.concatLines settings)} - >$out <<EOL
        ${cfg.extraConfig}
        EOL
      '';
  };
}
