# shellcheck shell=bash
# shellcheck disable=SC2016  # commands are typed by `run`, not expanded here
# Modes and owners, of what podspawn has and of what it does without; SFTP.

walk_permissions() {
    engine_socket
    key_files
    database
    transfer
}

engine_socket() {
    section 'permissions: engine socket'
    ok 'ls -la /var/run/docker.sock' '^srw-rw---- .* root docker'
    instead 'usermod -aG docker alice; chmod 666 docker.sock' 'No user is in group `docker`' \
        'id -Gn gwen && ssh gwen@bench echo in' '^podspawn$' '^in$'
    do_ 'chmod 666 /var/run/docker.sock'
    diagnosed engine-access fail docker.sock
    do_ 'chmod 660 /var/run/docker.sock && usermod -aG docker gwen'
    diagnosed engine-access fail gwen
    do_ 'gpasswd --delete gwen docker'
    # With the engine's group taken from the socket, the broker is outside as any user is.
    # What is still to be removed can wait, a login meanwhile gets a notice.
    do_ 'podspawn stop gwen; systemctl stop podspawn-broker; chgrp root /var/run/docker.sock'
    fails 255 'ssh gwen@bench true' '^podspawn: the container engine does not answer'
    seen 'journalctl -u podspawn-broker -n 20 --no-pager' 'ermission denied'
    do_ 'chgrp docker /var/run/docker.sock'
    healed 'ssh gwen@bench echo in' '^in$'
}

key_files() {
    section 'permissions: keys'
    # Right elsewhere: here another account than root reads them, and only it.
    do_ 'chmod 700 /etc/podspawn/keys && chmod 600 /etc/podspawn/keys/gwen'
    fails 255 'ssh gwen@bench true' "$DENIED"
    seen 'journalctl PODSPAWN_EVENT=auth_keys -n 1 --no-pager' '/etc/podspawn/keys/gwen: .*[Pp]ermission denied'
    diagnosed key-lookup fail /etc/podspawn/keys
    instead 'chmod 700 /etc/podspawn/keys; chmod 600 /etc/podspawn/keys/*' 'systemd-tmpfiles --create podspawn.conf' \
        'systemd-tmpfiles --create podspawn.conf && chown root:podspawn-keys /etc/podspawn/keys/* && chmod 0640 /etc/podspawn/keys/*'
    healed 'ssh gwen@bench echo in' '^in$'
    # A file that another user could write is not used for keys.
    do_ 'chmod 0666 /etc/podspawn/keys/gwen'
    fails 255 'ssh gwen@bench true' "$DENIED"
    seen 'sudo -u podspawn-keys podspawn auth-keys gwen' '/etc/podspawn/keys/gwen: '
    do_ 'chmod 0640 /etc/podspawn/keys/gwen'
    healed 'ssh gwen@bench echo in' '^in$'
    do_ 'mkdir -p $place/home/.ssh && cp $place/id_ed25519 $place/home/.ssh/ && chmod 0644 $place/home/.ssh/id_ed25519'
    fails 255 'ssh -F $place/keyless_config -i $place/home/.ssh/id_ed25519 gwen@bench true' 'bad permissions|UNPROTECTED' "$DENIED"
    ok 'cd $place/home && chmod 700 .ssh && chmod 600 .ssh/id_ed25519'
    healed 'ssh -F $place/keyless_config -i $place/home/.ssh/id_ed25519 gwen@bench echo in' '^in$'
}

database() {
    section 'permissions: state.db'
    leave gwen
    ok 'ls -la /var/lib/podspawn/state.db*' '^-rw------- .* podspawn podspawn .*state.db$'
    do_ 'systemctl stop podspawn-broker; chown root:root /var/lib/podspawn/state.db*'
    fails 255 'ssh gwen@bench true' '^podspawn: the server cannot (read|write) its state'
    seen 'journalctl -u podspawn-broker -n 20 --no-pager' 'no user can log in: /var/lib/podspawn/state.db: '
    diagnosed state-db fail /var/lib/podspawn/state.db chown
    ok 'getent group podspawn' '^podspawn:'
    instead 'chgrp docker state.db*; chmod 664 state.db*' 'chown podspawn:podspawn /var/lib/podspawn/state.db*' \
        'chown podspawn:podspawn /var/lib/podspawn/state.db*; chmod 600 /var/lib/podspawn/state.db*'
    healed 'ssh gwen@bench echo in' '^in$'
}

transfer() {
    section 'sftp'
    leave gwen
    ok 'echo pwd | sftp gwen@bench' 'Remote working directory: /home/gwen'
    ok 'podspawn verify-image podspawn-workload:latest' 'pass +shell .*/bin/bash' 'pass +sftp ' 'pass +locale ' 'pass +git '
    ok 'podspawn verify-image podspawn-alpine-like:latest' 'pass +sftp ' 'warn +git .*not there' 'warn +locale ' 'install git'
    fails 1 'podspawn verify-image podspawn-scratch:latest' 'fail +shell '
    leave gwen
    echo 'image: "podspawn-alpine-like:latest"' | put /etc/podspawn/users/gwen.yaml 0644
    instead 'openssh-sftp-server in the image, or a static one mounted' 'SFTP works in images that have no sftp-server' \
        'echo pwd | sftp gwen@bench; ! ssh gwen@bench ls /usr/lib/openssh' 'Remote working directory: /home/gwen' 'No such file'
    leave gwen
    do_ 'rm /etc/podspawn/users/gwen.yaml'
}
