# buildRustPackage whose binary cargo has built already; the package's own phases run as they are written.
{ lib, mkDerivation }:
let
  known = [
    "buildInputs"
    "cargoLock"
    "cargoTestFlags"
    "checkFlags"
    "doCheck"
    "doInstallCheck"
    "installCheckPhase"
    "meta"
    "nativeBuildInputs"
    "passthru"
    "pname"
    "postInstall"
    "postPatch"
    "preBuild"
    "preCheck"
    "src"
    "version"
  ];
  binary = ../cargo-built/podspawn;

  # With overrideAttrs, as far as it is a set of other attributes.
  overridable =
    package:
    build package
    // {
      overrideAttrs = more: overridable (package // more);
    };

  build =
    package:
    let
      unknown = lib.subtractLists known (lib.attrNames package);
      inputs = map (input: input.name) (package.buildInputs or [ ]);
    in
    if unknown != [ ] then
      throw "buildRustPackage: unknown attributes ${toString unknown}"
    else if lib.elem "glibc-static" inputs && lib.head inputs != "glibc" then
      # ld takes libc.a of an earlier directory before libc.so of a later one, whatever it links.
      throw
        "buildRustPackage: with glibc's static output before the shared one nothing but what is static can be linked"
    else if !builtins.pathExists binary then
      throw "there is no ${toString binary}: tests/nix/run puts it there"
    else if !builtins.pathExists package.cargoLock.lockFile then
      throw "there is no ${toString package.cargoLock.lockFile}"
    else
      mkDerivation {
        name = "${package.pname}-${package.version}";
        inherit (package) meta;
        passthru = package.passthru // {
          inherit (package)
            pname
            preBuild
            preCheck
            version
            ;
        };
        env = { inherit (package) src; };
        script = ''
          cp -r "$src" source
          chmod -R u+w source
          cd source
          ${package.postPatch}
          for named in $(sed -n 's/^path = "\(.*\)"/\1/p' Cargo.toml); do
            [ -e "$named" ] || { echo "cargo would miss $named" >&2; exit 1; }
          done
          grep -roE 'include_(str|bytes)!\("[^"]+"\)' src | while IFS=: read -r file included; do
            included=$(dirname "$file")/$(cut -d '"' -f 2 <<<"$included")
            [ -e "$included" ] || { echo "rustc would miss $included, for $file" >&2; exit 1; }
          done
          install -D -m 0555 ${binary} "$out/bin/podspawn"
          ${package.postInstall}
          ${lib.optionalString package.doInstallCheck package.installCheckPhase}
        '';
      };
in
{
  buildRustPackage = overridable;
}
