# refused: services.podspawn.engineGroup: the group docker is not declared
{
  services.podspawn.enable = true;
  services.podspawn.settings.engine.host = "unix:///run/engine.sock";
}
