# refused: Move it to services.openssh.extraConfig, without lib.mkOrder or with lib.mkAfter: "match=address 10.0.0.0/8"
{ lib, ... }:
{
  services.podspawn.enable = true;
  services.openssh.extraConfig = lib.mkOrder 0 ''
    match=address 10.0.0.0/8
        ForceCommand=/bin/false
  '';
}
