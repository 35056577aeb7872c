# refused: services.podspawn.projects: a name is at most 63 of letters
{
  services.podspawn.enable = true;
  services.podspawn.projects."a/b".repo = "/r";
}
