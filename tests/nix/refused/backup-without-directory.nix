# refused: services.podspawn.backup.enable: say where to, with services.podspawn.backup.directory
{
  services.podspawn.enable = true;
  services.podspawn.backup.enable = true;
}
