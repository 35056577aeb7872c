# Which names can be: podspawn's own rules (src/domain/names.rs), and NixOS's for accounts.
{ lib }:
{
  # NixOS takes one character less than podspawn, and ends the evaluation at the first one more.
  isUser = name: lib.match "[A-Za-z0-9_][A-Za-z0-9._-]{0,30}" name != null;
  isProject = name: lib.match "[A-Za-z0-9][A-Za-z0-9._-]{0,62}" name != null;
  # Accounts that the host needs itself.
  isOwn =
    name:
    lib.elem name [
      "root"
      "podspawn"
      "podspawn-keys"
      "podspawn-backup"
    ];
}
