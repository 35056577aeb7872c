# refused: group docker is root in all but name, and has as members: alice, bob
{
  services.podspawn.enable = true;
  services.podspawn.users.alice.keyFiles = [ ../cases/alice.pub ];
  services.podspawn.users.bob.keyFiles = [ ../cases/alice.pub ];
  users.users.alice.extraGroups = [ "docker" ];
  users.groups.docker.members = [ "bob" ];
}
