# What cannot work, said before anything is built.
{ config, lib, ... }:
let
  inherit (lib) any concatStringsSep elem;
  cfg = config.services.podspawn;
  sshd = config.services.openssh;
  option = "services.podspawn";
  userNames = lib.attrNames cfg.users;
  projectNames = lib.attrNames cfg.projects;

  inherit (import ./names.nix { inherit lib; }) isOwn isProject isUser;
  isKey =
    text:
    lib.match "(.* )?(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh[.]com) +AAAA[A-Za-z0-9+/]+=*( .*)?" text
    != null;
  # Paths that systemd, sshd and logrotate read as they are written.
  isPlain = path: lib.match "/[A-Za-z0-9/._+@-]*" path != null && !lib.hasPrefix "/nix/store" path;

  inherit (import ./sshd-patterns.nix { inherit lib; }) fits;
  # sshd's lists, of names and of NAME@HOST.
  orNone = list: if list == null then [ ] else list;
  isLet =
    list: name:
    list == null
    || fits [ name ] list
    || any (entry: lib.head (lib.splitString "@" entry) == name) list;

  conflicts = import ./sshd-conflicts.nix { inherit lib; } {
    inherit userNames;
    group = "podspawn";
    text = sshd.extraConfig;
    own = [
      "/etc/ssh/podspawn-auth-keys auth-keys %u %t %k"
      "exec ${lib.getExe cfg.package} spawn"
    ];
  };

  paths = {
    "settings.state.db_path" = cfg.settings.state.db_path;
    "settings.state.homes_dir" = cfg.settings.state.homes_dir;
  }
  // lib.optionalAttrs (cfg.settings.log.file != "") { "settings.log.file" = cfg.settings.log.file; }
  // lib.optionalAttrs (cfg.settings.log.audit_log != "") {
    "settings.log.audit_log" = cfg.settings.log.audit_log;
  }
  // lib.optionalAttrs (cfg.backup.directory != null) { "backup.directory" = cfg.backup.directory; };

  # What the module decides, and the option for it.
  decided = {
    auth = "nothing: keys are in /etc/podspawn/keys";
    projects_file = "${option}.projects";
    backup = "${option}.backup";
  };

  named = names: concatStringsSep ", " names;
  refuse = found: message: {
    assertion = found == [ ];
    message = "${message}${lib.optionalString (found != [ ]) ": ${named found}"}";
  };
in
{
  config = lib.mkIf cfg.enable {
    assertions = [
      {
        assertion = sshd.enable;
        message = "${option}: its users come in through sshd, and services.openssh.enable is false";
      }
      {
        assertion = sshd.settings.UsePAM == true;
        message = ''
          ${option}: services.openssh.settings.UsePAM has to be true. Without PAM, sshd refuses keys for accounts that NixOS
          made without a password, because they look locked to it.'';
      }
      (refuse conflicts ''
        ${option}: another Match block of services.openssh.extraConfig decides for podspawn's users, and sshd takes the
        first one it finds. Take them out of'')
      {
        assertion = isLet sshd.settings.AllowGroups "podspawn";
        message = ''${option}: services.openssh.settings.AllowGroups keeps its users out; add "podspawn"'';
      }
      {
        assertion = !elem "podspawn" (orNone sshd.settings.DenyGroups);
        message = ''${option}: services.openssh.settings.DenyGroups keeps its users out; take out "podspawn"'';
      }
      (refuse (lib.filter (
        name: !isLet sshd.settings.AllowUsers name
      ) userNames) "${option}: services.openssh.settings.AllowUsers keeps out")
      (refuse (lib.filter (
        name: elem name (orNone sshd.settings.DenyUsers)
      ) userNames) "${option}: services.openssh.settings.DenyUsers keeps out")
      {
        assertion = cfg.backup.enable -> cfg.backup.directory != null;
        message = "${option}.backup.enable: say where to, with ${option}.backup.directory";
      }
      {
        assertion =
          cfg.settings.engine.host != "unix:///var/run/docker.sock" || config.virtualisation.docker.enable;
        message = ''
          ${option}: there is no engine. Set virtualisation.docker.enable, or name another engine's socket with
          ${option}.settings.engine.host and its group with ${option}.engineGroup.'';
      }
      {
        assertion = cfg.mutableUsers -> cfg.users == { } && cfg.projects == { };
        message = ''
          ${option}.mutableUsers: users and projects are managed on the host then, and ${option}.users and
          ${option}.projects have to be empty'';
      }
      (refuse (lib.concatMap (
        name:
        map (project: "${option}.users.${name}.projects names ${project}") (
          lib.subtractLists projectNames cfg.users.${name}.projects
        )
      ) userNames) "${option}: a project that is not declared")
      (refuse (lib.concatMap (
        name:
        map (user: "${option}.projects.${name}.users names ${user}") (
          lib.subtractLists (userNames ++ [ "*" ]) cfg.projects.${name}.users
        )
      ) projectNames) "${option}: a user who is not declared")
      (refuse (lib.filter (name: !isUser name) userNames)
        "${option}.users: a name is at most 31 of letters, digits, '.', '_' and '-', beginning with a letter, a digit or '_'"
      )
      (refuse (lib.filter isOwn userNames) "${option}.users: an account that the host needs itself")
      (refuse (lib.filter (name: !isProject name) projectNames)
        "${option}.projects: a name is at most 63 of letters, digits, '.', '_' and '-', beginning with a letter or a digit"
      )
      (refuse (lib.concatMap (
        name:
        map (key: "${option}.users.${name}.keys has ${lib.strings.toJSON key}") (
          lib.filter (key: !isKey key) cfg.users.${name}.keys
        )
      ) userNames) "${option}: this is no public key")
      (refuse (lib.filter (name: !isPlain paths.${name}) (
        lib.attrNames paths
      )) "${option}: a path has characters that systemd would read, or is in the store")
      (refuse (map (name: "${option}.settings.${name} (set ${decided.${name}})") (
        lib.filter (name: cfg.settings ? ${name}) (lib.attrNames decided)
      )) "${option}: the module decides this")
    ];

    warnings = map (name: "${option}.users.${name} has no key, so nobody gets in as ${name}") (
      lib.filter (
        name:
        !any (user: user != [ ]) [
          cfg.users.${name}.keys
          cfg.users.${name}.keyFiles
        ]
      ) userNames
    );
  };
}
