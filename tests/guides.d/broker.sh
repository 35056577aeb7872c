# shellcheck shell=bash
# shellcheck disable=SC2016  # commands are typed by `run`, not expanded here
# What can go wrong here and nowhere else: the broker, its configuration, its files, its networks.

walk_broker() {
    leave gwen
    section 'broker: away'
    do_ 'systemctl stop podspawn-broker.socket podspawn-broker.service'
    fails 255 'ssh gwen@bench true' '^podspawn: the podspawn broker cannot be reached: .*; ask the administrator to look at `systemctl status podspawn-broker.socket`'
    diagnosed broker-socket fail 'systemctl enable --now podspawn-broker.socket'
    ok 'systemctl start podspawn-broker.socket'
    healed 'ssh gwen@bench echo in' '^in$'

    section 'broker: configuration'
    do_ 'systemctl stop podspawn-broker.service'
    configure 'session: { mode: sometimes }'
    fails 255 'ssh gwen@bench true' "^podspawn: the server's configuration is invalid; ask the administrator to run .podspawn check-config."
    fails 1 'podspawn check-config' '/etc/podspawn/config.yaml:[0-9]+:[0-9]+: '
    seen 'journalctl -u podspawn-broker -n 5 --no-pager' 'no user can log in: .*config.yaml:[0-9]+:[0-9]+'
    diagnosed config fail 'podspawn check-config'
    configure
    healed 'ssh gwen@bench echo in' '^in$'
    # With a good one in force a mistake keeps no user out.
    configure 'sesion: { mode: ttl }'
    ok 'ssh gwen@bench echo in' '^in$'
    seen 'journalctl -u podspawn-broker -n 5 --no-pager' 'the last good configuration stays in force: .*config.yaml'
    configure

    section 'broker: networks'
    leave gwen
    await '[ "$(podspawn status --json | jq .sessions)" = 0 ]'
    configure 'network: { pool: 10.77.0.0/28, prefix: 28 }'
    do_ 'ssh gwen@bench true'
    fails 255 'ssh -o SetEnv=PODSPAWN_PROJECT=one gwen@bench true' '^podspawn: the server has no network left for another container; ask the administrator to stop sessions or to enlarge network.pool'
    do_ 'podspawn stop gwen'
    healed 'ssh -o SetEnv=PODSPAWN_PROJECT=one gwen@bench echo in' '^in$'
    leave gwen
    configure

    section 'broker: logs'
    do_ 'chown root:root /var/log/podspawn/audit.jsonl && chmod 0600 /var/log/podspawn/audit.jsonl && systemctl restart podspawn-broker'
    fails 255 'ssh gwen@bench true' '^podspawn: the server cannot write its audit log and refuses logins without it'
    seen 'journalctl PODSPAWN_EVENT=audit_failed -n 1 --no-pager' '/var/log/podspawn/audit.jsonl.*[Pp]ermission denied'
    diagnosed audit-log fail /var/log/podspawn/audit.jsonl
    do_ 'chown podspawn:podspawn-admin /var/log/podspawn/audit.jsonl && chmod 0640 /var/log/podspawn/audit.jsonl'
    healed 'ssh gwen@bench echo in' '^in$'

    section 'broker: state'
    leave gwen
    do_ 'podspawn backup --json | jq -r .path >$place/backup; systemctl stop podspawn-broker; rm -f /var/lib/podspawn/state.db-*'
    do_ 'dd if=/dev/urandom of=/var/lib/podspawn/state.db bs=512 count=8 conv=notrunc status=none'
    fails 255 'ssh gwen@bench true' '^podspawn: the server cannot read its state'
    seen 'journalctl -u podspawn-broker -n 5 --no-pager' 'state.db: .*(not a database|damaged)'
    diagnosed state-db fail 'podspawn restore'
    ok 'podspawn restore --force "$(cat $place/backup)"'
    healed 'ssh gwen@bench echo in' '^in$'
}
