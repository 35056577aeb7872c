# refused: services.podspawn.users.alice.projects names backened
{
  services.podspawn = {
    enable = true;
    users.alice.projects = [ "backened" ];
    projects.backend.repo = "/r";
  };
}
