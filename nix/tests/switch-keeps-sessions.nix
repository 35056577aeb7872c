# A switch to another generation ends nobody's session and refuses nobody.
{ pkgs, support, ... }:
{
  nodes.server = support.server {
    specialisation.next.configuration.services.podspawn = {
      settings.session.max_lifetime = "1h";
      # Another path for the binary, as an upgrade would have it.
      package = pkgs.lib.mkForce (
        (pkgs.callPackage ../package.nix { }).overrideAttrs {
          pname = "podspawn-next";
          doCheck = false;
        }
      );
      users.carol.keys = [ support.publicKey ];
    };
  };
  nodes.client = support.client;

  testScript = ''
    ${support.prelude}
    client.succeed(ssh("alice", "'i=0; while sleep 0.1; do i=$((i + 1)); echo $i; done'") + " >/root/out 2>/root/err & echo $! >/root/pid")
    client.wait_until_succeeds("test -s /root/out")


    def shown(property, unit):
        return server.succeed(f"systemctl show --value --property {property} {unit}").strip()


    broker = shown("MainPID", "podspawn-broker.service")
    opened = shown("ActiveEnterTimestampMonotonic", "podspawn-broker.socket")

    sshd = shown("MainPID", "sshd.service")

    # Somebody tries all the time, and once: sshd's configuration stays, and so does sshd.
    trying = ssh("bob", "true") + " || true; touch /root/tried"
    client.succeed(f"touch /root/trying; (while test -e /root/trying; do {trying}; done; touch /root/tired) >/root/told 2>&1 &")
    client.wait_until_succeeds("test -e /root/tried")
    before = containers()
    assert len(before) == 2, before

    server.succeed("/run/current-system/specialisation/next/bin/switch-to-configuration test >&2")

    with subtest("podspawn refused nobody meanwhile"):
        client.succeed("rm /root/trying")
        client.wait_until_succeeds("test -e /root/tired")
        told = client.succeed("cat /root/told")
        assert "podspawn:" not in told, told

    with subtest("the broker is another, and the socket was open all the time"):
        assert shown("MainPID", "podspawn-broker.service") not in (broker, "0")
        assert shown("ActiveState", "podspawn-broker.socket") == "active"
        assert shown("ActiveEnterTimestampMonotonic", "podspawn-broker.socket") == opened

    with subtest("sshd was not restarted"):
        assert shown("MainPID", "sshd.service") == sshd

    with subtest("alice is still connected, to the same container"):
        lines = int(client.succeed("wc -l </root/out"))
        client.wait_until_succeeds(f"test $(wc -l </root/out) -gt {lines}")
        client.succeed("kill -0 $(cat /root/pid) && ! test -s /root/err")
        assert containers() == before
        server.wait_until_succeeds("podspawn list --json | jq -e '.[] | select(.user == \"alice\") | .connections == 1'")

    with subtest("what the new generation says holds"):
        client.succeed(ssh("carol", "true"))
        server.succeed("grep -q max_lifetime /etc/podspawn/config.yaml")
  '';
}
