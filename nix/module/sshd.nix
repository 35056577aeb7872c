# sshd's block for group podspawn, from the same file as every other packaging.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  cfg = config.services.podspawn;
  podspawn = lib.getExe cfg.package;
  # One file, whose name is for directories that sshd reads in order.
  dropIns = ../../systemd/sshd_config.d;
  # Paths that stay: sshd is restarted at a switch that changes what it reads, and an upgrade of podspawn is none.
  keyCommand = "ssh/podspawn-auth-keys";
  sessionCommand = "podspawn/bin/podspawn";
in
{
  options.services.podspawn.sshdBlock = mkOption {
    type = types.package;
    internal = true;
    readOnly = true;
    description = "The file with sshd's block for group podspawn.";
  };

  config = {
    services.podspawn.sshdBlock = pkgs.writeText "sshd-podspawn.conf" (
      lib.replaceStrings
        [ "@bin@ auth-keys" "@bin@ spawn" ]
        [ "/etc/${keyCommand} auth-keys" "/etc/${sessionCommand} spawn" ]
        (lib.readFile (dropIns + "/${lib.head (lib.attrNames (builtins.readDir dropIns))}"))
    );

    services.openssh = lib.mkIf cfg.enable {
      # Its port is opened by services.openssh.openFirewall, which is NixOS's to decide; podspawn opens none.
      enable = lib.mkDefault true;
      # Before every Match block of others, since sshd takes the first value that it finds. In a file of its own, whose end
      # ends the block: later options apply to all users again. In the store, so that NixOS's own check reads it.
      extraConfig = lib.mkOrder 1 "Include ${cfg.sshdBlock}";
    };

    environment.etc = lib.mkIf cfg.enable {
      # sshd runs no program below a directory that a group may write to, and the store is one: a file in /etc, copied and no
      # link, which runs the one in the store.
      ${keyCommand} = {
        mode = "0755";
        text = ''
          #!/bin/sh
          exec ${podspawn} "$@"
        '';
      };
      # The account's shell runs this one, and takes a link.
      ${sessionCommand}.source = podspawn;
    };
  };
}
