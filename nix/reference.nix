# nix/OPTIONS.md: every option of services.podspawn, from the module itself.
{ pkgs }:
let
  inherit (pkgs) lib;
  evaluated = lib.evalModules {
    specialArgs = { inherit pkgs; };
    modules = [
      ./module
      # The options alone: what they are used for is the rest of NixOS.
      { config._module.check = false; }
    ];
  };
  options = lib.filter (option: option.visible && !option.internal) (
    lib.optionAttrSetToDocList evaluated.options.services.podspawn
  );

  literal = value: if value ? text then value.text else lib.generators.toPretty { } value;
  # A fence, so that nothing in it is read as markup.
  field =
    name: value:
    let
      text = literal value;
    in
    if lib.hasInfix "\n" text then
      "${name}:\n\n```nix\n${lib.removeSuffix "\n" text}\n```\n"
    else
      "${name}: `${text}`\n";
  # nixpkgs' roles, as plain Markdown.
  plain =
    lib.replaceStrings
      [
        "{option}"
        "{file}"
        "{command}"
        "{manpage}"
      ]
      [
        ""
        ""
        ""
        ""
      ];

  section =
    option:
    lib.concatStringsSep "\n" (
      [
        "## ${option.name}\n"
        "${lib.removeSuffix "\n" (plain option.description)}\n"
        "Type: ${option.type}\n"
      ]
      ++ lib.optional (option ? default) (field "Default" option.default)
      ++ lib.optional (option ? example) (field "Example" option.example)
    );
in
''
  # Options of services.podspawn

  Made from `nix/module` by `nix/reference.nix`; a check compares them.

  ${lib.concatMapStringsSep "\n" section options}''
