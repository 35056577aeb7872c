# refused: Set virtualisation.docker.enable = true to have both
{
  services.podspawn.enable = true;
  virtualisation.docker.rootless.enable = true;
}
