# Without its engine podspawn refuses clearly and breaks nothing, and with it everything goes on.
{ support, ... }:
{
  nodes.server = support.server { };
  nodes.client = support.client;

  testScript = ''
    ${support.prelude}
    server.succeed("systemctl stop docker.socket docker.service")
    code, said = client.execute(ssh("alice", "true") + " 2>&1")
    assert code == 255 and said.count("\n") == 1 and "engine" in said, (code, said)
    server.succeed("systemctl start docker.service")
    client.wait_until_succeeds(ssh("alice", "true"))
    assert len(containers()) == 1
  '';
}
