# refused: services.podspawn.users: a name is at most 31 of letters
{
  services.podspawn.enable = true;
  services.podspawn.users."abcdefghijklmnopqrstuvwxyz012345" = { };
}
