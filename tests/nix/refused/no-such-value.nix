# refused: "2 gigs"
{
  services.podspawn.enable = true;
  services.podspawn.settings.defaults.memory = "2 gigs";
}
