# refused: A definition for option `services.podspawn.settings.session.mode' is not of type `one of "grace-period"
{
  services.podspawn.enable = true;
  services.podspawn.settings.session.mode = "gracious";
}
