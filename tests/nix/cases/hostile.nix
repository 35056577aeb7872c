# Texts that mean something to one of the many who read what is made of them, and that have to stay texts.
{ lib, ... }:
{
  # X11Forwarding wants it.
  programs.ssh.setXAuthLocation = true;

  # A host with a hook and blocks of its own, before podspawn's and behind it.
  services.openssh = {
    enable = true;
    authorizedKeysCommand = "/run/wrappers/bin/other %u";
    authorizedKeysCommandUser = "nobody";
    settings = {
      X11Forwarding = true;
      # For all users: podspawn's block decides otherwise for its users.
      AuthenticationMethods = "publickey,keyboard-interactive";
      ChrootDirectory = "/srv/chroot";
    };
    extraConfig = lib.mkMerge [
      (lib.mkBefore ''
        match address=10.0.0.0/8
            ForceCommand=/run/wrappers/bin/other
            DisableForwarding no
            PermitOpen any
        Match LocalPort 2222
            AuthorizedKeysFile .ssh/authorized_keys
            PasswordAuthentication yes
        Match User=root
            ForceCommand "/run/wrappers/bin/other"
            PermitTTY no
        Match all
            AllowTcpForwarding yes
            PermitTunnel yes
            X11Forwarding yes
            GatewayPorts yes
            AcceptEnv LD_*
      '')
      ''
        Match User git
            AuthorizedKeysCommand /run/wrappers/bin/git-keys %u
            ForceCommand /run/wrappers/bin/git-shell
      ''
      (lib.mkOrder 2000 "Match all\n    PermitUserEnvironment no")
    ];
  };

  # Of two Dockers, podspawn's is the host's.
  virtualisation.docker = {
    enable = true;
    rootless.enable = true;
  };

  # Rotation is another module's, and there is no unit to add to.
  services.logrotate.enable = false;

  services.podspawn = {
    enable = true;
    settings.log.file = "/var/log/podspawn/podspawn.log";
    users = {
      "a.b-c_d" = {
        keys = [
          "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIICYEJEsICZWd82SRX/4mYTmC4HpPZeof62zppP7djKX $(touch /tmp/owned) '\"; `id` \${HOME} %u"
        ];
        settings.env = {
          A = "$(touch /tmp/owned) '\" `id` \${HOME} %n \\";
          B = "yes: [no, {";
          C = "1.10";
          D = "";
          E = "ä ☃";
        };
      };
      "0day".keys = [
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIICYEJEsICZWd82SRX/4mYTmC4HpPZeof62zppP7djKX"
      ];
    };
    projects."x.y-z".repo = "https://git.example.org/%n/x";
    projects."x.y-z".users = [ "0day" ];
    backup = {
      enable = true;
      directory = "/srv/a+b@c_d/pod-spawn.d";
    };
  };
}
