# refused: the module decides this: services.podspawn.settings.auth (set nothing: keys are in /etc/podspawn/keys), services.podspawn.settings.backup (set services.podspawn.backup)
{
  services.podspawn.enable = true;
  services.podspawn.settings = {
    auth.key_dir = "/srv/keys";
    backup.keep = 3;
  };
}
