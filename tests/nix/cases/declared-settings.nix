# The same with other settings, and nothing else.
{ lib, ... }:
{
  imports = [ ./declared.nix ];

  services.podspawn.settings.session.idle_timeout = "2h";
  services.podspawn.users.alice.settings.env.DECLARED = lib.mkForce "anew";
}
