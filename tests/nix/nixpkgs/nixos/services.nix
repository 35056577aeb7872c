{ config, lib, ... }:
let
  inherit (lib) mkOption types;
  inherit (config.virtualisation) docker podman;
  flag =
    default:
    mkOption {
      type = types.bool;
      inherit default;
    };
  number = mkOption {
    type = types.int;
    default = 1024;
  };
in
{
  options = {
    networking.hostName = mkOption {
      type = types.str;
      default = "nixos";
    };
    networking.firewall.allowedTCPPorts = mkOption {
      type = types.listOf types.port;
      default = [ ];
    };
    services.prometheus = {
      enable = flag false;
      scrapeConfigs = mkOption {
        type = types.listOf (
          types.submodule {
            options = {
              job_name = mkOption { type = types.str; };
              static_configs = mkOption {
                type = types.listOf (
                  types.submodule {
                    options.targets = mkOption { type = types.listOf types.str; };
                    options.labels = mkOption {
                      type = types.attrsOf types.str;
                      default = { };
                    };
                  }
                );
                default = [ ];
              };
            };
          }
        );
        default = [ ];
      };
      ruleFiles = mkOption {
        type = types.listOf types.path;
        default = [ ];
      };
    };
    virtualisation = {
      docker.enable = flag false;
      docker.rootless.enable = flag false;
      podman = {
        enable = flag false;
        dockerCompat = flag false;
        dockerSocket.enable = flag false;
      };
      memorySize = number;
      diskSize = number;
    };
  };

  config = {
    users.groups = lib.mkMerge [
      (lib.mkIf docker.enable { docker = { }; })
      (lib.mkIf podman.enable { podman = { }; })
    ];
    assertions = [
      {
        assertion = podman.enable -> podman.dockerCompat -> !docker.enable;
        message = "Option dockerCompat conflicts with docker";
      }
      {
        assertion = podman.enable -> podman.dockerSocket.enable -> !docker.enable;
        message = "The options virtualisation.podman.dockerSocket.enable and virtualisation.docker.enable conflict";
      }
    ];
    environment.etc."prometheus.yml" = lib.mkIf config.services.prometheus.enable {
      text = lib.strings.toJSON {
        scrape_configs = config.services.prometheus.scrapeConfigs;
        rule_files = map (file: "${file}") config.services.prometheus.ruleFiles;
      };
    };
  };
}
