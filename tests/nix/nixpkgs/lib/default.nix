# The part of nixpkgs' lib that podspawn uses, written anew. What is not here is not there: using it is an error.
let
  inherit (builtins)
    attrNames
    concatMap
    elem
    elemAt
    filter
    foldl'
    genList
    head
    isAttrs
    isString
    length
    listToAttrs
    map
    match
    readFile
    replaceStrings
    split
    stringLength
    substring
    tail
    ;

  strings = rec {
    inherit (builtins) concatStringsSep toJSON;
    inherit replaceStrings stringLength substring;
    concatStrings = concatStringsSep "";
    concatMapStringsSep =
      separator: f: list:
      concatStringsSep separator (map f list);
    concatLines = concatMapStringsSep "" (line: "${line}\n");
    optionalString = condition: text: if condition then text else "";
    hasPrefix = prefix: text: substring 0 (stringLength prefix) text == prefix;
    hasSuffix =
      suffix: text:
      let
        size = stringLength text;
        wanted = stringLength suffix;
      in
      size >= wanted && substring (size - wanted) wanted text == suffix;
    hasInfix = infix: text: length (splitString infix text) > 1;
    removeSuffix =
      suffix: text:
      if hasSuffix suffix text then substring 0 (stringLength text - stringLength suffix) text else text;
    splitString = separator: text: filter isString (split (escapeRegex separator) text);
    escapeRegex = replaceStrings special (map (c: "\\${c}") special);
    special = [
      "\\"
      "^"
      "$"
      "."
      "|"
      "?"
      "*"
      "+"
      "("
      ")"
      "["
      "]"
      "{"
      "}"
    ];
    toLower = replaceStrings (characters "ABCDEFGHIJKLMNOPQRSTUVWXYZ") (
      characters "abcdefghijklmnopqrstuvwxyz"
    );
    characters = text: genList (place: substring place 1 text) (stringLength text);
    escapeShellArg = text: "'${replaceStrings [ "'" ] [ "'\\''" ] (toString text)}'";
    fileContents = path: removeSuffix "\n" (readFile path);
    makeBinPath = packages: concatMapStringsSep ":" (package: "${package}/bin") packages;
  };

  attrsets = rec {
    inherit (builtins)
      attrValues
      catAttrs
      hasAttr
      mapAttrs
      ;
    inherit attrNames listToAttrs;
    nameValuePair = name: value: { inherit name value; };
    genAttrs = names: f: listToAttrs (map (name: nameValuePair name (f name)) names);
    mapAttrsToList = f: set: map (name: f name set.${name}) (attrNames set);
    mapAttrs' = f: set: listToAttrs (mapAttrsToList f set);
    filterAttrs =
      keep: set:
      listToAttrs (
        concatMap (name: if keep name set.${name} then [ (nameValuePair name set.${name}) ] else [ ]) (
          attrNames set
        )
      );
    optionalAttrs = condition: set: if condition then set else { };
    recursiveUpdate =
      a: b:
      a
      // mapAttrs (
        name: value:
        if a ? ${name} && isAttrs a.${name} && isAttrs value && !(isType value || isType a.${name}) then
          recursiveUpdate a.${name} value
        else
          value
      ) b;
    isType = value: value ? _type || value ? outPath;
    attrByPath =
      path: default: set:
      if path == [ ] then
        set
      else if isAttrs set && set ? ${head path} then
        attrByPath (tail path) default set.${head path}
      else
        default;
    getAttrFromPath = path: attrByPath path (throw "no attribute ${strings.concatStringsSep "." path}");
    setAttrByPath =
      path: value: if path == [ ] then value else { ${head path} = setAttrByPath (tail path) value; };
    isDerivation = value: value.type or null == "derivation";
  };

  lists = rec {
    inherit (builtins)
      all
      any
      concatLists
      sort
      ;
    inherit
      concatMap
      elem
      elemAt
      filter
      foldl'
      genList
      head
      length
      map
      tail
      ;
    optional = condition: value: if condition then [ value ] else [ ];
    optionals = condition: list: if condition then list else [ ];
    toList = value: if builtins.isList value then value else [ value ];
    subtractLists = unwanted: filter (value: !elem value unwanted);
    unique = foldl' (seen: value: if elem value seen then seen else seen ++ [ value ]) [ ];
    flatten = value: if builtins.isList value then concatMap flatten value else [ value ];
    range = from: to: if from > to then [ ] else genList (n: from + n) (to - from + 1);
  };

  trivial = {
    inherit (builtins)
      functionArgs
      isAttrs
      isBool
      isFunction
      isInt
      isList
      isPath
      isString
      readDir
      readFile
      seq
      ;
    inherit match;
    importTOML = path: builtins.fromTOML (readFile path);
    id = value: value;
    boolToString = value: if value then "true" else "false";
    getExe =
      package:
      "${package}/bin/${package.meta.mainProgram or (throw "${package.name} has no meta.mainProgram")}";
  };

  modules = import ./modules.nix { inherit lib; };
  options = import ./options.nix { inherit lib; };
  types = import ./types.nix { inherit lib; };

  lib =
    strings
    // attrsets
    // lists
    // trivial
    // modules
    // options
    // {
      inherit strings types;
      fileset = import ./fileset.nix { inherit lib; };
      generators.toPretty = _: import ./pretty.nix { inherit lib; };
      licenses = {
        mit.spdxId = "MIT";
        asl20.spdxId = "Apache-2.0";
      };
      platforms.linux = [
        "x86_64-linux"
        "aarch64-linux"
      ];
    };
in
lib
