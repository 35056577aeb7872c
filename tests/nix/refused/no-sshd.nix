# refused: its users come in through sshd, and services.openssh.enable is false
{ lib, ... }:
{
  services.podspawn.enable = true;
  services.openssh.enable = lib.mkForce false;
}
