# shellcheck shell=bash
# shellcheck disable=SC2016  # commands are typed by `run`, not expanded here
# No login succeeds: accounts, keys, sshd.

DENIED='Permission denied \(publickey'
# Not by -u ssh: of a process that was gone before the journal looked it does not know the unit.
SSHD_LOG='sudo journalctl -t sshd -t sshd-session -n 30 --no-pager'

walk_login() {
    locked
    keys
    reloading
    unconfigured
    sshd_log
}

locked() {
    section 'login: locked account'
    # With PAM, which Debian has switched on, sshd leaves that to PAM, and PAM lets a key in.
    do_ 'echo "UsePAM no" >/etc/ssh/sshd_config.d/01-guides.conf'
    reload
    # By hand, and not by add-user.
    do_ 'useradd --no-create-home --home-dir /var/empty --gid podspawn gus && cp -a /etc/podspawn/keys/gwen /etc/podspawn/keys/gus'
    fails 255 'ssh gus@bench true' "$DENIED"
    seen 'sudo passwd -S gus' '^gus L '
    seen "$SSHD_LOG" 'User gus not allowed because account is locked'
    seen 'podspawn list-users' '^gus .* locked'
    diagnosed accounts-open '(warn|fail)' 'gus is locked' 'podspawn add-user gus'
    ok "sudo usermod -p '*' gus"
    healed 'ssh gus@bench echo in' '^in$'
    do_ "usermod -p '!' gus"
    instead 'usermod -p' 'add-user' 'podspawn add-user gus --key-file $place/key.pub' 'opened account gus'
    healed 'ssh gus@bench echo in' '^in$'
    leave gus
    do_ 'rm /etc/ssh/sshd_config.d/01-guides.conf && podspawn remove-user --force gus'
    reload
}

keys() {
    section 'login: key'
    do_ 'rm /etc/podspawn/keys/gwen'
    fails 255 'ssh gwen@bench true' "$DENIED"
    fails 1 'cat /etc/podspawn/keys/gwen' 'No such file'
    seen 'podspawn list-users' '^gwen .* no keys'
    seen 'sudo -u podspawn-keys podspawn auth-keys gwen' '/etc/podspawn/keys/gwen: .*[Nn]o such file'
    ok 'sudo podspawn add-user gwen --key "$(cat $place/key.pub)"'
    healed 'ssh gwen@bench echo in' '^in$'
    ok 'sudo podspawn add-user gwen --key-file $place/key.pub'
    ok 'cat /etc/podspawn/keys/gwen' '^ssh-ed25519 '
    do_ "$SERVE_KEYS"
    ok 'SSL_CERT_FILE=$place/tls/cert.pem podspawn add-user gwen --github gwen --github-url https://localhost:18444'
    do_ 'systemctl stop guides-keys'
    # Another key is offered than the one that is registered.
    do_ 'rm -f $place/other && ssh-keygen -q -t ed25519 -N "" -f $place/other'
    fails 255 'ssh -v -F $place/keyless_config -i $place/other gwen@bench true' 'Offering public key: .*/other' "$DENIED"
    ok 'ssh -v gwen@bench true 2>&1 | grep Offering' 'Offering public key: .*id_ed25519'
    # What is no key is named with its place, and the others work.
    do_ 'sed -i "1i ssh-ed25519 AAAA broken" /etc/podspawn/keys/gwen'
    seen 'sudo -u podspawn-keys podspawn auth-keys gwen 2>&1 >/dev/null' '/etc/podspawn/keys/gwen:1: '
    healed 'ssh gwen@bench echo in' '^in$'
    do_ 'sed -i 1d /etc/podspawn/keys/gwen'
}

# A key server with a certificate that is its own authority's.
SERVE_KEYS='
mkdir -p $place/tls/www && cd $place/tls
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost -addext basicConstraints=critical,CA:FALSE -keyout key.pem -out cert.pem 2>/dev/null
cp $place/key.pub www/gwen.keys && cd www
systemctl reset-failed guides-keys 2>/dev/null
systemd-run --quiet --unit guides-keys --working-directory "$PWD" \
    openssl s_server -accept 18444 -cert ../cert.pem -key ../key.pem -WWW -quiet
for i in $(seq 100); do (exec 3<>/dev/tcp/127.0.0.1/18444) 2>/dev/null && exit 0; sleep 0.1; done; exit 1'

reloading() {
    section 'login: sshd not reloaded'
    do_ 'mv /etc/ssh/sshd_config.d/00-podspawn.conf $place/'
    reload
    do_ 'mv $place/00-podspawn.conf /etc/ssh/sshd_config.d/'
    fails 255 'ssh gwen@bench true' "$DENIED"
    ok 'sudo systemctl reload ssh'
    healed 'ssh gwen@bench echo in' '^in$'
    ok 'sudo systemctl reload sshd'
    ok 'systemctl list-units | grep ssh' 'ssh.service +loaded'
}

unconfigured() {
    section 'login: not configured'
    do_ 'rm /etc/ssh/sshd_config.d/00-podspawn.conf'
    reload
    fails 255 'ssh gwen@bench true' "$DENIED"
    seen 'sudo sshd -T -C user=gwen | grep -i authorizedkeyscommand' '^authorizedkeyscommand none$'
    diagnosed sshd-config fail 'podspawn server-setup'
    ok 'sudo podspawn server-setup'
    healed 'ssh gwen@bench echo in' '^in$'
    ok 'sudo sshd -t && sudo systemctl reload ssh'
    # The block is a Match: without a user sshd shows what all others get.
    instead 'sshd -T | grep -i authorizedkeyscommand' 'sshd -T -C user=alice' \
        'sudo sshd -T -C user=gwen | grep -i authorizedkeyscommand' \
        '^authorizedkeyscommand /usr/bin/podspawn auth-keys %u %t %k$' '^authorizedkeyscommanduser podspawn-keys$'
    do_ 'cp -a $place/saved/00-podspawn.conf /etc/ssh/sshd_config.d/ && systemctl reload ssh'
}

sshd_log() {
    section 'login: sshd log'
    ok 'sudo journalctl -u ssh -n 30 --no-pager' sshd
    instead 'journalctl -u sshd' 'journalctl -t sshd -t sshd-session' "$SSHD_LOG" gwen
    ok 'follow 1 sudo journalctl -u ssh -f' 'sshd'
    ok "sudo journalctl -u ssh -n 50 --no-pager | grep gwen" 'gwen'
    section 'login: command fails'
    do_ 'mv /usr/bin/podspawn $place/podspawn.away'
    fails 255 'ssh gwen@bench true' "$DENIED"
    seen "$SSHD_LOG" 'AuthorizedKeysCommand.*/usr/bin/podspawn.*No such file'
    do_ 'mv $place/podspawn.away /usr/bin/podspawn && chmod 0644 /usr/bin/podspawn'
    fails 255 'ssh gwen@bench true' "$DENIED"
    seen "$SSHD_LOG" 'AuthorizedKeysCommand.*(failed|Permission denied|status)'
    do_ 'chmod 0777 /usr/bin/podspawn'
    fails 255 'ssh gwen@bench true' "$DENIED"
    seen "$SSHD_LOG" 'Unsafe AuthorizedKeysCommand.*bad ownership or modes'
    diagnosed sshd-binary fail /usr/bin/podspawn
    do_ 'chmod 0755 /usr/bin/podspawn'
    healed 'ssh gwen@bench echo in' '^in$'
}
