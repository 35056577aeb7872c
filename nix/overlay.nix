# `pkgs.podspawn`, for those who want the package elsewhere than in the module.
final: _prev: {
  podspawn = final.callPackage ./package.nix { };
}
