# The bench host: users and projects are the tests' to make, everything else is declared.
{ lib, ... }:
{
  # X11Forwarding wants it.
  programs.ssh.setXAuthLocation = true;
  services.openssh = {
    settings = {
      # The default (10:30:100) drops some of 20 logins that arrive at once.
      MaxStartups = "200:30:400";
      MaxSessions = 50;
      KbdInteractiveAuthentication = false;
      X11Forwarding = true;
      PrintMotd = false;
    };
    extraConfig = lib.mkMerge [
      "AcceptEnv LANG LC_*"
      # What podspawn is compared with. NixOS has a shell write the file.
      (lib.mkOrder 1200 ''
        Match User relay
            ForceCommand docker exec -i relay-target sh -c "\$SSH_ORIGINAL_COMMAND"
      '')
    ];
  };

  services.podspawn = {
    enable = true;
    mutableUsers = true;
    settings = {
      # The bench's engine has no registry to pull from.
      defaults.image = "podspawn-workload:latest";
      resources.max_containers = 200;
      log = {
        file = "/var/log/podspawn/podspawn.log";
        audit_log = "/var/log/podspawn/audit.jsonl";
      };
    };
    backup = {
      enable = true;
      directory = "/var/backups/podspawn";
    };
    metrics.enable = true;
  };
}
