# The module system: modules are collected, their definitions pushed down to the options, sorted out and merged.
{ lib }:
let
  inherit (builtins)
    attrNames
    concatMap
    filter
    foldl'
    head
    isAttrs
    isFunction
    isPath
    length
    map
    mapAttrs
    removeAttrs
    seq
    sort
    ;
  inherit (lib)
    concatMapStringsSep
    concatStringsSep
    isOption
    optional
    ;

  kind = value: value._type or null;

  defaultPriority = 100;
  defaultOrder = 1000;

  # A module as { file, imports, options, config, freeformType }.
  load =
    args: file: module:
    if isPath module then
      load args (toString module) (import module)
    else if isFunction module then
      load args file (module args)
    else if isAttrs module then
      normalise (module._file or file) module
    else
      throw "a module of `${file}' is neither a path, nor a function, nor a set";

  structural = [
    "_file"
    "imports"
    "options"
    "config"
    "freeformType"
    "meta"
  ];
  normalise =
    file: module:
    let
      isFull = module ? options || module ? config;
      unknown = lib.subtractLists structural (attrNames module);
      config =
        if isFull then
          module.config or { }
        else
          removeAttrs module [
            "_file"
            "imports"
            "freeformType"
            "meta"
          ];
    in
    if isFull && unknown != [ ] then
      throw "the module `${file}' has unsupported attributes: ${toString unknown}; what is set belongs below config"
    else
      {
        inherit file config;
        imports = module.imports or [ ];
        options = module.options or { };
        freeformType = module.freeformType or null;
      };

  # The modules with all that they import, the last first: so a host's own definitions stand before NixOS's. In a submodule,
  # whose modules are definitions in that order, it is the other way round again.
  collect =
    args: modules:
    let
      level =
        found:
        if found == [ ] then
          [ ]
        else
          found ++ level (concatMap (one: map (load args one.file) one.imports) found);
    in
    foldl' (later: one: [ one ] ++ later) [ ] (
      level (map (load args "a module without a file") modules)
    );

  # Declarations of several modules in one tree; an option is declared once.
  mergeDeclarations =
    prefix: declarations:
    let
      names = lib.unique (concatMap (one: attrNames one.options) declarations);
      at =
        name:
        let
          loc = prefix ++ [ name ];
          here = filter (one: one.options ? ${name}) declarations;
          values = map (one: one.options.${name}) here;
        in
        if lib.any isOption values then
          if length values == 1 then
            head values // { inherit loc; }
          else
            throw "The option `${showOption loc}' is declared more than once: ${
              concatMapStringsSep ", " (one: one.file) here
            }"
        else
          mergeDeclarations loc (
            map (one: {
              inherit (one) file;
              options = one.options.${name};
            }) here
          );
    in
    lib.genAttrs names at;

  showOption = concatStringsSep ".";

  # Definitions of a set as definitions of its attributes: conditions and priorities move inwards, so that the names are
  # known before any condition is.
  pushDown =
    { file, value }:
    if kind value == "merge" then
      concatMap (
        content:
        pushDown {
          inherit file;
          value = content;
        }
      ) value.contents
    else if kind value == "if" || kind value == "override" || kind value == "order" then
      map
        (def: {
          inherit file;
          value = mapAttrs (_: content: value // { inherit content; }) def.value;
        })
        (pushDown {
          inherit file;
          value = value.content;
        })
    else if isAttrs value then
      [ { inherit file value; } ]
    else
      throw "`${file}' has a value where a set of options is";

  # Definitions that hold, those of the highest priority, in their order.
  discharge =
    defs:
    let
      flat =
        { priority, order }:
        { file, value }:
        if kind value == "merge" then
          concatMap (
            content:
            flat { inherit priority order; } {
              inherit file;
              value = content;
            }
          ) value.contents
        else if kind value == "if" then
          if value.condition then
            flat { inherit priority order; } {
              inherit file;
              value = value.content;
            }
          else
            [ ]
        else if kind value == "override" then
          flat
            {
              inherit order;
              inherit (value) priority;
            }
            {
              inherit file;
              value = value.content;
            }
        else if kind value == "order" then
          flat
            {
              inherit priority;
              order = value.priority;
            }
            {
              inherit file;
              value = value.content;
            }
        else
          [
            {
              inherit
                file
                priority
                order
                value
                ;
            }
          ];
      holding = concatMap (flat {
        priority = defaultPriority;
        order = defaultOrder;
      }) defs;
      highest = foldl' (least: def: if def.priority < least then def.priority else least) 9999 holding;
      chosen = filter (def: def.priority == highest) holding;
    in
    map (def: { inherit (def) file value priority; }) (sort (a: b: a.order < b.order) chosen);

  mergeChecked =
    loc: type: defs:
    let
      wrong = filter (def: !type.check def.value) defs;
    in
    if wrong != [ ] then
      throw "A definition for option `${showOption loc}' is not of type `${type.description}'. Definition values:${
        concatMapStringsSep "" (def: "\n- In `${def.file}': ${lib.generators.toPretty { } def.value}") wrong
      }"
    else
      type.merge loc (map (def: removeAttrs def [ "priority" ]) defs);

  valueOf =
    option: defs:
    let
      given = discharge (
        defs
        ++ optional (option ? default) {
          file = "the default";
          value = mkOverride 1500 option.default;
        }
      );
      value =
        if given != [ ] then
          mergeChecked option.loc option.type given
        else
          option.type.emptyValue.value
            or (throw "The option `${showOption option.loc}' was accessed but has no value defined. Try setting the option.");
    in
    if option.readOnly or false && length defs > 1 then
      throw "The option `${showOption option.loc}' is read-only, but it is set multiple times."
    else
      (option.apply or (v: v)) value;

  # The values of a tree of options, and the definitions that belong to none of them.
  evaluate =
    prefix: options: defs:
    let
      sets = concatMap pushDown defs;
      below =
        name:
        concatMap (
          def:
          optional (def.value ? ${name}) {
            inherit (def) file;
            value = def.value.${name};
          }
        ) sets;
      results = mapAttrs (
        name: node:
        if isOption node then
          {
            value = valueOf node (below name);
            unmatched = [ ];
          }
        else
          evaluate (prefix ++ [ name ]) node (below name)
      ) options;
      unknown = lib.subtractLists (attrNames options) (
        lib.unique (concatMap (def: attrNames def.value) sets)
      );
    in
    {
      value = mapAttrs (_: result: result.value) results;
      unmatched =
        concatMap (
          name:
          map (def: {
            inherit (def) file value;
            loc = prefix ++ [ name ];
            siblings = attrNames options;
          }) (below name)
        ) unknown
        ++ concatMap (name: results.${name}.unmatched) (attrNames results);
    };

  mkOverride = priority: content: {
    _type = "override";
    inherit priority content;
  };
  mkOrder = priority: content: {
    _type = "order";
    inherit priority content;
  };

  moduleOptions._module.check = lib.mkOption {
    type = lib.types.bool;
    default = true;
    internal = true;
    description = "Whether definitions of options that are not declared are errors.";
  };
