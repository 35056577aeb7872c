# Declared and not enabled.
{
  services.openssh.enable = true;
  services.podspawn = {
    enable = false;
    users.alice.keys = [ "nonsense" ];
    projects.backend.repo = "/r";
    backup.enable = true;
    settings.log.file = "/var/log/podspawn/podspawn.log";
  };
}
