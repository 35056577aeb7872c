{ config, lib, ... }:
let
  inherit (lib) mkOption types;
in
{
  options = {
    specialisationOf = mkOption {
      type = types.anything;
      internal = true;
    };
    specialisation = mkOption {
      type = types.attrsOf (
        types.submodule { options.configuration = mkOption { type = types.anything; }; }
      );
      default = { };
    };
    system.build.specialisations = mkOption {
      type = types.listOf types.package;
      default = lib.mapAttrsToList (
        _: special:
        (config.specialisationOf [
          special.configuration
          { specialisation = lib.mkForce { }; }
        ]).config.system.build.toplevel
      ) config.specialisation;
    };
  };
}
