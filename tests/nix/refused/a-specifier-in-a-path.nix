# refused: a path has characters that systemd would read, or is in the store: backup.directory
{
  services.podspawn.enable = true;
  services.podspawn.backup.directory = "/srv/%h/x";
}
