# services.podspawn.users and .projects: who gets in, and where to.
{ lib, pkgs, ... }:
let
  inherit (lib) literalExpression mkOption types;
  yaml = import ./yaml.nix { inherit pkgs; };
in
{
  options.services.podspawn = {
    users = mkOption {
      type = types.attrsOf (
        types.submodule {
          options = {
            keys = mkOption {
              type = types.listOf types.str;
              default = [ ];
              example = [ "ssh-ed25519 AAAA... alice@laptop" ];
              description = ''
                Public keys that let the user in, one a text, as they stand in a {file}`.pub` file. Those of
                {option}`users.users.<name>.openssh.authorizedKeys` are added. Of a key's options `from=`, `expiry-time=` and
                `no-*` are kept; what would loosen is not. A key that is taken out lets nobody new in after the switch; who is
                in stays.
              '';
            };

            keyFiles = mkOption {
              type = types.listOf types.path;
              default = [ ];
              example = literalExpression "[ ./keys/alice.pub ]";
              description = "Files of public keys, read when the configuration is evaluated.";
            };

            projects = mkOption {
              type = types.listOf types.str;
              default = [ ];
              example = [ "backend" ];
              description = "Projects that the user may enter, beside those whose own `users` name it.";
            };

            settings = mkOption {
              type = yaml;
              default = { };
              example = {
                image = "debian:12";
                memory = "4g";
                env.EDITOR = "vim";
              };
              description = ''
                What the user has otherwise than the rest, {file}`/etc/podspawn/users/<name>.yaml`: `image`, `cpus`, `memory`,
                `shell`, `mode`, `env`, `dotfiles`. It is in the store, which everybody on the host reads, and
                {command}`docker inspect` shows it: no place for a secret.
              '';
            };
          };
        }
      );
      default = { };
      example = literalExpression ''
        {
          alice = { keyFiles = [ ./keys/alice.pub ]; settings.memory = "4g"; };
          bob.keys = [ "ssh-ed25519 AAAA... bob@desk" ];
        }
      '';
      description = ''
        Who may log in, by name. Each is an account in group `podspawn` with the shell {file}`/bin/sh`, the home
        {file}`/var/empty`, a password that nothing fits, no subordinate uids, and no other way into this host than its
        container. {option}`users.users.<name>` may add to it, but no password, no lingering and not the group of the engine.
        With {option}`systemd.sysusers.enable`, which makes system accounts only, it is one, and there are fewer than 1000
        uids for all of them.
      '';
    };

    projects = mkOption {
      type = types.attrsOf (
        types.submodule {
          options = {
            repo = mkOption {
              type = types.str;
              example = "https://git.example.org/backend";
              description = ''
                The project's git repository, a URL or git's `user@host:path`. Nothing is cloned or built from it in this version: a
                session has the image of `settings.image`, or the server's.
              '';
            };

            branch = mkOption {
              type = types.nullOr types.str;
              default = null;
              example = "main";
              description = "The branch, or `null` for the repository's own default.";
            };

            users = mkOption {
              type = types.listOf types.str;
              default = [ ];
              example = [ "alice" ];
              description = ''
                Who may enter it: names of {option}`services.podspawn.users`, or `"*"` for every podspawn user. An empty list is
                nobody but those who name the project in their own `projects`.
              '';
            };

            settings = mkOption {
              type = yaml;
              default = { };
              example = {
                image = "debian:12";
                memory = "4g";
                idle_timeout = "30m";
              };
              description = ''
                What holds in this project, before the user's and the server's settings: `image`, `mode`, `cpus`, `memory`, `shell`,
                `grace_period`, `max_lifetime`, `ttl`, `idle_timeout`.
              '';
            };
          };
        }
      );
      default = { };
      example = literalExpression ''{ backend = { repo = "https://git.example.org/backend"; users = [ "alice" ]; }; }'';
      description = ''
        Projects, each with a container of its own for every user. {command}`ssh -o SetEnv=PODSPAWN_PROJECT=backend alice@host`
        enters one.
      '';
    };
  };
}
