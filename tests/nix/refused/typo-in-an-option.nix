# refused: The option `services.podspawn.backup.directroy' does not exist
{
  services.podspawn.enable = true;
  services.podspawn.backup.directroy = "/srv";
}
