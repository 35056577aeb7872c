# refused: services.podspawn.mutableUsers: users and projects are managed on the host then
{
  services.podspawn = {
    enable = true;
    mutableUsers = true;
    users.alice = { };
  };
}
