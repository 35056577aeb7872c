# refused: or make it on the host with `podspawn add-user`: bob
{
  services.podspawn.enable = true;
  services.podspawn.mutableUsers = true;
  users.users.bob = {
    isNormalUser = true;
    group = "podspawn";
  };
}
