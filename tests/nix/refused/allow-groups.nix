# refused: services.openssh.settings.AllowGroups keeps its users out; add "podspawn"
{
  services.podspawn.enable = true;
  services.openssh.settings.AllowGroups = [ "wheel" ];
}
