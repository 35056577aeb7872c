# shellcheck shell=bash
# shellcheck disable=SC2016  # commands are typed by `run`, not expanded here
# The checks that no other chapter has failed yet.

walk_doctor() {
    section 'doctor'
    ok 'podspawn doctor' 'pass +sshd-config' 'pass +engine' 'pass +key-lookup' 'pass +state-db' 'pass +sshd-binary' \
        'pass +orphans' 'pass +cleanup-timer' 'pass +lock-directory'
    instead 'mkdir /var/lib/podspawn/locks; chmod 777' 'no lock directory' '! ls /var/lib/podspawn/locks' 'No such file'
    section 'doctor: key directory'
    do_ 'mv /etc/podspawn/keys $place/keys.away'
    fails 255 'ssh gwen@bench true' "$DENIED"
    diagnosed directories fail /etc/podspawn/keys
    instead 'mkdir -p /etc/podspawn/keys; chmod 700' 'systemd-tmpfiles --create podspawn.conf' \
        'systemd-tmpfiles --create podspawn.conf && cp -a $place/keys.away/. /etc/podspawn/keys/'
    healed 'ssh gwen@bench echo in' '^in$'
    section 'doctor: binary'
    do_ 'sed "s|/usr/bin/podspawn auth-keys|/usr/local/bin/podspawn auth-keys|" $place/saved/00-podspawn.conf >/etc/ssh/sshd_config.d/00-podspawn.conf'
    reload
    fails 255 'ssh gwen@bench true' "$DENIED"
    diagnosed sshd-binary fail /usr/local/bin/podspawn
    fails 1 'sudo podspawn server-setup' 'mv /etc/ssh/sshd_config.d/00-podspawn.conf'
    ok 'mv /etc/ssh/sshd_config.d/00-podspawn.conf $place/ && sudo podspawn server-setup'
    healed 'ssh gwen@bench echo in' '^in$'
    do_ 'cp -a $place/saved/00-podspawn.conf /etc/ssh/sshd_config.d/ && systemctl reload ssh'
    section 'doctor: orphans'
    # A label alone proves nothing: docker commit copies it.
    do_ 'docker run --detach --name podspawn-copied --label managed-by=podspawn --label podspawn-user=ghost podspawn-workload sleep 600'
    ok 'sudo podspawn cleanup && sudo podspawn doctor' 'left alone: container podspawn-copied'
    do_ 'docker rm --force podspawn-copied'
    do_ 'install -d -o podspawn /run/podspawn/guests/00000000deadbee1 && docker network create --label managed-by=podspawn --label podspawn.session=00000000deadbee1 podspawn-00000000deadbee1 && docker run --detach --name podspawn-ghost --label managed-by=podspawn --label podspawn-user=ghost --label podspawn.session=00000000deadbee1 --network podspawn-00000000deadbee1 --mount type=bind,source=/run/podspawn/guests/00000000deadbee1,target=/.podspawn/run,readonly podspawn-workload sleep 600'
    diagnosed orphans '(warn|fail)' podspawn-ghost 'podspawn cleanup'
    ok 'sudo podspawn cleanup' 'podspawn-ghost'
    healed 'docker ps --all' '!podspawn-ghost'
    diagnosed orphans pass
}
