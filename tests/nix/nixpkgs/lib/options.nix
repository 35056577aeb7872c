# Declarations of options, and what documentation is made from.
{ lib }:
let
  known = [
    "apply"
    "default"
    "defaultText"
    "description"
    "example"
    "internal"
    "readOnly"
    "type"
    "visible"
  ];
in
rec {
  mkOption =
    declared:
    let
      unknown = lib.subtractLists known (lib.attrNames declared);
    in
    if unknown != [ ] then
      throw "mkOption: unknown attributes ${toString unknown}"
    else if !declared ? type then
      throw "mkOption: an option without a type"
    else
      declared // { _type = "option"; };

  mkEnableOption =
    what:
    mkOption {
      type = lib.types.bool;
      default = false;
      example = true;
      description = "Whether to enable ${what}.";
    };

  literalExpression = text: {
    _type = "literalExpression";
    inherit text;
  };

  isOption = value: value._type or null == "option";

  optionAttrSetToDocList =
    options:
    let
      rendered = value: if value._type or null == "literalExpression" then value else literal value;
      literal = value: literalExpression (lib.generators.toPretty { } value);
      walk =
        set:
        lib.concatMap (
          name:
          let
            value = set.${name};
          in
          if name == "_module" then
            [ ]
          else if isOption value then
            document value
          else
            walk value
        ) (lib.attrNames set);
      document =
        option:
        [
          (
            {
              name = lib.concatStringsSep "." option.loc;
              inherit (option) loc;
              description =
                option.description or (throw "${lib.concatStringsSep "." option.loc} has no description");
              type = option.type.description;
              internal = option.internal or false;
              visible = option.visible or true;
              readOnly = option.readOnly or false;
            }
            // lib.optionalAttrs (option ? example) { example = rendered option.example; }
            // lib.optionalAttrs (option ? default || option ? defaultText) {
              default = rendered (option.defaultText or option.default);
            }
          )
        ]
        ++ walk (option.type.getSubOptions option.loc);
    in
    walk options;
}
