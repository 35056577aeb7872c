{ lib, ... }:
let
  inherit (lib) mkOption types;
in
{
  options.environment = {
    systemPackages = mkOption {
      type = types.listOf types.package;
      default = [ ];
    };
    # A link into the store, or with a mode a copy of it.
    etc = mkOption {
      type = types.attrsOf (
        types.submodule {
          options = {
            source = mkOption {
              type = types.nullOr types.path;
              default = null;
            };
            text = mkOption {
              type = types.nullOr types.lines;
              default = null;
            };
            mode = mkOption {
              type = types.str;
              default = "symlink";
            };
            user = mkOption {
              type = types.str;
              default = "+0";
            };
            group = mkOption {
              type = types.str;
              default = "+0";
            };
          };
        }
      );
      default = { };
    };
  };
}
