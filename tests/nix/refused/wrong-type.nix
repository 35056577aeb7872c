# refused: A definition for option `services.podspawn.backup.keep' is not of type `integer between 1 and 3660
{
  services.podspawn.enable = true;
  services.podspawn.backup = {
    enable = true;
    directory = "/srv/backup";
    keep = 0;
  };
}
