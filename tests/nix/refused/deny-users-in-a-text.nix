# refused: services.podspawn: services.openssh.settings.DenyUsers keeps out: alice
{
  services.podspawn.enable = true;
  services.podspawn.users.alice.keyFiles = [ ../cases/alice.pub ];
  services.openssh.extraConfig = ''
    denyusers="a?ice@*"
  '';
}
