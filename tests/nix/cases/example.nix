# The example of docs/nixos.md: a whole server.
{
  services.podspawn = {
    enable = true;
    settings.defaults.image = "debian:12";
    users.alice = {
      keys = [
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIICYEJEsICZWd82SRX/4mYTmC4HpPZeof62zppP7djKX alice@laptop"
      ];
      settings.memory = "4g";
    };
    projects.backend = {
      repo = "https://git.example.org/backend";
      users = [ "alice" ];
    };
    backup = {
      enable = true;
      directory = "/srv/backup/podspawn";
      keep = 14;
    };
    metrics.enable = true;
  };
}
