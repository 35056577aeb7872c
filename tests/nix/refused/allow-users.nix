# refused: services.podspawn: services.openssh.settings.AllowUsers keeps out: alice
{
  services.podspawn.enable = true;
  services.podspawn.users.alice.keyFiles = [ ../cases/alice.pub ];
  services.openssh.settings.AllowUsers = [
    "root"
    "alicia"
  ];
}
