# The kernel's limits that the host and all containers share, as the packages of other distributions set them.
{ config, lib, ... }:
let
  lines = lib.filter (line: line != "" && !lib.hasPrefix "#" line) (
    lib.splitString "\n" (lib.readFile ../../systemd/sysctl.d/50-podspawn.conf)
  );
  setting =
    line:
    let
      words = lib.splitString " = " line;
    in
    # Weaker than what NixOS itself sets with mkDefault: of two such values, it would refuse both.
    lib.nameValuePair (lib.elemAt words 0) (
      lib.mkOverride 1250 (builtins.fromJSON (lib.elemAt words 1))
    );
in
{
  config.boot.kernel.sysctl = lib.mkIf config.services.podspawn.enable (
    lib.listToAttrs (map setting lines)
  );
}
