# refused: unknown key "dotflies"; did you mean "dotfiles"?
{
  services.podspawn.enable = true;
  services.podspawn.users.alice.settings.dotflies.repo = "/r";
}
