# refused: "extraConfig without podspawn's Include"
{ lib, ... }:
{
  services.podspawn.enable = true;
  services.openssh.extraConfig = lib.mkForce "AcceptEnv LANG";
}
