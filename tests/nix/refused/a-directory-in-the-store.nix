# refused: a path has characters that systemd would read, or is in the store: settings.state.homes_dir
{
  services.podspawn.enable = true;
  services.podspawn.settings.state.homes_dir = "/nix/store/x";
}
