# shellcheck shell=bash
# shellcheck disable=SC2016  # commands are typed by `run`, not expanded here
# What can be read of it afterwards.

walk_logs() {
    section 'logs: log file'
    ok 'ssh gwen@bench "echo to-be-logged" && tail -100 /var/log/podspawn/podspawn.log' ' INFO .*event=connect'
    ok 'follow 1 tail -f /var/log/podspawn/podspawn.log' 'event='
    do_ 'ssh -o SetEnv=PODSPAWN_PROJECT=nothing gwen@bench true; true'
    seen 'grep -i -e error -e warn /var/log/podspawn/podspawn.log | tail -n 1' 'WARN .*event=policy_deny'
    ok 'journalctl PODSPAWN_USER=gwen -n 5 --no-pager' 'gwen'
    ok 'journalctl -x -u podspawn-broker -n 5 --no-pager' 'Defined-By|Subject:'
    # Without a file users get no notice instead.
    configure 'log: { file: "", audit_log: "" }'
    leave gwen
    ok 'ssh gwen@bench echo quiet' '!INFO|creating' '^quiet$'
    do_ 'wc -l </var/log/podspawn/audit.jsonl >$place/lines && ssh gwen@bench true'
    ok 'wc -l </var/log/podspawn/audit.jsonl | diff - $place/lines'
    configure
    section 'logs: audit log'
    fails 3 'ssh gwen@bench "exit 3"; code=$?; sleep 0.5; exit $code'
    ok 'tail -20 /var/log/podspawn/audit.jsonl | jq .' '"event": "connect"'
    ok 'cat /var/log/podspawn/audit.jsonl | jq "select(.event == \"connect\")"' '"user": "gwen"'
    ok 'cat /var/log/podspawn/audit.jsonl | jq -c "select(.user == \"gwen\") | .event" | sort -u' \
        connect disconnect container_create command
    section 'logs: engine'
    ok 'docker ps --filter label=managed-by=podspawn' 'podspawn-gwen'
    ok 'docker logs podspawn-gwen'
    leave gwen
    echo 'memory: 64m' | put /etc/podspawn/users/gwen.yaml 0644
    do_ 'date +%s >$place/began'
    seen 'ssh gwen@bench "perl -e '"'"'\$x = q(x) x 1e9'"'"'; echo code \$?"' Killed '^code 137$'
    # Old engines call only those containers killed so whose first process was.
    instead 'docker inspect podspawn-gwen | jq .[0].State.OOMKilled' 'docker events --filter event=oom' \
        'sleep 1; docker events --filter event=oom --since "$(cat $place/began)" --until 0s; docker inspect podspawn-gwen | jq ".[0].State.OOMKilled"' \
        'container oom .*podspawn-gwen' '^(true|false)$'
    fails 255 'ssh gwen@bench "exec perl -e '"'"'\$x = q(x) x 1e9'"'"'"'
    seen 'journalctl PODSPAWN_EVENT=command PODSPAWN_USER=gwen -n 1 --no-pager' 'killed by signal 9'
    # The container lives on; more memory is for the next one.
    healed 'ssh gwen@bench echo in' '^in$'
    leave gwen
    do_ 'rm /etc/podspawn/users/gwen.yaml'
    healed 'ssh gwen@bench "perl -e '"'"'print length(q(x) x 2e8)'"'"'"' '^200000000$'
    hold gwen
    do_ 'docker kill podspawn-gwen'
    healed 'cat $place/held' '^podspawn: your container was killed by the engine'
    release
    seen 'journalctl PODSPAWN_EVENT=container_destroy PODSPAWN_USER=gwen -n 1 --no-pager' 'killed by the engine'
    healed 'ssh gwen@bench echo in' '^in$'
}
