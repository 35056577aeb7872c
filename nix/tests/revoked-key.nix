# A key that is declared no more lets nobody in.
{ support, ... }:
{
  nodes.server = support.server {
    specialisation.revoked.configuration.services.podspawn.users.alice.keys = [
      "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIICYEJEsICZWd82SRX/4mYTmC4HpPZeof62zppP7djKX another"
    ];
  };
  nodes.client = support.client;

  testScript = ''
    ${support.prelude}
    client.succeed(ssh("alice", "true"))
    server.succeed("/run/current-system/specialisation/revoked/bin/switch-to-configuration test >&2")
    assert "Permission denied" in client.fail(ssh("alice", "true") + " 2>&1")
    client.succeed(ssh("bob", "true"))
  '';
}
