# podspawn's own accounts, one per role, and the users'.
{ config, lib, ... }:
let
  cfg = config.services.podspawn;
  inherit (import ./names.nix { inherit lib; }) isOwn isUser;
  # assertions.nix refuses the others: a definition here would make NixOS stop first, with another message.
  accounts = lib.filterAttrs (name: _: isUser name && !isOwn name) cfg.users;
  isSysusers = config.systemd.sysusers.enable;
  role = name: description: {
    isSystemUser = true;
    group = name;
    inherit description;
  };
in
{
  config = lib.mkIf cfg.enable {
    users.groups = {
      # Its members get containers; sshd's block keys on it. The broker's own group is the same.
      podspawn = { };
      # Its members see and stop all users' sessions, and read the logs.
      podspawn-admin = { };
      # Its members read the metrics.
      podspawn-metrics = { };
      podspawn-keys = { };
      podspawn-backup = { };
    };

    users.users = {
      podspawn = role "podspawn" "podspawn broker" // {
        home = "/var/lib/podspawn";
      };
      # Runs `podspawn auth-keys` for sshd, and only reads keys.
      podspawn-keys = role "podspawn-keys" "podspawn key lookup";
      podspawn-backup = role "podspawn-backup" "podspawn backup";
    }
    // lib.mapAttrs (_: _: {
      # systemd-sysusers makes no others.
      isNormalUser = !isSysusers;
      isSystemUser = isSysusers;
      # A host has few ranges of 65,536 subordinate uids, and podspawn uses none.
      autoSubUidGidRange = false;
      description = lib.mkDefault "podspawn user";
      group = "podspawn";
      home = "/var/empty";
      createHome = false;
      # It runs sshd's forced command only, never a command of the user.
      shell = "/bin/sh";
      # No password fits, and sshd does not take the account for locked. The initial one, since systemd-sysusers knows no
      # other; without users.mutableUsers it is the one for good.
      initialHashedPassword = lib.mkDefault "*";
    }) accounts;
  };
}
