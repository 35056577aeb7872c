# The same host without podspawn's module.
{ services.openssh.enable = true; }
