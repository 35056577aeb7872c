# runNixOSTest without a machine: the nodes are evaluated and the script is compiled, and nothing is run.
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
  nodes = lib.mapAttrs (
    _: node:
    import ./. { inherit lib; } {
      inherit pkgs;
      modules = [ node ];
    }
  ) evaluated.nodes;
  script =
    if lib.isFunction evaluated.testScript then
      evaluated.testScript { nodes = lib.mapAttrs (_: node: node.config) nodes; }
    else
      evaluated.testScript;
in
pkgs.runCommand "vm-test-${evaluated.name}-not-run"
  {
    text = script;
    systems = toString (lib.mapAttrsToList (_: node: node.config.system.build.toplevel) nodes);
  }
  ''
    # The machines, and what the driver puts beside them, are names that have to be known.
    python3 -c 'compile(open("/dev/stdin").read(), "testScript", "exec")' <"$textPath"
    echo "evaluated: $systems" >$out
  ''
