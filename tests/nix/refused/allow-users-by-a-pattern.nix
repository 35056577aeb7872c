# refused: services.podspawn: services.openssh.settings.AllowUsers keeps out: alice
{
  services.podspawn.enable = true;
  services.podspawn.users.alice.keyFiles = [ ../cases/alice.pub ];
  services.podspawn.users.bob.keyFiles = [ ../cases/alice.pub ];
  services.openssh.settings.AllowUsers = [
    "admin*"
    "b?b@10.*"
  ];
}
