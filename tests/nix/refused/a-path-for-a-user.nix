# refused: beginning with a letter, a digit or '_': ../alice
{
  services.podspawn.enable = true;
  services.podspawn.users."../alice" = { };
}
