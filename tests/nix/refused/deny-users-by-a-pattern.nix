# refused: services.podspawn: services.openssh.settings.DenyUsers keeps out: alice
{
  services.podspawn.enable = true;
  services.podspawn.users.alice.keyFiles = [ ../cases/alice.pub ];
  services.podspawn.users.bob.keyFiles = [ ../cases/alice.pub ];
  services.openssh.settings.DenyUsers = [
    "bob@10.0.0.0/8"
    "al*"
  ];
}
