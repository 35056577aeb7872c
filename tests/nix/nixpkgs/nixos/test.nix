# runNixOSTest without a machine: the nodes are evaluated and the script is judged, and nothing is run.
{ lib, pkgs }:
test:
let
  inherit (lib) mkOption types;
  evaluated =
    (lib.evalModules {
      modules = [
        {
          options = {
            name = mkOption { type = types.str; };
            nodes = mkOption { type = types.attrsOf types.anything; };
            testScript = mkOption { type = types.anything; };
          };
        }
        test
      ];
    }).config;
  # What the framework decides for every machine, and less than a plain definition decides otherwise.
  instrumentation.services.logrotate.enable = lib.mkOverride 150 false;
  nodes = lib.mapAttrs (
    _: node:
    import ./. { inherit lib; } {
      inherit pkgs;
      modules = [
        instrumentation
        node
      ];
    }
  ) evaluated.nodes;
  script =
    if lib.isFunction evaluated.testScript then
      evaluated.testScript { nodes = lib.mapAttrs (_: node: node.config) nodes; }
    else
      evaluated.testScript;
  rotates = lib.any (node: node.config.services.logrotate.enable) (lib.attrValues nodes);
in
if lib.hasInfix "logrotate.service" script && !rotates then
  throw "vm-test ${evaluated.name}: no machine has logrotate.service, which the framework turns off"
else
  pkgs.runCommand "vm-test-${evaluated.name}-not-run"
    {
      text = script;
      systems = toString (lib.mapAttrsToList (_: node: node.config.system.build.toplevel) nodes);
      machines = toString (lib.attrNames nodes);
    }
    ''
      python3 ${./test_script.py} $machines <"$textPath"
      echo "evaluated: $systems" >$out
    ''
