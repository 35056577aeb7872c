# Which Match blocks in a text for sshd_config say what podspawn's own block has to say, for accounts of podspawn's.
#
# A global AuthorizedKeysCommand is none of them: a Match block goes before what is global.
{ lib }:
{
  text,
  group,
  userNames,
  # Values of podspawn's own block.
  own,
}:
let
  words =
    line:
    lib.filter (word: word != "") (lib.splitString " " (lib.replaceStrings [ "\t" ] [ " " ] line));
  keywordOf = words: lib.toLower (lib.head words);

  inherit (import ./sshd-patterns.nix { inherit lib; }) fits;
  names = list: lib.splitString "," (lib.replaceStrings [ "\"" ] [ "" ] list);
  concerns =
    criteria:
    let
      pairs = lib.genList (place: {
        kind = lib.toLower (lib.elemAt criteria place);
        list = names (if place + 1 < lib.length criteria then lib.elemAt criteria (place + 1) else "");
      }) (lib.length criteria);
    in
    lib.any (
      pair:
      pair.kind == "all"
      || (pair.kind == "group" && fits [ group ] pair.list)
      || (pair.kind == "user" && fits userNames pair.list)
    ) pairs;

  decisive = [
    "authorizedkeyscommand"
    "authorizedkeysfile"
    "forcecommand"
  ];

  step =
    state: line:
    let
      found = words line;
      value = lib.concatStringsSep " " (lib.tail found);
      keyword = keywordOf found;
      isOwn = lib.elem value own || (keyword == "authorizedkeysfile" && value == "none");
    in
    if found == [ ] || lib.hasPrefix "#" (lib.head found) then
      state
    else if keyword == "match" then
      state // { criteria = lib.tail found; }
    else if
      state.criteria != null && lib.elem keyword decisive && !isOwn && concerns state.criteria
    then
      state
      // {
        conflicts = state.conflicts ++ [
          "\"Match ${lib.concatStringsSep " " state.criteria}\" with ${lib.head found}"
        ];
      }
    else
      state;
in
(lib.foldl' step {
  criteria = null;
  conflicts = [ ];
} (lib.splitString "\n" text)).conflicts
