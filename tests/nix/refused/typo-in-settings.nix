# refused: unknown key "memroy" in defaults; did you mean "memory"?
{
  services.podspawn.enable = true;
  services.podspawn.settings.defaults.memroy = "2g";
}
