# refused: services.openssh.settings.DenyGroups keeps its users out; take out "podspawn"
{
  services.podspawn.enable = true;
  services.openssh.settings.DenyGroups = [ "podspawn" ];
}
