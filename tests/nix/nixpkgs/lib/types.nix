# Types: a check, a merge of definitions ({ file, value }), a description with the class of its grammar, and the options of a
# submodule.
{ lib }:
let
  inherit (builtins)
    isAttrs
    isBool
    isFloat
    isInt
    isList
    isPath
    isString
    ;
  inherit (lib) concatMapStringsSep elem showOption;

  show = value: lib.generators.toPretty { } value;
  # All definitions say the same, or it is a conflict.
  equal =
    loc: defs:
    let
      first = (lib.head defs).value;
    in
    # Functions are not even equal to themselves.
    if lib.length defs == 1 || lib.all (def: def.value == first) defs then
      first
    else
      throw "The option `${showOption loc}' has conflicting definition values:${
        concatMapStringsSep "" (def: "\n- In `${def.file}': ${show def.value}") defs
      }";

  mkType =
    given:
    {
      merge = equal;
      getSubOptions = _: { };
      emptyValue = { };
    }
    // given
    // {
      _type = "option-type";
    };

  simple =
    name: description: check:
    mkType {
      inherit name description check;
      class = "noun";
    };

  # The description as a part of another one: in parentheses where the two could be read otherwise.
  phrase =
    classes: type:
    if elem (type.class or null) classes then type.description else "(${type.description})";
  element = phrase [
    "noun"
    "composite"
  ];
  alternative = phrase [
    "noun"
    "conjunction"
  ];

  isStringLike = value: isString value || lib.isDerivation value;
in
rec {
  inherit mkType;

  bool = simple "bool" "boolean" isBool;
  int = simple "int" "signed integer" isInt;
  float = simple "float" "floating point number" isFloat;
  str = simple "str" "string" isString;
  package = simple "package" "package" (value: isAttrs value && lib.isDerivation value);
  attrs = simple "attrs" "attribute set" isAttrs // {
    class = null;
    merge = _: lib.foldl' (all: def: all // def.value) { };
  };
  anything = mkType {
    name = "anything";
    description = "anything";
    check = _: true;
    merge =
      loc: defs:
      if lib.all (def: isAttrs def.value) defs then (attrsOf anything).merge loc defs else equal loc defs;
  };
  path = simple "path" "absolute path" (
    value: isPath value || (isStringLike value && lib.hasPrefix "/" "${value}")
  );
  lines = simple "lines" "strings concatenated with \"\\n\"" isString // {
    merge = _: defs: concatMapStringsSep "\n" (def: def.value) defs;
  };
  port = ints.between 0 65535 // {
    description = "16 bit unsigned integer; between 0 and 65535 (both inclusive)";
  };
  ints.between =
    from: to:
    simple "intBetween" "integer between ${toString from} and ${toString to} (both inclusive)" (
      value: isInt value && value >= from && value <= to
    );

  enum =
    values:
    simple "enum" (
      if lib.length values == 1 then
        "value ${show (lib.head values)} (singular enum)"
      else
        "one of ${concatMapStringsSep ", " show values}"
    ) (value: elem value values)
    // {
      class = if lib.length values < 2 then "noun" else "conjunction";
    };

  nullOr =
    inner:
    mkType {
      name = "nullOr";
      description = "null or ${alternative inner}";
      class = "conjunction";
      check = value: value == null || inner.check value;
      merge =
        loc: defs:
        if lib.all (def: def.value == null) defs then
          null
        else if lib.any (def: def.value == null) defs then
          throw "The option `${showOption loc}' is defined both null and not null"
        else
          inner.merge loc defs;
      inherit (inner) getSubOptions;
    };

  either =
    a: b:
    mkType {
      name = "either";
      description = "${alternative a} or ${
        phrase [
          "noun"
          "conjunction"
          "composite"
        ] b
      }";
      class = "conjunction";
      check = value: a.check value || b.check value;
      merge =
        loc: defs:
        if lib.all (def: a.check def.value) defs then
          a.merge loc defs
        else if lib.all (def: b.check def.value) defs then
          b.merge loc defs
        else
          equal loc defs;
    };
  oneOf = types: lib.foldl' either (lib.head types) (lib.tail types);

  listOf =
    inner:
    mkType {
      name = "listOf";
      description = "list of ${element inner}";
      class = "composite";
      check = isList;
      merge =
        loc: defs:
        lib.concatMap (
          def:
          lib.concatMap (
            value:
            let
              found = lib.discharge [
                {
                  inherit (def) file;
                  inherit value;
                }
              ];
            in
            lib.optional (found != [ ]) (lib.mergeChecked (loc ++ [ "*" ]) inner found)
          ) def.value
        ) defs;
      emptyValue.value = [ ];
      getSubOptions = prefix: inner.getSubOptions (prefix ++ [ "*" ]);
    };

  attrsOf =
    inner:
    mkType {
      name = "attrsOf";
      description = "attribute set of ${element inner}";
      class = "composite";
      check = isAttrs;
      merge =
        loc: defs:
        let
          sets = lib.concatMap lib.pushDown defs;
          names = lib.unique (lib.concatMap (def: lib.attrNames def.value) sets);
          definitions =
            name:
            lib.discharge (
              lib.concatMap (
                def:
                lib.optional (def.value ? ${name}) {
                  inherit (def) file;
                  value = def.value.${name};
                }
              ) sets
            );
        in
        lib.listToAttrs (
          lib.concatMap (
            name:
            let
              found = definitions name;
            in
            lib.optional (found != [ ]) (
              lib.nameValuePair name (lib.mergeChecked (loc ++ [ name ]) inner found)
            )
          ) names
        );
      emptyValue.value = { };
      getSubOptions = prefix: inner.getSubOptions (prefix ++ [ "<name>" ]);
    };

  submodule =
    module:
    let
      base = lib.toList module;
      evaluated =
        loc: defs:
        lib.evalModules {
          prefix = loc;
          specialArgs.name = lib.elemAt loc (lib.length loc - 1);
          modules =
            base
            ++ map (def: {
              _file = def.file;
              config = def.value;
            }) defs;
        };
      bare = evaluated [ "<name>" ] [ ];
    in
    mkType {
      name = "submodule";
      description =
        if bare.freeformType == null then "submodule" else "open submodule of ${element bare.freeformType}";
      check = isAttrs;
      merge = loc: defs: (evaluated loc defs).config;
      emptyValue.value = { };
      getSubOptions = prefix: (evaluated prefix [ ]).options;
    };
}
