# refused: is not a git repository such as
{
  services.podspawn.enable = true;
  services.podspawn.projects.backend.repo = "ext::sh -c id";
}
