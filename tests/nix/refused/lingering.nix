# refused: with users.users.<name>.linger, systemd runs a service manager on the host for: alice
{
  services.podspawn.enable = true;
  services.podspawn.users.alice.keyFiles = [ ../cases/alice.pub ];
  users.users.alice.linger = true;
}
