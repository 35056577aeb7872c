# shellcheck shell=bash
# shellcheck disable=SC2034  # used where this is sourced, in tests/bench
# The bench's images, from Debian's packages alone. build_KIND SUITE prints a root file system as tar.
# The hash of this file is in every tag and label: change a recipe, and all are rebuilt.

RECIPE=$(sha256sum "${BASH_SOURCE[0]}" | cut -c1-12)
RECIPE_LABEL=podspawn.bench.recipe
KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg
# All but `host` go into the bench host's own engine, as podspawn-KIND:latest.
IMAGES=(host workload alpine-like scratch)

HOST_PACKAGES=(
    systemd systemd-sysv dbus libpam-systemd openssh-server openssh-client
    docker.io iptables iproute2 ca-certificates
    logrotate sqlite3 curl jq procps strace rsync git
    docker-registry # so that there is something to pull from; started by the test that does
)
WORKLOAD_PACKAGES=(
    bash openssh-sftp-server openssh-client rsync git locales procps ca-certificates
)

# What a bench never reads. i18n stays until locale-gen has run.
SLIM=(
    --dpkgopt='path-exclude=/usr/share/doc/*'
    --dpkgopt='path-exclude=/usr/share/man/*'
    --dpkgopt='path-exclude=/usr/share/info/*'
    --dpkgopt='path-exclude=/usr/share/locale/*'
    --dpkgopt='path-include=/usr/share/locale/locale.alias'
)
# shellcheck disable=SC2016  # $1 is the hook's argument, the new root
SLIM_HOOK='rm -rf "$1"/var/lib/apt/lists/* "$1"/var/cache/apt/*.bin "$1"/etc/machine-id; : >"$1"/etc/machine-id'

# Prints one sources line for each place that apt on this machine has Debian from, for another suite.
# Prints nothing where apt has no Debian (Ubuntu): mmdebstrap then uses its own default.
debian_sources() {
    local suite=$1
    # shellcheck disable=SC2016  # apt-get's own placeholders
    apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(CODENAME)|$(REPO_URI)' 'Created-By: Packages' |
        awk -F'|' -v suite="$suite" '
            $1 != "Debian"             { next }
            $2 == "Debian-Security"    { print "deb " $4 " " suite "-security main"; next }
            $3 ~ /-backports/          { next }
            $3 ~ /-updates$/           { print "deb " $4 " " suite "-updates main"; next }
            $2 == "Debian"             { print "deb " $4 " " suite " main" }' |
        sort -u
}

# debstrap SUITE MMDEBSTRAP-OPTIONS…: a root file system as tar on stdout.
debstrap() {
    local suite=$1 option
    shift
    local -a aptopts=() sources=()
    # A proxy, or a snapshot mirror with an old date, is this machine's setting: mmdebstrap reads none of it.
    while IFS= read -r option; do
        aptopts+=("--aptopt=$option")
    done < <(apt-config dump | grep -E '^Acquire::(https?::|Check-|Retries)' | grep -v ' "";$')
    mapfile -t sources < <(debian_sources "$suite")
    mmdebstrap --quiet --mode=root "${aptopts[@]}" \
        --keyring="$KEYRING" \
        "$@" "$suite" - "${sources[@]}"
}

# image_tag KIND SUITE: its name in the outer engine.
image_tag() {
    case $1 in
    host) echo "podspawn-bench-host:$2-$RECIPE" ;;
    *) echo "podspawn-bench-$1:$RECIPE" ;;
    esac
}

build_host() {
    local suite=$1 packages
    local -a masks=(
        # Writes kernel settings that are the whole machine's, not the container's.
        systemd-sysctl.service systemd-binfmt.service proc-sys-fs-binfmt_misc.automount
        # Do nothing useful here, at a cost.
        systemd-modules-load.service console-getty.service getty.target
        apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer fstrim.timer
    )
    packages=$(IFS=,; echo "${HOST_PACKAGES[*]}")
    [ "$suite" = bookworm ] || packages+=,docker-cli # bookworm's docker.io has the client in it
    # Host keys are made at boot: no two benches share one.
    debstrap "$suite" --variant=minbase "${SLIM[@]}" --include="$packages" \
        --customize-hook="rm -f \"\$1\"/etc/ssh/ssh_host_*" \
        --customize-hook="chroot \"\$1\" systemctl --quiet mask ${masks[*]}" \
        --customize-hook="chroot \"\$1\" systemctl --quiet disable docker-registry.service" \
        --customize-hook="$SLIM_HOOK"
}

build_workload() {
    # shellcheck disable=SC2016
    debstrap bookworm --variant=minbase "${SLIM[@]}" \
        --include="$(IFS=,; echo "${WORKLOAD_PACKAGES[*]}")" \
        --customize-hook='echo "en_US.UTF-8 UTF-8" >"$1"/etc/locale.gen; chroot "$1" locale-gen >/dev/null' \
        --customize-hook='rm -rf "$1"/usr/share/i18n' \
        --customize-hook="$SLIM_HOOK"
}

# busybox_in DIR: the path of Debian's static busybox, unpacked there.
busybox_in() {
    debstrap bookworm --variant=extract --include=busybox-static | tar -C "$1" -xf -
    find "$1" -type f -path '*bin/busybox'
}

# No bash, no sftp-server, no C library: busybox as /bin, and root alone in /etc.
build_alpine_like() {
    local dir busybox applet
    dir=$(mktemp -d)
    mkdir -p "$dir"/{debian,image/{bin,etc,root,tmp,var}}
    busybox=$(busybox_in "$dir/debian")
    cp "$busybox" "$dir/image/bin/busybox"
    for applet in $("$busybox" --list); do
        [ "$applet" = busybox ] || ln -s busybox "$dir/image/bin/$applet"
    done
    chmod 1777 "$dir/image/tmp"
    echo 'root:x:0:0:root:/root:/bin/sh' >"$dir/image/etc/passwd"
    echo 'root:x:0:' >"$dir/image/etc/group"
    tar -C "$dir/image" -cf - .
    rm -rf "$dir"
}

# One static binary and nothing else: no shell, no /etc, no /tmp. Busybox goes by its name, so it has two:
# `/busybox echo hi` works, and /app fails with 127 as any program may.
build_scratch() {
    local dir
    dir=$(mktemp -d)
    mkdir "$dir"/{debian,image}
    cp "$(busybox_in "$dir/debian")" "$dir/image/app"
    ln "$dir/image/app" "$dir/image/busybox"
    tar -C "$dir/image" -cf - app busybox
    rm -rf "$dir"
}
