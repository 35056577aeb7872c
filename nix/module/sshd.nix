# sshd's block for group podspawn, from the same file as every other packaging.
{ config, lib, ... }:
let
  cfg = config.services.podspawn;
  podspawn = lib.getExe cfg.package;
  keyCommand = "ssh/podspawn-auth-keys";
  block =
    lib.replaceStrings
      [ "@bin@ auth-keys" "@bin@ spawn" ]
      [ "/etc/${keyCommand} auth-keys" "${podspawn} spawn" ]
      (lib.readFile ../../systemd/sshd_config.d/50-podspawn.conf);
in
{
  config = lib.mkIf cfg.enable {
    services.openssh = {
      # Its port is opened by services.openssh.openFirewall, which is NixOS's to decide; podspawn opens none.
      enable = lib.mkDefault true;
      # Last: what is behind a Match block belongs to it. And closed, for whatever comes later all the same.
      extraConfig = lib.mkAfter ''
        ${block}Match all
      '';
    };

    # sshd runs no program below a directory that a group may write to, and the store is one: a file in /etc, copied and no
    # link, which runs the one in the store.
    environment.etc.${keyCommand} = {
      mode = "0755";
      text = ''
        #!/bin/sh
        exec ${podspawn} "$@"
      '';
    };
  };
}
