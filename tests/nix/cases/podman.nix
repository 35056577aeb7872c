# Podman in Docker's place, systemd-sysusers in the place of NixOS's script, keys where NixOS has them for any account.
{ lib, ... }:
{
  virtualisation.podman = {
    enable = true;
    dockerCompat = true;
    dockerSocket.enable = true;
  };
  systemd.sysusers.enable = true;
  users.mutableUsers = false;
  users.users.alice.openssh.authorizedKeys = {
    keys = [
      "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIICYEJEsICZWd82SRX/4mYTmC4HpPZeof62zppP7djKX alice@account"
    ];
    keyFiles = [ ./alice.pub ];
  };

  services.podspawn = {
    enable = true;
    users.alice = { };
    backup = {
      enable = true;
      directory = "/srv/backup/podspawn";
    };
    metrics.enable = true;
  };

  # What keeps others out, and no user of podspawn's.
  services.openssh.settings = {
    # For all users: podspawn's block decides otherwise for its users.
    PubkeyAuthentication = false;
    AllowGroups = [
      "wheel"
      "pod*"
    ];
    DenyUsers = [
      "alic"
      "alice@10.0.0.0/8"
      "?alice*"
    ];
  };
  services.openssh.extraConfig = lib.mkAfter "AllowUsers admin al*@192.0.2.*";
}
