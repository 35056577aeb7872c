# refused: this stands before podspawn's block. Move it to services.openssh.extraConfig, without lib.mkOrder or with lib.mkAfter: "Match User alice"
{
  services.podspawn.enable = true;
  services.openssh.settings.LogLevel = ''
    INFO
    Match User alice
        ForceCommand /bin/false'';
}
