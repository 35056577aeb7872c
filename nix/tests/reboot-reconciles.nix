# After the power was gone nothing of the old sessions is left, and people get in again.
{ support, ... }:
{
  nodes.server = support.server {
    services.podspawn.users.bob.settings.mode = "named";
  };
  nodes.client = support.client;

  testScript = ''
    ${support.prelude}
    client.succeed(ssh("alice", "true"))
    client.succeed(ssh("bob", "'echo kept >~/file; sync'"))
    before = containers()
    assert len(before) == 2
    server.succeed("sync")

    server.crash()
    server.start()
    server.wait_for_unit("docker.service")
    server.wait_for_unit("sshd.service")
    server.succeed("systemctl start podspawn-cleanup.service")
    client.succeed(ssh("alice", "true"))
    assert client.succeed(ssh("bob", "'cat ~/file'")).strip() == "kept"
    for what in ["ps --all", "network ls"]:
        server.wait_until_succeeds(f"test $(docker {what} --quiet --filter label=managed-by=podspawn | wc -l) = 2")
    assert not set(before) & set(containers()), "a container of before the crash is there"
  '';
}
