# podspawn's own accounts, one a role, and the people's.
{ config, lib, ... }:
let
  cfg = config.services.podspawn;
  inherit (import ./names.nix { inherit lib; }) isOwn isUser;
  # The others are refused by assertions.nix: a definition here would have NixOS stop first, and say something else.
  people = lib.filterAttrs (name: _: isUser name && !isOwn name) cfg.users;
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
      # Its members see and stop everybody's sessions, and read the logs.
      podspawn-admin = { };
      # Its members read what is measured.
      podspawn-metrics = { };
      podspawn-keys = { };
      podspawn-backup = { };
    };

    users.users = {
      podspawn = role "podspawn" "podspawn broker" // {
        home = "/var/lib/podspawn";
      };
      # Runs `podspawn auth-keys` for sshd, and reads nothing but keys.
      podspawn-keys = role "podspawn-keys" "podspawn key lookup";
      podspawn-backup = role "podspawn-backup" "podspawn backup";
    }
    // lib.mapAttrs (_: _: {
      # systemd-sysusers makes no others.
      isNormalUser = !isSysusers;
      isSystemUser = isSysusers;
      # Of 65,536 subordinate uids each, which nothing here uses, a host has few.
      autoSubUidGidRange = false;
      description = lib.mkDefault "podspawn user";
      group = "podspawn";
      home = "/var/empty";
      createHome = false;
      # It runs sshd's forced command, and never gets a command of the user's.
      shell = "/bin/sh";
      # No password fits, and sshd does not take the account for locked. The initial one, since systemd-sysusers knows no
      # other; without users.mutableUsers it is the one for good.
      initialHashedPassword = lib.mkDefault "*";
    }) people;
  };
}
