# A value as Nix would have it.
{ lib }:
let
  inherit (lib)
    concatMapStringsSep
    isAttrs
    isBool
    isList
    isString
    ;
  isName = name: lib.match "[A-Za-z_][A-Za-z0-9_'-]*" name != null;
  name = text: if isName text then text else builtins.toJSON text;
  pretty =
    indent: value:
    let
      inner = "${indent}  ";
    in
    if value == null then
      "null"
    else if isBool value then
      lib.boolToString value
    else if isString value then
      builtins.toJSON value
    else if lib.isDerivation value then
      "<derivation ${value.name}>"
    else if isList value then
      if value == [ ] then
        "[ ]"
      else
        "[\n${concatMapStringsSep "" (item: "${inner}${pretty inner item}\n") value}${indent}]"
    else if isAttrs value then
      if value == { } then
        "{ }"
      else
        "{\n${
          concatMapStringsSep "" (key: "${inner}${name key} = ${pretty inner value.${key}};\n") (
            lib.attrNames value
          )
        }${indent}}"
    else if lib.isFunction value then
      "<function>"
    else
      toString value;
in
pretty ""
