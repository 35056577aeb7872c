# refused: The option `services.podspawn.users.alice.key' does not exist
{
  services.podspawn.enable = true;
  services.podspawn.users.alice.key = "ssh-ed25519 AAAA";
}
