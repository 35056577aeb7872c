# What the tests share: a server with alice and bob, a client with their key, an image that needs no registry.
{ pkgs }:
let
  inherit (pkgs) lib;
  publicKey = lib.fileContents ./known-to-everybody.pub;

  image = pkgs.dockerTools.buildImage {
    name = "workload";
    tag = "latest";
    copyToRoot = pkgs.buildEnv {
      name = "workload-root";
      paths = [
        pkgs.bashInteractive
        pkgs.coreutils
      ];
      pathsToLink = [ "/bin" ];
    };
    extraCommands = "mkdir -m 1777 tmp";
  };
in
{
  inherit publicKey;

  # A node: podspawn's server with more to it.
  server = more: {
    imports = [
      ../../module
      more
    ];
    virtualisation.memorySize = 2048;
    virtualisation.diskSize = 4096;
    environment.systemPackages = [ pkgs.jq ];
    services.podspawn = {
      enable = true;
      settings.defaults.image = "workload:latest";
      settings.session.grace_period = lib.mkDefault "1h";
      users.alice.keys = lib.mkDefault [ publicKey ];
      users.bob.keys = [ publicKey ];
    };
  };

  client = { };

  # Python that every script begins with.
  prelude = ''
    start_all()
    server.wait_for_unit("sshd.service")
    server.wait_for_unit("podspawn-broker.socket")
    server.wait_for_unit("docker.service")
    server.succeed("docker load --input ${image}")
    client.wait_for_unit("multi-user.target")
    client.succeed("install -m 0600 ${./known-to-everybody} /root/key")


    def ssh(user, command="", options=""):
        return (
            "ssh -i /root/key -o BatchMode=yes -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "
            f"-o LogLevel=ERROR {options} {user}@server {command} </dev/null"
        )


    def containers():
        return server.succeed("docker ps --all --quiet --no-trunc --filter label=managed-by=podspawn").split()
  '';
}
