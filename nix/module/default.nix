# services.podspawn: sshd's block, accounts, keys, broker, timers, logs. One concern a file.
{
  imports = [
    ./options.nix
    ./settings.nix
    ./users.nix
    ./configuration.nix
    ./accounts.nix
    ./sshd.nix
    ./sysctl.nix
    ./broker.nix
    ./backup.nix
    ./logrotate.nix
    ./metrics.nix
    ./assertions.nix
  ];

  meta.maintainers = [ ];
}
