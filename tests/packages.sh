# shellcheck shell=bash
# shellcheck disable=SC2154  # root is the caller's
# Debian packages of the programs that the scripts here use. Sourced where `root`, `say` and `die` are defined.

# need COMMAND=PACKAGE…: installs the package of each command that is missing.
need() {
    local pair
    local -a missing=()
    for pair; do
        PATH=$PATH:/usr/sbin:/sbin command -v "${pair%%=*}" >/dev/null || missing+=("${pair#*=}")
    done
    [ "${#missing[@]}" -gt 0 ] || return 0
    say "installing ${missing[*]}"
    command -v apt-get >/dev/null || die "no apt-get here; install ${missing[*]} yourself"
    with_apt install "${missing[@]}" || die "apt-get failed: see $root/target/apt.log"
}

# with_apt install PACKAGE… | download DIRECTORY PACKAGE: with fresh lists, and beside no other: apt-get update does not wait.
# What is open in the caller stays there (fd 9 is a lock of tests/bench): a daemon that a package starts would keep it.
with_apt() {
    local verb=$1
    shift
    mkdir -p "$root/target"
    (
        flock 8
        {
            apt-get update
            case $verb in
            # No daemon of a package is to start, or to run after a reboot: the files are what is wanted.
            install)
                DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install --yes --no-install-recommends \
                    -o DPkg::Lock::Timeout=300 "$@"
                ;;
            download) cd "$1" && apt-get download "$2" ;;
            esac
        } >"$root/target/apt.log" 2>&1 8>&- 9>&-
    ) 8>"$root/target/apt.lock"
}
