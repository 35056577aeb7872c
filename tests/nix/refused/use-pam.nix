# refused: services.openssh.settings.UsePAM has to be true
{
  services.podspawn.enable = true;
  services.openssh.settings.UsePAM = false;
}
