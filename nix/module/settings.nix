# services.podspawn.settings: config.yaml as it is, typed where the module itself has to know.
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
          description = "The image of users and projects that name none. It is pulled at the first login.";
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
            What happens to a container after the last disconnect: it waits for `grace_period`, goes at once, lives for `ttl`,
            or stays until it is stopped, with a home that outlives it (`named`, also called `persistent`).
          '';
        };

        state.db_path = mkOption {
          type = types.path;
          default = "/var/lib/podspawn/state.db";
          description = ''
            The broker's database. Elsewhere, its directory has to be there, and to belong to `podspawn`; the broker's unit is
            given leave to write to it.
          '';
        };

        state.homes_dir = mkOption {
          type = types.path;
          default = "/var/lib/podspawn/homes";
          example = "/srv/homes";
          description = ''
            Where the homes of mode `named` are, one directory a user. It is made, with an owner and a mode that keep everybody
            on the host out, and the broker's unit is given leave to write to it. It should have a file system or quotas of
            its own.
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
            The audit log, one JSON object a line, written before the act it tells of. It is rotated every week, and kept for a
            year. While it cannot be written nobody new gets in.
          '';
        };

        engine.host = mkOption {
          type = types.str;
          default = "unix:///var/run/docker.sock";
          example = "unix:///run/podman/podman.sock";
          description = ''
            The engine's socket. With the default one, Docker is enabled unless that is decided elsewhere, or Podman has the
            socket ({option}`virtualisation.podman.dockerSocket.enable`); where rootless Docker or another Podman is enabled,
            nothing is, and the build ends with what to set. With another socket the engine is yours, and
            {option}`services.podspawn.engineGroup` says who may use it.
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
      The server's configuration, {file}`/etc/podspawn/config.yaml`, key by key; whatever is not said is podspawn's default.
      A key that does not exist, or a value that is none, ends the build, with the name that would be right. What the module
      itself decides is not for here: `auth.key_dir`, `projects_file`, `backup`.
    '';
  };
}
