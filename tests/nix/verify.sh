# shellcheck shell=bash
# shellcheck disable=SC2154  # work and store are the caller's
# What the real programs say of a rendered system. Sourced by tests/nix/run, which has `holds`, `work` and `real`.

# The highest exposure that a service may have, as `systemd-analyze security` counts: as for the units themselves.
readonly MAX_EXPOSURE=20

# flatten SYSTEM TO: its /etc as plain files, in which paths of the store lead to where this machine has them.
flatten() {
    local path
    rm -rf "$2"
    mkdir -p "$2"
    (cd "$1/etc" && find . -type l -o -type f) | while read -r path; do
        mkdir -p "$2/$(dirname "$path")"
        copy "$1/etc/$path" "$2/$path"
    done
}

# copy FROM TO: a file or a directory of links into the store, with everything that they lead to.
copy() {
    local from=$1 to=$2 name
    while [ -L "$from" ]; do
        case $(readlink "$from") in
        /*) from=$(real "$(readlink "$from")") ;;
        # A unit beside the directory that wants it.
        *)
            cp -P "$from" "$to"
            return
            ;;
        esac
    done
    if [ -d "$from" ]; then
        mkdir -p "$to"
        for name in "$from"/*; do
            if [ -e "$name" ] || [ -L "$name" ]; then copy "$name" "$to/${name##*/}"; fi
        done
    else
        sed "s|/nix/store/|$store/nix/store/|g" "$from" >"$to"
        chmod u+w "$to"
    fi
}

silent() {
    local said code=0
    said=$("$@" 2>&1) || code=$?
    printf '%s' "$said"
    [ "$code" = 0 ] && [ -z "$said" ]
}

# masked FILE: whether a unit is /dev/null.
masked() { [ ! -s "$1" ]; }

# The unit files of this system, as systemd would find them.
check_units() {
    local etc=$1 unit
    local -a units=()
    for unit in "$etc"/systemd/system/*.{socket,service,timer}; do masked "$unit" || units+=("$unit"); done
    SYSTEMD_UNIT_PATH="$etc/systemd/system:/usr/lib/systemd/system:/lib/systemd/system" \
        silent systemd-analyze verify --man=no "${units[@]}"
}

# No user manager for podspawn's users, found by a program of the store: units of NixOS have no PATH to rely on.
check_managers() {
    grep -qE "^ExecCondition=\+/bin/sh -c .*$store/nix/store/[^ ]*coreutils[^ ]*/bin/id -Gn -- %i" \
        "$1/systemd/system/user@.service.d/podspawn.conf"
}

check_exposure() {
    local etc=$1 unit
    for unit in "$etc"/systemd/system/podspawn-*.service; do
        if masked "$unit"; then continue; fi
        SYSTEMD_UNIT_PATH="$etc/systemd/system:/usr/lib/systemd/system:/lib/systemd/system" systemd-analyze security \
            --offline=true --no-pager --threshold="$MAX_EXPOSURE" "$unit" >"$work/security.log" || {
            cat "$work/security.log"
            return 1
        }
        # A file that was not loaded has nothing to say.
        grep -q "Overall exposure level for ${unit##*/}: [0-9]" "$work/security.log"
    done
}

