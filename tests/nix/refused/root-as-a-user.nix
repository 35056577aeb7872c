# refused: an account that the host needs itself: root
{
  services.podspawn.enable = true;
  services.podspawn.users.root = { };
}
