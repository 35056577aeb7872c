# Metrics over HTTP, for a Prometheus, or for node_exporter's textfile collector.
{ config, lib, ... }:
let
  inherit (lib) mkIf mkOption types;
  cfg = config.services.podspawn;
  inherit (cfg) metrics;
  address = lib.concatStrings [
    (
      if lib.hasInfix ":" metrics.listenAddress then
        "[${metrics.listenAddress}]"
      else
        metrics.listenAddress
    )
    ":${toString metrics.port}"
  ];
in
{
  options.services.podspawn.metrics = {
    enable = lib.mkEnableOption ''
      metrics of podspawn over HTTP, on loopback unless another address is set. Where {option}`services.prometheus.enable`
      is set, Prometheus scrapes them and has podspawn's alerts'';

    listenAddress = mkOption {
      type = types.str;
      default = "127.0.0.1";
      example = "10.0.0.1";
      description = ''
        The address to listen on. A client that reaches it can read the number and the state of sessions, and with
        `settings.metrics.per_user` the users' names. A change takes effect after {command}`systemctl restart podspawn-metrics.socket`.
      '';
    };

    port = mkOption {
      type = types.port;
      default = 9746;
      description = "The port to listen on. A change takes effect after {command}`systemctl restart podspawn-metrics.socket`.";
    };

    openFirewall = mkOption {
      type = types.bool;
      default = false;
      description = "Whether to open the port in the firewall.";
    };

    textfileDirectory = mkOption {
      type = types.nullOr types.path;
      default = null;
      example = "/var/lib/prometheus/node-exporter";
      description = ''
        The directory of node_exporter's textfile collector, to which {file}`podspawn.prom` is written every half minute, or
        `null` for none. It must exist.
      '';
    };
  };

  config = lib.mkMerge [
    # The package has these units even if they are not enabled. A switch stops units only if they are gone, or masked as
    # these are.
    (mkIf cfg.enable {
      systemd.sockets.podspawn-metrics.enable = metrics.enable;
      systemd.services.podspawn-metrics.enable = metrics.enable;
      systemd.timers.podspawn-textfile.enable = metrics.enable && metrics.textfileDirectory != null;
    })
    (mkIf (cfg.enable && metrics.enable) {
      systemd.sockets.podspawn-metrics = {
        wantedBy = [ "sockets.target" ];
        socketConfig.ListenStream = [
          ""
          address
          "/run/podspawn/metrics.sock"
        ];
      };
      # Its sockets stay open over a switch.
      systemd.services.podspawn-metrics.stopIfChanged = false;

      systemd.timers.podspawn-textfile = mkIf (metrics.textfileDirectory != null) {
        wantedBy = [ "timers.target" ];
      };
      systemd.services.podspawn-textfile = mkIf (metrics.textfileDirectory != null) {
        restartIfChanged = false;
        unitConfig.ConditionPathIsDirectory = [
          ""
          metrics.textfileDirectory
        ];
        environment.DIRECTORY = metrics.textfileDirectory;
        serviceConfig.ReadWritePaths = [ metrics.textfileDirectory ];
      };

      networking.firewall.allowedTCPPorts = mkIf metrics.openFirewall [ metrics.port ];

      services.prometheus = mkIf config.services.prometheus.enable {
        scrapeConfigs = [
          {
            job_name = "podspawn";
            static_configs = [ { targets = [ address ]; } ];
          }
        ];
        ruleFiles = [ ../../systemd/prometheus/podspawn.rules.yml ];
      };
    })
  ];
}
