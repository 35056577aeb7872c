# Who somebody is, the kernel says: no name in an argument, and no account of the host's, opens another's container.
{ support, ... }:
{
  nodes.server = support.server {
    users.users.mallory = {
      isNormalUser = true;
      createHome = true;
      home = "/home/mallory";
      group = "mallory";
    };
    users.groups.mallory = { };
  };
  nodes.client = support.client;

  testScript = ''
    ${support.prelude}
    client.succeed(ssh("alice", "touch /tmp/hers"))

    with subtest("another user's name is refused"):
        refusal = server.fail("runuser -u bob -- podspawn spawn --user alice </dev/null 2>&1")
        assert "podspawn: you are bob" in refusal, refusal

    with subtest("an account of the host's does not reach the broker, nor the engine"):
        server.fail("runuser -u mallory -- podspawn spawn </dev/null")
        server.fail("runuser -u mallory -- podspawn list")
        server.fail("runuser -u mallory -- docker ps")
        server.fail("runuser -u bob -- docker ps")

    with subtest("bob does not see what alice has"):
        client.succeed(ssh("bob", "'! test -e /tmp/hers'"))
        listed = server.succeed("runuser -u bob -- podspawn list")
        assert "alice" not in listed, listed
  '';
}
