{ config, lib, ... }:
let
  inherit (lib) mkOption types;
in
{
  options.boot.kernel.sysctl = mkOption {
    type = types.submodule {
      freeformType = types.attrsOf (
        types.nullOr (
          types.oneOf [
            types.bool
            types.str
            types.int
          ]
        )
      );
    };
    default = { };
  };

  config = {
    # Of NixOS's own defaults those that podspawn has as well.
    boot.kernel.sysctl."fs.inotify.max_user_instances" = lib.mkDefault 524288;
    boot.kernel.sysctl."kernel.pid_max" = lib.mkDefault 4194304;

    environment.etc."sysctl.d/60-nixos.conf".text = lib.concatStrings (
      lib.mapAttrsToList (
        name: value: lib.optionalString (value != null) "${name}=${toString value}\n"
      ) config.boot.kernel.sysctl
    );
  };
}