# Every unit of systemd/ is there, and what its [Install] section asks for is done; what is not enabled is not started.
check_parity() {
    local etc=$1 case=$2 unit name target
    for unit in systemd/*.{service,socket,timer}; do
        name=${unit##*/}
        [ -f "$etc/systemd/system/$name" ] || {
            echo "$name is not there"
            return 1
        }
        grep -q "$name" nix/module/*.nix || grep -q "${name%.*}\b" nix/module/*.nix || {
            echo "the module does not know $name"
            return 1
        }
        target=$(sed -n 's/^WantedBy=//p' "$unit")
        [ -n "$target" ] || continue
        if optional "$name" "$case"; then
            masked "$etc/systemd/system/$name" && ! [ -L "$etc/systemd/system/$target.wants/$name" ]
        else
            [ -L "$etc/systemd/system/$target.wants/$name" ]
        fi || {
            echo "$name: wanted by $target?"
            return 1
        }
    done
}

# effective UNIT KEYS: what is in force of a unit with its overrides: an empty value takes back what was said before.
effective() {
    cat "$1" "$1.d/overrides.conf" 2>/dev/null | awk -v keys="^($2)=" '
        $0 !~ keys { next }
        /=$/       { count = 0; next }
                   { lines[count++] = $0 }
        END        { for (i = 0; i < count; i++) printf "%s%s", (i ? " " : ""), lines[i] }'
}

# check_overrides ETC CASE: lists are what the module says, not what it says and what the package says.
check_overrides() {
    local dir=$1/systemd/system backup=daily cleanup=5min unit listen='127.0.0.1:9746'
    if [ "$2" = full ]; then backup='*-*-* 03:30:00' cleanup=1min listen='[::1]:9999'; fi
    [ "$(effective "$dir/podspawn-backup.timer" OnCalendar)" = "OnCalendar=$backup" ]
    [ "$(effective "$dir/podspawn-cleanup.timer" 'OnBootSec|OnUnitActiveSec')" = "OnBootSec=1min OnUnitActiveSec=$cleanup" ]
    masked "$dir/podspawn-metrics.socket" || [ "$(effective "$dir/podspawn-metrics.socket" ListenStream)" = \
        "ListenStream=$listen ListenStream=/run/podspawn/metrics.sock" ]
    if [ "$2" = full ]; then
        # Homes, database and log file are elsewhere, and so is the engine.
        [[ $(effective "$dir/podspawn-broker.service" ReadWritePaths) == *"=/home/podspawn "*"=/srv/podspawn "*"=/srv/log" ]]
        [ "$(effective "$dir/podspawn-broker.service" ProtectHome)" = 'ProtectHome=yes ProtectHome=false' ]
        [ "$(effective "$dir/podspawn-broker.service" SupplementaryGroups)" = SupplementaryGroups=podman ]
        [ "$(effective "$dir/podspawn-backup.service" ExecStart | sed 's/.*podspawn //')" = 'backup --homes' ]
        [[ $(effective "$dir/podspawn-textfile.service" 'Environment|ReadWritePaths') == *DIRECTORY=/var/lib/node-exporter* ]]
    fi
    [[ $(effective "$dir/podspawn-backup.service" ReadWritePaths) == *"=$(jq -r .backup.dir "$1/podspawn/config.yaml")" ]]
    for unit in "$dir"/podspawn-*.service; do
        masked "$unit" || [[ $(effective "$unit" ExecStart) =~ ^ExecStart=[^=]*/bin/podspawn\ [^=]*$ ]]
    done
}

