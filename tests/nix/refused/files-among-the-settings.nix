# refused: this stands before podspawn's block. Move it to services.openssh.extraConfig, without lib.mkOrder or with lib.mkAfter: "Include /etc/ssh/sshd_config.d/*.conf"
{
  services.podspawn.enable = true;
  services.openssh.settings.Include = "/etc/ssh/sshd_config.d/*.conf";
}
