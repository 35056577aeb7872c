# refused: services.podspawn: this is no public key: users.users.alice.openssh.authorizedKeys.keys has "nonsense"
{
  services.podspawn.enable = true;
  services.podspawn.users.alice = { };
  users.users.alice.openssh.authorizedKeys.keys = [ "nonsense" ];
}
