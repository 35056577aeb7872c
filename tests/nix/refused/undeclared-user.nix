# refused: services.podspawn.projects.backend.users names alicia
{
  services.podspawn = {
    enable = true;
    users.alice = { };
    projects.backend.repo = "/r";
    projects.backend.users = [ "alicia" ];
  };
}
