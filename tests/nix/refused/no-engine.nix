# refused: there is no engine. Set virtualisation.docker.enable
{
  services.podspawn.enable = true;
  virtualisation.docker.enable = false;
}
