# The engine that serves the host, according to other options.
{ config, lib }:
let
  cfg = config.services.podspawn;
  option = "services.podspawn";
  inherit (config.virtualisation) docker podman;
  podmansOwn = "unix:///run/podman/podman.sock";

  # Docker's own place, which Podman can take.
  isDefault = cfg.settings.engine.host == "unix:///var/run/docker.sock";
  isPodmanDockers = podman.enable && podman.dockerSocket.enable;
in
{
  # Whether the socket is Podman's, with Podman's group.
  isPodman =
    (isDefault && isPodmanDockers) || (podman.enable && cfg.settings.engine.host == podmansOwn);

  # Whether the host would have Docker without further options.
  isDockerWanted =
    isDefault
    && !docker.rootless.enable
    && !(podman.enable && (podman.dockerSocket.enable || podman.dockerCompat));

  # Why no engine serves the default socket; null if one does, or if another socket is set.
  obstacle =
    if !isDefault || docker.enable || isPodmanDockers then
      null
    else if docker.rootless.enable then
      "virtualisation.docker.rootless is an engine for each user, and podspawn needs the host's, which runs as root. Set virtualisation.docker.enable = true to have both"
    else if podman.enable then
      "virtualisation.podman is enabled, and its socket is not where Docker's would be. Set ${option}.settings.engine.host = \"${podmansOwn}\", or virtualisation.podman.dockerSocket.enable"
    else
      "there is no engine. Set virtualisation.docker.enable, or name another engine's socket with ${option}.settings.engine.host and its group with ${option}.engineGroup";
}
