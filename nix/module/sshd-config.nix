# What sshd reads of services.openssh, line by line: settings first, then extraConfig. Files behind an Include are not read.
{ lib }:
let
  # sshd takes `Keyword value`, `Keyword=value` and quotes, with keywords in any case.
  words =
    line:
    lib.filter (word: word != "") (
      lib.splitString " " (lib.replaceStrings [ "\t" "\r" "=" "\"" ] [ " " " " " " "" ] line)
    );
  parse =
    line:
    let
      found = words line;
    in
    {
      inherit line;
      keyword = if found == [ ] then "" else lib.toLower (lib.head found);
      arguments = if found == [ ] then [ ] else lib.tail found;
    };
  isSaid = line: line.keyword != "" && !lib.hasPrefix "#" line.keyword;

  text =
    value:
    if lib.isBool value then
      (if value then "yes" else "no")
    else
      lib.concatMapStringsSep " " toString (lib.toList value);

  # The lines up to the first that `ends`.
  until =
    ends: lines:
    if lines == [ ] || ends (lib.head lines) then
      [ ]
    else
      [ (lib.head lines) ] ++ until ends (lib.tail lines);
in
sshd:
let
  settings = lib.filterAttrs (_: value: value != null) sshd.settings;
  lines = lib.filter isSaid (
    map parse (
      lib.splitString "\n" (
        lib.concatLines (lib.mapAttrsToList (name: value: "${name} ${text value}") settings)
        + sshd.extraConfig
      )
    )
  );
  isMatch = line: line.keyword == "match";
  global = until isMatch lines;
in
{
  # Lines that can give a value to a connection before `Include FILE` does: sshd takes the first one.
  before =
    file:
    let
      isOurs = line: line.keyword == "include" && line.arguments == [ file ];
    in
    if lib.any isOurs lines then
      # A shell writes the file, and joins what ends in a backslash with the line behind it.
      lib.filter (
        line:
        lib.elem line.keyword [
          "include"
          "match"
        ]
        || lib.hasSuffix "\\" line.line
      ) (until isOurs lines)
    else
      [ { line = "extraConfig without podspawn's Include"; } ];

  # The arguments of a keyword outside of every Match block; of one that repeats, all of them.
  global =
    keyword: lib.concatMap (line: line.arguments) (lib.filter (line: line.keyword == keyword) global);
}
