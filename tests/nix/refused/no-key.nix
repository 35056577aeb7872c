# refused: services.podspawn.users.alice.keys has "ssh-ed25519 AAAAx\nssh-rsa AAAA"
{
  services.podspawn.enable = true;
  services.podspawn.users.alice.keys = [ "ssh-ed25519 AAAAx\nssh-rsa AAAA" ];
}
