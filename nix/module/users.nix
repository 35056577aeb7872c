# services.podspawn.users and .projects: users, their keys, and projects.
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
                The user's public keys, each as in a {file}`.pub` file. Those of
                {option}`users.users.<name>.openssh.authorizedKeys` are added. Of a key's options `from=`, `expiry-time=` and
                `no-*` are kept; options that would grant more are not. A removed key admits no new login after the switch; existing
                connections stay.
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
                The user's settings, {file}`/etc/podspawn/users/<name>.yaml`: `image`, `cpus`, `memory`,
                `shell`, `mode`, `env`, `dotfiles`. The file is in the store, which all accounts of the host can read, and
                {command}`docker inspect` shows it: it must not contain a secret.
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
        The users, by name. Each is an account in group `podspawn` with the shell {file}`/bin/sh`, the home
        {file}`/var/empty`, a password field that no password matches, no subordinate uids, and no access to this host except its
        container. {option}`users.users.<name>` may add to it, but no password, no lingering and not the group of the engine.
        With {option}`systemd.sysusers.enable`, the account is a system account, and all users share fewer than 1000 uids.
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
                The project's git repository, a URL or git's `user@host:path`. This version neither clones nor builds it: a
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
                The users who may enter it: names of {option}`services.podspawn.users`, or `"*"` for every podspawn user. With an empty
                list, only users who name the project in their own `projects` may enter it.
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
                Settings of this project, which override the user's and the server's: `image`, `mode`, `cpus`, `memory`, `shell`,
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
