# /etc/podspawn: rendered, checked by podspawn itself when it is built, and linked.
{
  config,
  lib,
  pkgs,
  ...
}:
let
  inherit (lib)
    concatLines
    concatMap
    escapeShellArg
    mkIf
    mkOption
    types
    ;
  cfg = config.services.podspawn;
  yaml = pkgs.formats.yaml { };

  settings =
    cfg.settings
    // lib.optionalAttrs (cfg.backup.directory != null) {
      backup = {
        dir = cfg.backup.directory;
        inherit (cfg.backup) keep;
      };
    };

  project =
    name: declared:
    declared.settings
    // {
      inherit (declared) repo;
      users = lib.unique (
        declared.users ++ lib.attrNames (lib.filterAttrs (_: user: lib.elem name user.projects) cfg.users)
      );
    }
    // lib.optionalAttrs (declared.branch != null) { inherit (declared) branch; };

  # Those of the account, too: sshd itself would read them for any other.
  keys =
    name:
    concatLines (
      concatMap (one: one.keys ++ map lib.fileContents one.keyFiles) [
        cfg.users.${name}
        config.users.users.${name}.openssh.authorizedKeys
      ]
    );

  declarations = [
    "cp ${yaml.generate "projects.yaml" (lib.mapAttrs project cfg.projects)} $out/projects.yaml"
    "mkdir $out/keys $out/users"
  ]
  ++ concatMap (
    name:
    let
      user = cfg.users.${name};
      file = escapeShellArg name;
    in
    [ "cp ${pkgs.writeText "podspawn-keys" (keys name)} $out/keys/${file}" ]
    ++ lib.optional (
      user.settings != { }
    ) "cp ${yaml.generate "podspawn-user.yaml" user.settings} $out/users/${file}.yaml"
  ) (lib.attrNames cfg.users);

  tree = pkgs.runCommand "podspawn-etc" { preferLocalBuild = true; } ''
    mkdir $out
    cp ${yaml.generate "config.yaml" settings} $out/config.yaml
    ${concatLines (lib.optionals (!cfg.mutableUsers) declarations)}
    ${lib.optionalString cfg.checkConfig "${lib.getExe cfg.package} check-config $out"}
  '';

  # A line of systemd/tmpfiles.d as systemd.tmpfiles.settings has it.
  rule =
    line:
    let
      words = lib.filter (word: word != "") (lib.splitString " " line);
      word = lib.elemAt words;
    in
    lib.nameValuePair (word 1) {
      ${word 0} = {
        mode = word 2;
        user = word 3;
        group = word 4;
      };
    };
  rules = lib.listToAttrs (
    map rule (
      lib.filter (line: line != "" && !lib.hasPrefix "#" line) (
        lib.splitString "\n" (lib.readFile ../../systemd/tmpfiles.d/podspawn.conf)
      )
    )
  );
  # NixOS makes the first of its own, unchangeable; the backup's is where the backup is; links are no directories.
  elsewhere = [
    "/var/empty"
    "/var/backups/podspawn"
  ]
  ++ lib.optionals (!cfg.mutableUsers) [
    "/etc/podspawn/keys"
    "/etc/podspawn/users"
  ];
in
{
  options.services.podspawn.etc = mkOption {
    type = types.package;
    internal = true;
    readOnly = true;
    description = "What is below {file}`/etc/podspawn`.";
  };

  config = {
    services.podspawn.etc = tree;

    environment.etc = mkIf cfg.enable (
      lib.listToAttrs (
        map (name: lib.nameValuePair "podspawn/${name}" { source = "${tree}/${name}"; }) (
          [ "config.yaml" ]
          ++ lib.optionals (!cfg.mutableUsers) [
            "projects.yaml"
            # Whole directories: a user who is not declared cannot be added beside the others.
            "keys"
            "users"
          ]
        )
      )
    );

    systemd.tmpfiles.settings."10-podspawn" = mkIf cfg.enable (
      removeAttrs rules elsewhere
      // {
        ${cfg.settings.state.homes_dir}.d = {
          mode = "0700";
          user = "podspawn";
          group = "podspawn";
        };
      }
    );
  };
}
