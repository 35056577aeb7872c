# refused: "Match user ali*" with ForceCommand
{
  services.podspawn.enable = true;
  services.podspawn.users.alice.keys = [ ];
  services.openssh.extraConfig = ''
    match user ali*
        ForceCommand /bin/false
  '';
}
