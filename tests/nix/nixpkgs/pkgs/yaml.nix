# formats.yaml: JSON is YAML.
{ lib, runCommand }:
let
  inherit (lib) types;
  value =
    types.nullOr (
      types.oneOf [
        types.bool
        types.int
        types.float
        types.str
        types.path
        (types.attrsOf value)
        (types.listOf value)
      ]
    )
    // {
      description = "YAML 1.1 value";
    };
in
{
  type = value;
  generate =
    name: content: runCommand name { text = lib.strings.toJSON content; } ''cp "$textPath" "$out"'';
}