in
{
  inherit
    discharge
    mergeChecked
    mkOrder
    mkOverride
    pushDown
    showOption
    ;

  mkIf = condition: content: {
    _type = "if";
    inherit condition content;
  };
  mkMerge = contents: {
    _type = "merge";
    inherit contents;
  };
  mkDefault = mkOverride 1000;
  mkForce = mkOverride 50;
  mkBefore = mkOrder 500;
  mkAfter = mkOrder 1500;

  evalModules =
    {
      modules,
      specialArgs ? { },
      prefix ? [ ],
    }:
    let
      args = specialArgs // {
        inherit config lib options;
      };
      collected = collect args (
        modules
        ++ [
          {
            _file = "the module system";
            options = moduleOptions;
          }
        ]
      );
      options = mergeDeclarations prefix (map (one: { inherit (one) file options; }) collected);
      evaluated = evaluate prefix options (
        map (one: {
          inherit (one) file;
          value = one.config;
        }) collected
      );
      freeform = filter (type: type != null) (map (one: one.freeformType or null) collected);
      freeformType = if freeform == [ ] then null else head freeform;

      strip =
        loc: lib.genList (place: lib.elemAt loc (length prefix + place)) (length loc - length prefix);
      free =
        if freeformType == null || evaluated.unmatched == [ ] then
          { }
        else
          freeformType.merge prefix (
            map (def: {
              inherit (def) file;
              value = lib.setAttrByPath (strip def.loc) def.value;
            }) evaluated.unmatched
          );
      config = lib.recursiveUpdate free evaluated.value;

      near =
        def:
        filter (
          name: lib.hasPrefix (builtins.substring 0 3 (lib.elemAt def.loc (length def.loc - 1))) name
        ) def.siblings;
      complaint =
        def:
        throw "The option `${showOption def.loc}' does not exist. Definition in `${def.file}'.${
          lib.optionalString (near def != [ ])
            " Did you mean ${concatMapStringsSep " or " (name: "`${name}'") (near def)}?"
        }";
      checked =
        if freeformType == null && config._module.check && evaluated.unmatched != [ ] then
          complaint (head evaluated.unmatched)
        else
          null;
    in
    {
      inherit options freeformType;
      config = seq checked (removeAttrs config [ "_module" ]);
    };
}
