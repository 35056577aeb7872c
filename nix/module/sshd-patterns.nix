# sshd's patterns for names (ssh_config(5), PATTERNS): `*` and `?`, and nothing else.
{ lib }:
let
  matches =
    pattern: name:
    lib.match (lib.replaceStrings [ "\\*" "\\?" ] [ ".*" "." ] (lib.escapeRegex pattern)) name != null;
in
{
  # Whether one of the patterns is for `name`.
  fits = patterns: name: lib.any (pattern: matches pattern name) patterns;

  # Entries of AllowUsers and DenyUsers are USER or USER@HOST.
  userOf = entry: lib.head (lib.splitString "@" entry);
  isEverywhere = entry: lib.length (lib.splitString "@" entry) == 1 || lib.hasSuffix "@*" entry;
}
