# refused: "Match Group podspawn,git" with AuthorizedKeysCommand
{
  services.podspawn.enable = true;
  services.openssh.extraConfig = ''
    Match Group podspawn,git
        AuthorizedKeysCommand /run/wrappers/bin/other %u
  '';
}
