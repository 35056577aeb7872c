# shellcheck shell=bash
# shellcheck disable=SC2016  # commands are typed by `run`, not expanded here
# Backup, restore, upgrade, monitoring, capacity, rotation.

walk_operate() {
    backing_up
    restoring
    upgrading
    monitoring
    capacity
    rotating
}

backing_up() {
    section 'operations: backup'
    do_ 'mkdir -p /backup/podspawn && ssh gwen@bench true'
    ok 'sqlite3 /var/lib/podspawn/state.db ".backup /backup/podspawn/state.db"'
    ok 'sqlite3 /backup/podspawn/state.db "PRAGMA integrity_check; SELECT user FROM sessions"' '^ok$' '^gwen$'
    ok 'sqlite3 /var/lib/podspawn/state.db "PRAGMA wal_checkpoint(TRUNCATE);"' '^0\|'
    ok 'cp /var/lib/podspawn/state.db /backup/podspawn/copy.db'
    # A hand that was on the database has left it the broker's.
    ok 'stat --format "%U %a" /var/lib/podspawn/state.db*' '^podspawn 600$' '!root'
    ok 'cp -a /etc/podspawn/keys/ /backup/podspawn/keys/ && ls /backup/podspawn/keys' '^gwen$'
    ok 'cp /etc/podspawn/config.yaml /backup/podspawn/ && cp -a /etc/podspawn/users/ /backup/podspawn/users/'
    ok 'ssh gwen@bench echo entered' '^entered$'
    instead 'a backup script of one'"'"'s own' 'podspawn backup' 'podspawn backup' '/var/backups/podspawn/[0-9TZ]+'
    instead 'cron for the backup' 'podspawn-backup.timer' 'systemctl start podspawn-backup.service && ls /var/backups/podspawn' '^20'
    ok 'podspawn backup --json | jq -r .path >$place/backup && cat $place/backup' '^/var/backups/podspawn/'
    instead 'PRAGMA integrity_check of a copy' 'sha256sum --check manifest.sha256' \
        'cd "$(cat $place/backup)" && sha256sum --check manifest.sha256' OK
}

restoring() {
    section 'operations: restore'
    leave gwen
    do_ 'podspawn backup --json | jq -r .path >$place/backup'
    # A session that the backup does not know.
    do_ 'ssh gwen@bench true'
    ok 'sudo systemctl stop podspawn-cleanup.service'
    fails 1 'podspawn restore "$(cat $place/backup)"' '--force'
    instead 'cp …/state.db, keys/, config.yaml; chown root:root; chmod 700 keys/' 'podspawn restore' \
        'podspawn restore --force "$(cat $place/backup)"'
    ok 'docker ps --all --quiet --filter label=podspawn-user=gwen | wc -l' '^0$'
    ok 'stat --format "%U:%G %a" /var/lib/podspawn/state.db /etc/podspawn/keys /etc/podspawn/keys/gwen' \
        '^podspawn:podspawn 600$' '^root:podspawn-keys 750$' '^root:podspawn-keys 640$'
    ok 'sudo systemctl start podspawn-cleanup.service'
    # Sshd was not reloaded.
    ok 'ssh gwen@bench echo restored' '^restored$'
    do_ 'rm -rf /var/lib/podspawn/*.before-restore-* /etc/podspawn/*.before-restore-*'
}

upgrading() {
    section 'operations: upgrade'
    do_ 'cp /usr/bin/podspawn $place/podspawn-new'
    hold gwen
    # The broker runs the old one, which no process can write into.
    fails 1 'sudo cp $place/podspawn-new /usr/bin/podspawn' 'Text file busy'
    instead 'cp podspawn-new /usr/local/bin/podspawn; chmod 755' 'install -m 0755 podspawn /usr/bin/podspawn' \
        'cd $place && cp podspawn-new podspawn && install -m 0755 podspawn /usr/bin/podspawn && podspawn --version' '^podspawn '
    ok 'sudo systemctl restart podspawn-cleanup.service'
    instead 'systemctl restart podspawn-cleanup.service' 'systemctl restart podspawn-broker' \
        'systemctl restart podspawn-broker'
    answers upgraded
    ok 'ssh gwen@bench echo entered' '^entered$'
    ok 'sudo systemctl reload sshd'
    answers reloaded
    release
}

monitoring() {
    section 'operations: monitoring'
    ok 'podspawn status' '^Sessions +1' '^Connections +0' '^Containers +[1-9]' '^Oldest +[0-9]'
    ok 'podspawn status --prometheus' '^# TYPE podspawn_sessions_total (gauge|untyped)$' '^# TYPE podspawn_sessions_running gauge$' '^podspawn_sessions_total 1$' \
        '^podspawn_sessions_running [0-9]+$' '^podspawn_sessions_grace [0-9]+$' '^podspawn_connections_total 0$' \
        '^podspawn_containers_docker [1-9][0-9]*$' '^podspawn_oldest_session_seconds [0-9]+'
    ok 'podspawn status --prometheus >$place/podspawn.prom && grep -c "^podspawn_" $place/podspawn.prom' '^[1-9]'
    instead 'systemctl is-active podspawn-cleanup.service' 'podspawn-cleanup.timer' \
        'systemctl is-active podspawn-cleanup.timer' '^active$'
    ok 'journalctl -u podspawn-cleanup.service --since "1 hour ago"' 'podspawn cleanup pass'
    section 'operations: audit'
    ok 'jq -c "select(.user == \"gwen\") | keys" /var/log/podspawn/audit.jsonl | tail -n 1' \
        '"container".*"event".*"timestamp".*"user"'
}

capacity() {
    section 'operations: capacity'
    ok 'docker system df' 'Images' 'Containers'
    # The bench's own images are to stay, however old it is.
    ok 'docker image prune -a -f --filter until=168h --filter label!=podspawn.bench.recipe' 'Total reclaimed space'
    ok 'docker stats --no-stream' 'podspawn-gwen' '/ 2GiB'
    ok 'docker inspect podspawn-gwen | jq ".[0].HostConfig.Memory"' '^2147483648$'
}

rotating() {
    section 'operations: rotation'
    instead 'write /etc/logrotate.d/podspawn' '/etc/logrotate.d/podspawn' 'cat /etc/logrotate.d/podspawn' 'maxage 365' 'maxage 14'
    ok 'logrotate -d /etc/logrotate.d/podspawn' 'rotating pattern: /var/log/podspawn/audit.jsonl'
    ok 'logrotate -f /etc/logrotate.d/podspawn && ls /var/log/podspawn' '^audit.jsonl.1$' '^podspawn.log.1$'
    ok 'ssh gwen@bench echo rotated >/dev/null; sleep 0.5; cat /var/log/podspawn/podspawn.log' 'echo rotated'
    # Who has copytruncate from before keeps it.
    do_ 'sed "s/^    create .*/    copytruncate/; /sharedscripts/,/endscript/d" /etc/logrotate.d/podspawn >/etc/logrotate.d/podspawn-guides'
    ok 'logrotate -f /etc/logrotate.d/podspawn-guides && ls /var/log/podspawn' '^audit.jsonl.2'
    ok 'ssh gwen@bench echo cut >/dev/null; sleep 0.5; jq -r .command /var/log/podspawn/audit.jsonl' 'echo cut'
    ok 'zcat -f $(ls -tr /var/log/podspawn/audit.jsonl*) | jq .seq | sort -n | uniq | awk "NR > 1 && \$1 != last + 1 { print \"gap\", last } { last = \$1 }"' '!gap'
}
