# refused: Set services.podspawn.settings.engine.host = "unix:///run/podman/podman.sock", or virtualisation.podman.dockerSocket.enable
{
  services.podspawn.enable = true;
  virtualisation.podman = {
    enable = true;
    dockerCompat = true;
  };
}
