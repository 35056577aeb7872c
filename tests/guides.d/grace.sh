# shellcheck shell=bash
# shellcheck disable=SC2016  # commands are typed by `run`, not expanded here
# Containers that go too early or too late.

MINE='docker ps --all --quiet --filter label=podspawn-user=gwen'

walk_grace() {
    leave gwen
    section 'grace: cleanup'
    do_ 'systemctl stop podspawn-cleanup.timer podspawn-cleanup.service'
    seen 'systemctl is-active podspawn-cleanup.timer' '^inactive$'
    diagnosed cleanup-timer '(warn|fail)' 'does not run' 'systemctl enable --now podspawn-cleanup.timer'
    # The broker's own clock ends sessions; the timer is for sessions that no connection waits for.
    configure 'session: { grace_period: 2s }'
    do_ 'ssh gwen@bench true'
    ok "sleep 1; [ -n \"\$($MINE)\" ]"
    healed "[ -z \"\$($MINE)\" ]"
    ok 'sudo podspawn cleanup'
    instead 'ps aux | grep "podspawn cleanup"' 'systemctl list-timers podspawn-cleanup.timer' \
        'systemctl start podspawn-cleanup.timer && systemctl list-timers podspawn-cleanup.timer' 'podspawn-cleanup.service'
    ok 'follow 2 sudo podspawn cleanup --daemon --interval 1s'

    section 'grace: configuration'
    configure 'session: { mode: destroy-on-disconnect, grace_period: 60s }'
    do_ 'ssh gwen@bench true'
    seen "sleep 2; podspawn list; $MINE | wc -l" '^0$' '!^gwen'
    configure 'session: { mode: grace, grace_period: 60s }'
    seen 'podspawn check-config' '/etc/podspawn/config.yaml:[0-9]+:[0-9]+: ' 'grace-period'
    configure 'session: { mode: "grace-period", grace_period: "3s", max_lifetime: "8h" }'
    ok 'podspawn check-config'
    hold gwen
    do_ 'ssh gwen@bench true'
    # One of two connections is left: nothing is counted down.
    ok 'sleep 4; podspawn list' '^gwen .* running +1 '
    answers kept
    release
    healed 'podspawn list' '^gwen .* grace +0 '
    healed 'podspawn list' '!^gwen'
    configure
}
