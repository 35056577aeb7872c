# NixOS's own logrotate, with all that its unit is denied, rotates the logs, and no line is lost.
{ support, ... }:
{
  nodes.server = support.server {
    # On every other NixOS it is as soon as there is something to rotate; the testing framework turns it off.
    services.logrotate.enable = true;
    services.podspawn.settings.log = {
      file = "/var/log/podspawn/podspawn.log";
      audit_log = "/var/log/podspawn/audit.jsonl";
    };
  };
  nodes.client = support.client;

  testScript = ''
    ${support.prelude}
    logs = "/var/log/podspawn"
    client.succeed(ssh("alice", "true"))
    # As if it had been a year ago.
    server.succeed(
        "printf 'logrotate state -- version 2\n\"%s\" 2020-1-1-0:0:0\n\"%s\" 2020-1-1-0:0:0\n' "
        f"{logs}/podspawn.log {logs}/audit.jsonl >/var/lib/logrotate.status"
    )
    server.succeed("systemctl start logrotate.service")
    server.succeed(f"test -s {logs}/audit.jsonl.1 && test -s {logs}/podspawn.log.1")
    client.succeed(ssh("alice", "true"))
    server.wait_until_succeeds(f"grep -q '\"connect\"' {logs}/audit.jsonl")
    assert server.succeed(f"stat -c '%U:%G %a' {logs}/audit.jsonl").strip() == "podspawn:podspawn-admin 640"
    numbers = [int(line) for line in server.succeed(f"cat {logs}/audit.jsonl.1 {logs}/audit.jsonl | jq .seq").split()]
    assert numbers == list(range(numbers[0], numbers[0] + len(numbers))), numbers
  '';
}