# optional UNIT CASE: whether the case did not ask for it.
optional() {
    case $1/$2 in
    podspawn-textfile.timer/full) return 1 ;;
    podspawn-textfile.timer/* | podspawn-metrics.socket/hostile) ;;
    *) return 1 ;;
    esac
}

# From which address and to which port a user may connect.
readonly CONNECTIONS=('addr=127.0.0.1,lport=22' 'addr=10.1.2.3,lport=22' 'addr=192.0.2.7,lport=2222')

# sshd_file CONFIG GROUP: a copy for this machine's sshd, where group podspawn is empty: GROUP stands in for it.
sshd_file() {
    local block
    # Debian's sshd says nothing without it, and only its service makes it.
    [ -d /run/sshd ] || mkdir -m 0755 /run/sshd
    [ -f "$work/host_key" ] || ssh-keygen -q -t ed25519 -N '' -f "$work/host_key"
    block=$(sed -n 's/^Include \(.*-sshd-podspawn[.]conf\)$/\1/p' "$1")
    sed "s|^Match Group podspawn$|Match Group $2|" "$block" >"$work/sshd-podspawn.conf"
    grep -qxF "Match Group $2" "$work/sshd-podspawn.conf"
    sed "s|^Include $block$|Include $work/sshd-podspawn.conf|; s|^HostKey .*|HostKey $work/host_key|" "$1" >"$work/sshd_config"
}

# sshd_options FILE CONNECTION: what sshd makes of it for root, who is in group root alone.
sshd_options() {
    /usr/sbin/sshd -T -f "$1" -C "user=root,host=client.example.org,laddr=192.0.2.1,$2" 2>"$work/sshd.err" || {
        cat "$work/sshd.err" >&2
        return 1
    }
}

# Every keyword of the block, whatever other blocks say of the user, the address, the port or all users.
check_sshd() {
    local connection keyword value line
    sshd_file "$1/ssh/sshd_config" root
    for connection in "${CONNECTIONS[@]}"; do
        sshd_options "$work/sshd_config" "$connection" >"$work/sshd.log"
        while read -r keyword value; do
            case $keyword in
            '' | '#'* | Match) continue ;;
            AcceptEnv) value=${value// /$'\n'acceptenv } ;;
            esac
            if grep -qi "unsupported option \"\?$keyword" "$work/sshd.err"; then continue; fi
            while read -r line; do
                grep -qxF "$line" "$work/sshd.log" || {
                    echo "$connection: wanted $line, and there is: $(grep "^${keyword,,} " "$work/sshd.log")"
                    return 1
                }
            done <<<"${keyword,,} $value"
        done <"$work/sshd-podspawn.conf"
    done
    grep -qxF 'authorizedkeyscommand /etc/ssh/podspawn-auth-keys auth-keys %u %t %k' "$work/sshd.log"
    grep -qxF 'forcecommand exec /etc/podspawn/bin/podspawn spawn' "$work/sshd.log"
}

# A user outside the group has what the file says without podspawn's line.
check_sshd_others() {
    local connection
    sshd_file "$1/ssh/sshd_config" no-such-group
    grep -vxF "Include $work/sshd-podspawn.conf" "$work/sshd_config" >"$work/sshd_config.without"
    if diff -q "$work/sshd_config" "$work/sshd_config.without"; then return 1; fi
    for connection in "${CONNECTIONS[@]}"; do
        diff <(sshd_options "$work/sshd_config.without" "$connection") <(sshd_options "$work/sshd_config" "$connection")
    done
}

# Copied, root's, and no other user's to change: sshd would not run a link into a store that a group may write to.
check_shim() {
    [ "$(<"$1/ssh/podspawn-auth-keys.mode")" = 0755 ]
    [ "$(head -n 1 "$1/ssh/podspawn-auth-keys")" = '#!/bin/sh' ]
    sh -n "$1/ssh/podspawn-auth-keys"
    "$(sed -n 's/^exec \([^ ]*\) .*/\1/p' "$1/ssh/podspawn-auth-keys")" --version
}

