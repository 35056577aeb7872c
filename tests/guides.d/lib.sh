# shellcheck shell=bash
# What the walk's chapters are written in. Each call runs a command as typed and prints one line of the list.

place=/run/podspawn-guides
export place
section=
steps=0 replaced=0 failed=0

section() { section=$1; }

# run COMMAND: leaves its output and exit code in $out and $code.
run() {
    code=0
    # Not the pipe of a held connection: a process that has it open holds that.
    out=$(timeout 90 bash -o pipefail -c "$1" 2>&1 </dev/null 8>&-) || code=$?
}

# unmatched PATTERN…: says what is wrong with $out; a pattern that begins with ! must not match.
unmatched() {
    local pattern
    for pattern; do
        case $pattern in
        !*) if grep -qE -e "${pattern#!}" <<<"$out"; then echo "does match: ${pattern#!}" && return; fi ;;
        *) if ! grep -qE -e "$pattern" <<<"$out"; then echo "does not match: $pattern" && return; fi ;;
        esac
    done
}

# report RESULT SHOWN WRONG
report() {
    steps=$((steps + 1))
    local shown=${2//$'\n'/ }
    if [ -z "$3" ]; then
        printf '%-28s %-9s %s\n' "$section" "$1" "${shown:0:140}"
        return
    fi
    failed=$((failed + 1))
    printf '%-28s %-9s %s\n' "$section" FAILED "$shown"
    printf '    %s\n    exit code %s\n' "$3" "$code"
    head -n 20 <<<"$out" | sed 's/^/    | /'
}

# ok COMMAND PATTERN…: works as it always did.
ok() {
    run "$1"
    local wrong
    wrong=$(unmatched "${@:2}")
    [ "$code" = 0 ] || wrong="does not succeed. $wrong"
    report ok "$1" "$wrong"
}

# instead OLD NAMED COMMAND PATTERN…: OLD has a successor, which the documents have as NAMED.
instead() {
    run "$3"
    local wrong
    wrong=$(unmatched "${@:4}")
    [ "$code" = 0 ] || wrong="does not succeed. $wrong"
    grep -rqF -e "$2" "$place/README.md" "$place/docs" || wrong="no document names it: $2. $wrong"
    replaced=$((replaced + 1))
    report replaced "$1  ->  $3" "$wrong"
}

# seen COMMAND PATTERN…: the failure shows to the account that runs this, whatever its exit code.
seen() {
    run "$1"
    report seen "$1" "$(unmatched "${@:2}")"
}

# fails CODE COMMAND PATTERN…: as `seen`, and ends so.
fails() {
    run "$2"
    local wrong
    wrong=$(unmatched "${@:3}")
    [ "$code" = "$1" ] || wrong="does not end with $1. $wrong"
    report seen "$2" "$wrong"
}

# diagnosed CHECK OUTCOME PATTERN…: what `podspawn doctor` says of it, on one line with the remedy.
diagnosed() {
    run "podspawn doctor --json | jq -er '.. | objects | select(.check? == \"$1\") | .outcome, .seen, .remedy'"
    out=${out//$'\n'/; }
    report seen "podspawn doctor: $1" "$(unmatched "^$2; " "${@:3}")"
}

# healed COMMAND PATTERN…: after the fix it works, at once or soon.
healed() {
    local wrong end=$((SECONDS + 20))
    while :; do
        run "$1"
        wrong=$(unmatched "${@:2}")
        [ "$code" = 0 ] || wrong="does not succeed. $wrong"
        if [ -z "$wrong" ] || [ "$SECONDS" -ge "$end" ]; then break; fi
        sleep 0.2
    done
    report healed "$1" "$wrong"
}

# do_ COMMAND: what is not in the list; it has to succeed.
do_() {
    run "$1"
    [ "$code" = 0 ] || report setup "$1" "does not succeed"
}

# await COMMAND: until it succeeds.
await() {
    local end=$((SECONDS + 30))
    until run "$1" && [ "$code" = 0 ]; do
        if [ "$SECONDS" -ge "$end" ]; then
            report setup "$1" "never succeeds"
            return
        fi
        sleep 0.1
    done
}

# reload: returns when sshd has read its configuration, which it does some time after systemctl is back.
reload() {
    local before listening='journalctl -u ssh --quiet --no-pager | grep -c "Server listening"'
    run "$listening" && before=$out
    do_ 'sshd -t && systemctl reload ssh'
    await "[ \"\$($listening)\" -gt $before ]"
}

# ---- connections that stay ----

# hold USER: until `release`.
hold() {
    rm -f "$place/in" "$place/held"
    mkfifo "$place/in"
    ssh "$1@bench" 'echo ready; cat' <"$place/in" >"$place/held" 2>&1 &
    holder=$!
    exec 8>"$place/in"
    await "grep -qx ready $place/held"
}

# answers WORD: the held connection still carries bytes both ways.
answers() {
    echo "$1" >&8
    healed "grep -x $1 $place/held"
}

release() {
    exec 8>&-
    wait "$holder" || true
}

# leave USER: nothing of a user's sessions is left.
leave() {
    run "podspawn list --json | jq -r '.[] | select(.user == \"$1\") | .user + if .project then \"@\" + .project else \"\" end' |
        xargs --no-run-if-empty --max-args=1 podspawn stop"
    await "[ -z \"\$(podspawn list | awk '\$1 == \"$1\"')\" ]"
}

# ---- files ----

# put FILE MODE: from stdin, by a rename.
put() {
    cat >"$1.guides-new"
    chmod "$2" "$1.guides-new"
    mv -f "$1.guides-new" "$1"
}

# configure LINE…: the bench's config.yaml with these keys in place of its own.
configure() {
    local line base
    base=$(cat "$place/saved/podspawn/config.yaml")
    for line; do base=$(grep -v "^${line%%:*}:" <<<"$base" || true); done
    { echo "$base" && printf '%s\n' "$@"; } | put /etc/podspawn/config.yaml 0644
}
