# refused: Declare it in services.podspawn.users, or take it out of the group: bob, carol
{
  services.podspawn.enable = true;
  users.users.bob = {
    isNormalUser = true;
    group = "podspawn";
    openssh.authorizedKeys.keys = [ "ssh-ed25519 AAAA" ];
  };
  users.users.carol = {
    isSystemUser = true;
    group = "root";
    extraGroups = [ "podspawn" ];
  };
}
