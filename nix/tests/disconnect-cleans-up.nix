# A session whose client is gone ends as its mode says, and leaves nothing.
{ support, ... }:
{
  nodes.server = support.server {
    services.podspawn.settings.session.mode = "destroy-on-disconnect";
  };
  nodes.client = support.client;

  testScript = ''
    ${support.prelude}
    client.succeed(ssh("alice", "'sleep 1000'") + " >/dev/null 2>&1 & echo $! >/root/pid")
    server.wait_until_succeeds("podspawn list --json | jq -e '.[0].connections == 1'")
    client.succeed("kill -KILL $(cat /root/pid)")
    server.wait_until_succeeds("test -z \"$(docker ps --all --quiet --filter label=managed-by=podspawn)\"")
    server.wait_until_succeeds("test -z \"$(docker network ls --quiet --filter label=managed-by=podspawn)\"")
    server.wait_until_succeeds("podspawn list --json | jq -e 'length == 0'")
  '';
}
