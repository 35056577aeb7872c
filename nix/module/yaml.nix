# The type of what YAML can say, by one name whichever nixpkgs: theirs changes, and nix/OPTIONS.md has it.
{ pkgs }: (pkgs.formats.yaml { }).type // { description = "YAML value"; }
