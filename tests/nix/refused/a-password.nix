# refused: Take it out of users.users.<name> of: alice
{
  services.podspawn.enable = true;
  services.podspawn.users.alice.keyFiles = [ ../cases/alice.pub ];
  users.users.alice.hashedPasswordFile = "/run/secrets/alice";
}
