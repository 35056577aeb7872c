# refused: unknown key "grace_perod" in backend; did you mean "grace_period"?
{
  services.podspawn.enable = true;
  services.podspawn.projects.backend = {
    repo = "/r";
    settings.grace_perod = "1m";
  };
}
