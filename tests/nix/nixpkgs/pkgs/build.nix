# Derivations that this machine's shell builds, without the network.
{ lib, system }:
let
  functions = ./functions.sh;
in
rec {
  # Every attribute that is text or a list gets into the environment, as in nixpkgs; `text` and `script` as files.
  mkDerivation =
    {
      name,
      script,
      env ? { },
      meta ? { },
      passthru ? { },
    }:
    derivation (
      env
      // {
        inherit name system script;
        builder = "/bin/bash";
        args = [
          "-euo"
          "pipefail"
          "-c"
          ''. "$functions"; . "$scriptPath"''
        ];
        inherit functions;
        PATH = "/usr/bin:/bin:/usr/sbin:/sbin";
        passAsFile = [ "script" ] ++ lib.optional (env ? text) "text";
      }
    )
    // passthru
    // {
      inherit meta passthru;
    };

  runCommand =
    name: attributes: script:
    mkDerivation {
      inherit name script;
      env = removeAttrs attributes [
        "meta"
        "passthru"
        "preferLocalBuild"
      ];
      meta = attributes.meta or { };
    };

  writeText = name: text: runCommand name { inherit text; } ''cp "$textPath" "$out"'';
}
