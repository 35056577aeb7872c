# refused: a key for one command would open the whole container: users.users.alice.openssh.authorizedKeys.keys has
{
  services.podspawn.enable = true;
  services.podspawn.users.alice = { };
  users.users.alice.openssh.authorizedKeys.keys = [
    "restrict,command=\"rrsync /srv\" ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIICYEJEsICZWd82SRX/4mYTmC4HpPZeof62zppP7djKX"
  ];
}
