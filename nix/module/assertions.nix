# Configurations that cannot work, refused before the build.
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
  isCommand = key: lib.match "([^ ]*,)?command=.*" (lib.toLower key) != null;
  # Paths that systemd, sshd and logrotate read as they are written.
  isPlain = path: lib.match "/[A-Za-z0-9/._+@-]*" path != null && !lib.hasPrefix "/nix/store" path;

  inherit (import ./sshd-patterns.nix { inherit lib; }) fits isEverywhere userOf;
  said = import ./sshd-config.nix { inherit lib; } sshd;
  # sshd reads these lists outside of blocks, too: a global list applies to podspawn's users.
  isLeft = list: isLet: said.global list == [ ] || isLet (said.global list);
  denied = said.global "denyusers";

  accounts = config.users.users;
  # `group` itself or one of its declared members.
  isIn =
    group: name:
    accounts.${name}.group == group
    || elem group accounts.${name}.extraGroups
    || elem name config.users.groups.${group}.members;
  # Of declared users; the others are refused for their names.
  declared = lib.filter (name: isUser name && !isOwn name) userNames;
  hasPassword =
    name:
    let
      account = accounts.${name};
      isHash = field: field != null && field != "*" && !lib.hasPrefix "!" field;
    in
    any (text: text != null) [
      account.password
      account.initialPassword
      account.hashedPasswordFile
    ]
    || isHash account.hashedPassword
    || isHash account.initialHashedPassword;

  inherit (import ./engine.nix { inherit config lib; }) obstacle;

  paths = {
    "settings.state.db_path" = cfg.settings.state.db_path;
    "settings.state.homes_dir" = cfg.settings.state.homes_dir;
  }
  // lib.optionalAttrs (cfg.settings.log.file != "") { "settings.log.file" = cfg.settings.log.file; }
  // lib.optionalAttrs (cfg.settings.log.audit_log != "") {
    "settings.log.audit_log" = cfg.settings.log.audit_log;
  }
  // lib.optionalAttrs (cfg.backup.directory != null) { "backup.directory" = cfg.backup.directory; };

  # Settings that the module decides, and the option for each.
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
      (refuse (map (line: lib.strings.toJSON line.line) (said.before "${cfg.sshdBlock}")) ''
        ${option}: sshd takes the first value it finds, and this stands before podspawn's block. Move it to
        services.openssh.extraConfig, without lib.mkOrder or with lib.mkAfter'')
      {
        assertion = isLeft "allowgroups" (list: fits list "podspawn");
        message = ''${option}: services.openssh.settings.AllowGroups keeps its users out; add "podspawn"'';
      }
      {
        assertion = !fits (said.global "denygroups") "podspawn";
        message = ''${option}: services.openssh.settings.DenyGroups keeps its users out; take out "podspawn"'';
      }
      (refuse (lib.filter (
        name: !isLeft "allowusers" (list: fits (map userOf list) name)
      ) userNames) "${option}: services.openssh.settings.AllowUsers keeps out")
      (refuse (lib.filter (
        name: fits (map userOf (lib.filter isEverywhere denied)) name
      ) userNames) "${option}: services.openssh.settings.DenyUsers keeps out")
      {
        assertion = cfg.backup.enable -> cfg.backup.directory != null;
        message = "${option}.backup.enable: say where to, with ${option}.backup.directory";
      }
      {
        assertion = obstacle == null;
        message = "${option}: ${toString obstacle}";
      }
      {
        assertion = config.users.groups ? ${cfg.engineGroup};
        message = ''
          ${option}.engineGroup: the group ${cfg.engineGroup} is not declared, and the broker cannot start without it. It is the
          group of the socket ${option}.settings.engine.host'';
      }
      (refuse (lib.filter (
        name: config.users.groups ? ${cfg.engineGroup} && isIn cfg.engineGroup name
      ) declared) "${option}.users: group ${cfg.engineGroup} is root in all but name, and has as members")
      (refuse (lib.filter hasPassword declared) "${option}.users: a password would open the account without a container. Take it out of users.users.<name> of")
      (refuse (lib.filter (name: accounts.${name}.linger or null == true)
        declared
      ) "${option}.users: with users.users.<name>.linger, systemd runs a service manager on the host for")
      (refuse
        (lib.filter (
          name: !isOwn name && !elem name userNames && accounts.${name}.enable && isIn "podspawn" name
        ) (lib.attrNames accounts))
        (
          "users.users: an account in group podspawn has no shell and no keys of its own any more. "
          + (
            if cfg.mutableUsers then
              "Take it out of the group, or make it on the host with `podspawn add-user`"
            else
              "Declare it in ${option}.users, or take it out of the group"
          )
        )
      )
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
        ++ map (key: "users.users.${name}.openssh.authorizedKeys.keys has ${lib.strings.toJSON key}") (
          lib.filter (key: !isKey key) accounts.${name}.openssh.authorizedKeys.keys
        )
      ) declared) "${option}: this is no public key")
      (refuse (lib.concatMap (
        name:
        map (key: "users.users.${name}.openssh.authorizedKeys.keys has ${lib.strings.toJSON key}") (
          lib.filter isCommand accounts.${name}.openssh.authorizedKeys.keys
        )
      ) declared) "${option}: a key for one command would open the whole container")
      (refuse (lib.filter (name: !isPlain paths.${name}) (
        lib.attrNames paths
      )) "${option}: a path has characters that systemd would read, or is in the store")
      (refuse (map (name: "${option}.settings.${name} (set ${decided.${name}})") (
        lib.filter (name: cfg.settings ? ${name}) (lib.attrNames decided)
      )) "${option}: the module decides this")
    ];

    warnings = map (name: "${option}.users.${name} has no key, so ${name} cannot log in") (
      lib.filter (
        name:
        !any (user: user != [ ]) [
          cfg.users.${name}.keys
          cfg.users.${name}.keyFiles
          accounts.${name}.openssh.authorizedKeys.keys
          accounts.${name}.openssh.authorizedKeys.keyFiles
        ]
      ) declared
    );
  };
}
