# Every option.
{ pkgs, ... }:
let
  key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIICYEJEsICZWd82SRX/4mYTmC4HpPZeof62zppP7djKX";
in
{
  virtualisation.docker.enable = false;
  virtualisation.podman.enable = true;
  services.prometheus.enable = true;
  services.openssh.settings.AllowGroups = [
    "wheel"
    "podspawn"
  ];

  services.podspawn = {
    enable = true;
    package = pkgs.callPackage ../../../nix/package.nix { };
    mutableUsers = false;
    checkConfig = true;
    engineGroup = "podman";
    cleanup.interval = "1min";

    settings = {
      defaults = {
        image = "debian:12";
        shell = "/bin/zsh";
        cpus = 1.5;
        memory = "4g";
      };
      session = {
        mode = "named";
        grace_period = "10m";
        max_lifetime = "12h";
        ttl = "1h30m";
        idle_timeout = "2h";
      };
      state = {
        db_path = "/srv/podspawn/state.db";
        homes_dir = "/home/podspawn";
      };
      log = {
        file = "/srv/log/podspawn.log";
        audit_log = "/var/log/podspawn/audit.jsonl";
        audit_required = false;
      };
      resources = {
        max_containers = 10;
        max_per_user = 2;
      };
      network = {
        pool = "10.99.0.0/16";
        prefix = 28;
      };
      security = {
        cap_drop = [ "ALL" ];
        cap_add = [
          "CHOWN"
          "DAC_OVERRIDE"
          "FOWNER"
          "SETUID"
          "SETGID"
        ];
        no_new_privileges = true;
        pids_limit = 512;
        uid_range = "70000-79999";
        readonly_rootfs = false;
        tmpfs."/scratch" = "size=64m,mode=1777";
        runtime = "runsc";
        seccomp_profile = pkgs.writeText "seccomp.json" "{}";
      };
      metrics.per_user = true;
      engine.host = "unix:///run/podman/podman.sock";
    };

    users = {
      alice = {
        keys = [
          "from=\"10.0.0.0/8\" ${key} alice@laptop"
          key
        ];
        keyFiles = [ ./alice.pub ];
        projects = [ "frontend" ];
        settings = {
          image = "debian:12";
          cpus = 2;
          memory = "8g";
          shell = "/bin/bash";
          mode = "ttl";
          env.EDITOR = "vim";
          dotfiles = {
            repo = "https://git.example.org/alice/dotfiles";
            install = "./install";
          };
        };
      };
      bob.keyFiles = [ ./alice.pub ];
    };

    projects = {
      backend = {
        repo = "git@git.example.org:backend";
        branch = "main";
        users = [ "*" ];
        settings = {
          image = "debian:12";
          mode = "grace-period";
          cpus = 1;
          memory = "2g";
          shell = "/bin/bash";
          grace_period = "1m";
          max_lifetime = "8h";
          ttl = "8h";
          idle_timeout = "30m";
        };
      };
      frontend.repo = "/srv/git/frontend.git";
    };

    backup = {
      enable = true;
      directory = "/srv/backup/podspawn";
      keep = 30;
      homes = true;
      startAt = "*-*-* 03:30:00";
    };

    metrics = {
      enable = true;
      listenAddress = "::1";
      port = 9999;
      openFirewall = true;
      textfileDirectory = "/var/lib/node-exporter";
    };
  };
}
