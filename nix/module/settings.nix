# services.podspawn.settings: config.yaml as it is, with types where the module itself uses a value.
{ lib, pkgs, ... }:
let
  inherit (lib) literalExpression mkOption types;
in
{
  options.services.podspawn.settings = mkOption {
    type = types.submodule {
      freeformType = import ./yaml.nix { inherit pkgs; };
      options = {
        defaults.image = mkOption {
          type = types.str;
          default = "ubuntu:24.04";
          example = "debian:12";
          description = "The image of users and projects without one. It is pulled at the first login that needs it.";
        };

        session.mode = mkOption {
          type = types.enum [
            "grace-period"
            "destroy-on-disconnect"
            "ttl"
            "named"
            "persistent"
          ];
          default = "grace-period";
          description = ''
            What happens to a container after the last disconnect: it is kept for `grace_period`, removed at once, kept until it
            is `ttl` old, or kept until it is stopped, with a home that outlives it (`named`, also called `persistent`).
          '';
        };

        state.db_path = mkOption {
          type = types.path;
          default = "/var/lib/podspawn/state.db";
          description = ''
            The broker's database. Another directory must exist and belong to `podspawn`; the module allows the broker's unit to
            write to it.
          '';
        };

        state.homes_dir = mkOption {
          type = types.path;
          default = "/var/lib/podspawn/homes";
          example = "/srv/homes";
          description = ''
            The directory of the homes of mode `named`, one per user. The module creates it, with an owner and a mode that keep
            other accounts of the host out, and allows the broker's unit to write to it. It should have a file system or
            quotas of its own.
          '';
        };

        log.file = mkOption {
          type = types.either (types.enum [ "" ]) types.path;
          default = "";
          example = "/var/log/podspawn/podspawn.log";
          description = "A log file beside the journal. It is rotated every day, and kept for 14 days.";
        };

        log.audit_log = mkOption {
          type = types.either (types.enum [ "" ]) types.path;
          default = "";
          example = "/var/log/podspawn/audit.jsonl";
          description = ''
            The audit log, one JSON object per line, written before the act. It is rotated every week, and kept for a year.
            While it cannot be written, new logins are refused.
          '';
        };

        engine.host = mkOption {
          type = types.str;
          default = "unix:///var/run/docker.sock";
          example = "unix:///run/podman/podman.sock";
          description = ''
            The engine's socket. With the default, the module enables Docker unless another option decides that, or Podman has the
            socket ({option}`virtualisation.podman.dockerSocket.enable`). If rootless Docker or another Podman is enabled, the
            module enables none, and the build ends with the options to set. With another socket, you configure the engine,
            and {option}`services.podspawn.engineGroup` is the group that may use it.
          '';
        };
      };
    };
    default = { };
    example = literalExpression ''
      {
        defaults = { image = "debian:12"; memory = "4g"; };
        session.grace_period = "10m";
        resources.max_per_user = 2;
      }
    '';
    description = ''
      The server's configuration, {file}`/etc/podspawn/config.yaml`, key by key. Other keys have podspawn's defaults. An
      unknown key or an invalid value ends the build with a message that names the correct one. The module itself sets
      `auth.key_dir`, `projects_file` and `backup`.
    '';
  };
}
