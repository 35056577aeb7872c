# sshd's patterns for names. What one with a wildcard fits is sshd's to say.
{ lib }:
let
  hasGlob = pattern: lib.hasInfix "*" pattern || lib.hasInfix "?" pattern;
in
{
  # Whether a pattern of the list is, or may be, for one of `wanted`.
  fits = wanted: lib.any (pattern: hasGlob pattern || lib.elem pattern wanted);
}
