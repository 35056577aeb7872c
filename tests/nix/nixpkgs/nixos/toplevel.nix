{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib) mkOption types;
  failed = lib.filter (one: !one.assertion) config.assertions;

  entry =
    path: one:
    let
      source = if one.text != null then pkgs.writeText "etc" one.text else one.source;
    in
    if (one.text == null) == (one.source == null) then
      throw "environment.etc.\"${path}\": exactly one of text and source"
    else
      ''
        mkdir -p "$(dirname "$out/etc/${path}")"
        ln -s ${source} "$out/etc/${path}"
        ${lib.optionalString (one.mode != "symlink") ''echo ${one.mode} >"$out/etc/${path}.mode"''}
      '';
in
{
  options.system.build.toplevel = mkOption { type = types.package; };

  config.system.build.toplevel =
    if failed != [ ] then
      throw "\nFailed assertions:\n${lib.concatMapStringsSep "\n" (one: "- ${one.message}") failed}"
    else
      lib.foldl' (value: warning: builtins.trace "warning: ${warning}" value) (pkgs.runCommand
        "nixos-system"
        {
          accounts = lib.strings.toJSON { inherit (config.users) users groups; };
          firewall = lib.strings.toJSON config.networking.firewall.allowedTCPPorts;
          specialisations = toString config.system.build.specialisations;
        }
        ''
          mkdir -p $out/etc $out/sw/bin
          ${lib.concatStrings (lib.mapAttrsToList entry config.environment.etc)}
          for package in ${toString config.environment.systemPackages}; do
            for program in "$package"/bin/*; do ln -s "$program" $out/sw/bin/; done
          done
          printf '%s\n' "$accounts" >$out/accounts.json
          printf '%s\n' "$firewall" >$out/firewall.json
        ''
      ) config.warnings;
}
