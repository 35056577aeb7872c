# A login with a declared key lands in the user's own container; nobody else gets in, nor out of it.
{ support, ... }:
{
  nodes.server = support.server {
    # It decides for everybody, but for whom podspawn's block, which is before it, has decided.
    services.openssh.extraConfig = ''
      Match all
          ForceCommand echo not podspawn
          AllowTcpForwarding yes
    '';
  };
  nodes.client = support.client;

  testScript = ''
    ${support.prelude}
    with subtest("alice is in her container"):
        assert client.succeed(ssh("alice", "cat /proc/1/comm")).strip() == "podspawn"
        assert client.succeed(ssh("alice", "id -un")).strip() == "alice"
        assert len(containers()) == 1

    with subtest("what she sends comes back, and exit codes are hers"):
        assert client.succeed("head -c 1000000 /dev/zero | " + ssh("alice", "'wc -c'").replace("</dev/null", "")).strip() == "1000000"
        assert client.execute(ssh("alice", "'exit 7'"))[0] == 7

    with subtest("bob has one of his own"):
        client.succeed(ssh("bob", "true"))
        assert len(containers()) == 2

    with subtest("who is not declared, or has no key, is not let in"):
        client.fail(ssh("carol", "true"))
        client.fail(ssh("podspawn", "true"))
        client.fail(ssh("alice", "true", "-o PubkeyAuthentication=no"))

    with subtest("/etc/podspawn says what to set"):
        refusal = server.fail("podspawn add-user carol --key '${support.publicKey}' 2>&1")
        assert "services.podspawn.users.carol.keys" in refusal, refusal
  '';
}
