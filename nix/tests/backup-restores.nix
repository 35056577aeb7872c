# A backup of a running server brings its state back.
{ support, ... }:
{
  nodes.server = support.server {
    services.podspawn.backup = {
      enable = true;
      directory = "/srv/backup/podspawn";
      keep = 2;
    };
  };
  nodes.client = support.client;

  testScript = ''
    ${support.prelude}
    with subtest("the timer is there, and a backup is podspawn-backup's alone"):
        server.wait_for_unit("podspawn-backup.timer")
        client.succeed(ssh("alice", "true"))
        before = containers()
        server.succeed("systemctl start podspawn-backup.service")
        backup = server.succeed("ls -d /srv/backup/podspawn/*").strip()
        assert server.succeed("stat -c '%U %a' /srv/backup/podspawn").strip() == "podspawn-backup 700"
        server.succeed(f"cd {backup} && sha256sum --check --quiet manifest.sha256")

    with subtest("what it saved comes back, and what NixOS declares stays NixOS's"):
        server.succeed("systemctl stop podspawn-broker.socket podspawn-broker.service; rm /var/lib/podspawn/state.db*")
        server.succeed(f"podspawn restore {backup}")
        assert "alice" in server.succeed("podspawn list")
        client.succeed(ssh("alice", "true"))
        assert containers() == before
        server.succeed("test -L /etc/podspawn/config.yaml && test -L /etc/podspawn/keys")

    with subtest("only as many are kept as are wanted"):
        for _ in range(3):
            server.succeed("sleep 1; systemctl start podspawn-backup.service")
        assert server.succeed("ls /srv/backup/podspawn | wc -l").strip() == "2"
  '';
}
