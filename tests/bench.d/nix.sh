# shellcheck shell=bash
# shellcheck disable=SC2154  # root and bench are the caller's
# The bench host as podspawn's NixOS module declares it. Sourced by tests/bench, which has `root`, `in_host` and `say`.

# nix_system CASE BINARY: builds a system of tests/nix/cases; prints where this machine has it.
nix_system() {
    PODSPAWN_BIN=$2 "$root/tests/nix/run" system "$root/tests/nix/cases/$1.nix" 2>"$bench/nix.log" || {
        tail -n 20 "$bench/nix.log" >&2
        return 1
    }
}

# activate_nix SYSTEM: puts it with all that it refers to into the bench host's store, and switches to it.
activate_nix() {
    local store=${1%/nix/store/*} path
    local -a missing=()
    while read -r path; do
        in_host test -e "$path" </dev/null || missing+=("${path##*/}")
    done < <(NIX_REMOTE="local?root=$store" nix-store --query --requisites "${1#"$store"}" 2>/dev/null)
    if [ "${#missing[@]}" -gt 0 ]; then
        tar -C "$store/nix/store" --owner=0 --group=0 -cf - "${missing[@]}" |
            in_host sh -c 'mkdir -p /nix/store && tar -C /nix/store -xpf -'
    fi
    in_host bash -s "${1#"$store"}" <"$root/tests/nix/activate"
}
