# Sets of files: a list of paths, less a list of paths.
{ lib }:
let
  coerce =
    value:
    if lib.isPath value then
      {
        included = [ (toString value) ];
        excluded = [ ];
      }
    else
      value;
  # Whether one path is the other, or above it.
  isAbove = above: path: above == path || lib.hasPrefix "${above}/" path;
in
{
  unions =
    sets:
    let
      all = map coerce sets;
    in
    {
      included = lib.concatMap (set: set.included) all;
      excluded = lib.concatMap (set: set.excluded) all;
    };

  difference =
    a: b:
    let
      from = coerce a;
    in
    {
      inherit (from) included;
      excluded = from.excluded ++ (coerce b).included;
    };

  toSource =
    { root, fileset }:
    let
      keep =
        path: _type:
        lib.any (included: isAbove included path || isAbove path included) fileset.included
        && !lib.any (excluded: isAbove excluded path) fileset.excluded;
      missing = lib.filter (path: !builtins.pathExists path) fileset.included;
    in
    if missing != [ ] then
      throw "lib.fileset: ${lib.concatStringsSep ", " missing} is not there"
    else
      {
        outPath = builtins.path {
          name = "source";
          path = root;
          filter = keep;
        };
      };
}