# The program of a session is found behind a path that stays.
check_command() {
    local link=$2/etc/podspawn/bin/podspawn
    [ -L "$link" ]
    [[ $(readlink "$link") == /nix/store/*/bin/podspawn ]]
    "$(real "$(readlink "$link")")" --version
}

# NixOS's own check of the file: it names no user, and has to find nothing wrong.
check_sshd_unnamed() {
    sshd_file "$1/ssh/sshd_config" podspawn
    /usr/sbin/sshd -T -C lport=22 -f "$work/sshd_config" >"$work/sshd.log"
}

# logrotate's own unit lets it become podspawn, and talk to systemd. The last word on each is the module's.
check_logrotate_unit() {
    local unit=$1/systemd/system/logrotate.service
    systemd-analyze security --offline=true --json=short "$unit" >"$work/security.log"
    jq -e 'map(select(.json_field | IN("RestrictAddressFamilies_AF_UNIX", "CapabilityBoundingSet_CAP_SET_UID_GID_PCAP")).set)
        == [false, false]' "$work/security.log"
    [ "$(grep '^SystemCallFilter=' "$unit" | tail -n 1)" = SystemCallFilter=@setuid ]
}

# Both logs, as often and as many as on every other distribution.
check_logrotate() {
    local file=$work/logrotate.conf key how log
    # It refuses accounts that are not there, and here podspawn's are not.
    sed 's/podspawn podspawn-admin/root root/' "$1/logrotate.conf" >"$file"
    chmod 0644 "$file"
    logrotate --debug --state /dev/null "$file" >"$work/logrotate.log" 2>&1
    while read -r key how; do
        log=$(jq -r ".log.$key" "$1/podspawn/config.yaml")
        grep -qF "rotating pattern: \"$log\"  $how" "$work/logrotate.log"
    done <<'TEXT'
file after 1 days (1000 rotations)
audit_log weekly (1000 rotations)
TEXT
    ! grep 'error:' "$work/logrotate.log"
}

# check_tmpfiles ETC SYSTEM: the directories, with owners and modes, in an empty root with the system's accounts.
check_tmpfiles() {
    local root=$work/tmpfiles-root path mode owner wanted
    rm -rf "$root"
    mkdir -p "$root/etc" "$root/srv" "$root/var/lib" "$root/var/log" "$root/home"
    jq -r '.groups | keys[] | select(. != "root")' "$2/accounts.json" | awk '{ print $1 ":x:" 900 + NR ":" }' >"$root/etc/group"
    printf 'root:x:0:\n' >>"$root/etc/group"
    jq -r '.users | keys[] | select(. != "root")' "$2/accounts.json" | awk '{ print $1 ":x:" 900 + NR ":901::/:/bin/sh" }' >"$root/etc/passwd"
    printf 'root:x:0:0::/root:/bin/sh\n' >>"$root/etc/passwd"
    silent systemd-tmpfiles --create --root="$root" "$1"/tmpfiles.d/*.conf
    while read -r path mode owner; do
        wanted="$mode $(awk -F: -v name="$owner" '$1 == name { print $3 }' "$root/etc/passwd")"
        [ "$(stat -c '%a %u' "$root$path")" = "$wanted" ] || {
            echo "$path: $(stat -c '%a %u' "$root$path") and not $wanted, $owner's"
            return 1
        }
    done <<TEXT
/etc/podspawn 755 root
/run/podspawn 755 root
/run/podspawn/guests 700 podspawn
/var/lib/podspawn 700 podspawn
/var/log/podspawn 2750 podspawn
/var/lib/podspawn-backup 755 podspawn-backup
/run/podspawn/measurements 2750 podspawn
$(jq -r '.state.homes_dir' "$1/podspawn/config.yaml") 700 podspawn
$(jq -r '.backup.dir // empty | . + " 700 podspawn-backup"' "$1/podspawn/config.yaml")
TEXT
}

# Every budget of the package, at least as large; NixOS's own values win.
check_sysctl() {
    local key value found
    while read -r key _ value; do
        [[ $key == *.* ]] || continue
        found=$(sed -n "s/^$key=//p" "$1/sysctl.d/60-nixos.conf")
        [ "${found:-0}" -ge "$value" ] || {
            echo "$key is '$found' and not $value"
            return 1
        }
    done <systemd/sysctl.d/50-podspawn.conf
    grep -qx 'fs.inotify.max_user_instances=524288' "$1/sysctl.d/60-nixos.conf"
}

# The accounts of systemd/sysusers.d are the module's, no user has a password, and none is in group docker.
check_accounts() {
    local kind name
    while read -r kind name _; do
        case $kind in
        g) jq -e --arg name "$name" '.groups[$name]' "$1/accounts.json" ;;
        u) jq -e --arg name "$name" '.users[$name].isSystemUser and .groups[.users[$name].group] != null' "$1/accounts.json" ;;
        *) continue ;;
        esac || {
            echo "$kind $name is not declared"
            return 1
        }
    done <systemd/sysusers.d/podspawn.conf
    jq -e '[.users[] | select(.description == "podspawn user") | .initialHashedPassword == "*"
        and (.hashedPassword | IN(null, "*"))
        and .group == "podspawn" and .home == "/var/empty" and .shell == "/bin/sh" and .linger != true
        and (.autoSubUidGidRange | not)] | length > 0 and all' "$1/accounts.json"
    jq -e '[.users[].extraGroups[]] == []' "$1/accounts.json"
}

# systemd-sysusers makes the accounts, the broker is in Podman's group, and the keys of an account are podspawn's.
check_podman() {
    jq -e '.users.alice.isSystemUser and (.users.alice.isNormalUser | not) and (.groups | has("docker") | not)' \
        "$2/accounts.json"
    [ "$(effective "$1/systemd/system/podspawn-broker.service" SupplementaryGroups)" = SupplementaryGroups=podman ]
    [ "$(cut -d ' ' -f 3 "$1/podspawn/keys/alice" | sort | tr '\n' ' ')" = 'alice@account bob@desk ' ]
}

# What the hostile case says is in its files as it was said, and not what a shell, Nix or YAML would make of it.
check_literal() {
    local user=$1/podspawn/users/a.b-c_d.yaml
    [ "$(jq -r .env.A "$user")" = "\$(touch /tmp/owned) '\" \`id\` \${HOME} %n \\" ]
    [ "$(jq -r .env.B "$user")" = 'yes: [no, {' ]
    jq -e '.env.C == "1.10" and .env.D == ""' "$user"
    grep -qF "X \$(touch /tmp/owned) '\"; \`id\` \${HOME} %u" "$1/podspawn/keys/a.b-c_d"
}

# NixOS's own default is sshd's.
check_firewall() {
    local ports='[22]'
    [ "$2" != full ] || ports='[22,9999]'
    jq -e --argjson ports "$ports" 'sort == $ports' "$1/firewall.json"
}

# A Prometheus that is there asks where podspawn listens, and knows the alerts.
check_prometheus() {
    promtool check config "$1/prometheus.yml"
    jq -e '[.scrape_configs[].static_configs[].targets[]] == ["[::1]:9999"] and (.rule_files | length == 1)' "$1/prometheus.yml"
}

# verify CASE SYSTEM: all of it, for one system.
verify() {
    local case=$1 system=$2 etc=$work/rendered/$1
    flatten "$system" "$etc"
    holds "$case: systemd has nothing to say about the units" check_units "$etc"
    holds "$case: systemd starts no user manager for podspawn's users" check_managers "$etc"
    holds "$case: every service is as locked up as it can be" check_exposure "$etc"
    holds "$case: every unit is wired, and started by what its [Install] says" check_parity "$etc" "$case"
    holds "$case: what is overridden is replaced" check_overrides "$etc" "$case"
    holds "$case: sshd gives podspawn's users podspawn's command" check_sshd "$etc"
    holds "$case: sshd leaves all other users alone" check_sshd_others "$etc"
    holds "$case: sshd takes the file without a user" check_sshd_unnamed "$etc"
    holds "$case: sshd can run the program for keys" check_shim "$etc"
    holds "$case: an account's shell can run the program for sessions" check_command "$etc" "$system"
    holds "$case: systemd-tmpfiles makes the directories" check_tmpfiles "$etc" "$system"
    holds "$case: the kernel's budgets are raised" check_sysctl "$etc"
    holds "$case: podspawn finds no mistake in its files" "$(real "$(readlink "$system/sw/bin/podspawn")")" check-config "$etc/podspawn"
    holds "$case: the accounts are declared" check_accounts "$system"
    if [ "$case" = full ]; then
        holds "$case: logrotate takes its configuration" check_logrotate "$etc"
        holds "$case: logrotate can rotate podspawn's logs" check_logrotate_unit "$etc"
    fi
    if [ -e "$etc/prometheus.yml" ]; then
        holds "$case: Prometheus takes its configuration" check_prometheus "$etc"
    fi
    if [ "$case" = podman ]; then holds "$case: another engine, and another maker of accounts" check_podman "$etc" "$system"; fi
    if [ "$case" = hostile ]; then holds "$case: every text is the text that it was" check_literal "$etc"; fi
    holds "$case: no port is opened but those that are asked for" check_firewall "$system" "$case"
}
