# shellcheck shell=bash
# What a package contains, from systemd/ alone. Sourced by tests/bench and tests/package.

# stage_files SYSTEMD STAGE DROP-IN-DIRECTORY: lays the files of SYSTEMD out under STAGE, @bin@ replaced. Where the sshd
# drop-in goes is the caller's: active, or a template.
stage_files() {
    local systemd=$1 stage=$2 from file
    local -A places=(
        [.]=usr/lib/systemd/system
        [user@.service.d]=usr/lib/systemd/system/user@.service.d
        [sysusers.d]=usr/lib/sysusers.d
        [tmpfiles.d]=usr/lib/tmpfiles.d
        [sysctl.d]=usr/lib/sysctl.d
        [catalog]=usr/lib/systemd/catalog
        [logrotate.d]=etc/logrotate.d
        [prometheus]=usr/share/podspawn/prometheus
        [grafana]=usr/share/podspawn/grafana
        [sshd_config.d]=$3
    )
    for from in "${!places[@]}"; do
        for file in "$systemd/$from"/*; do
            [ -f "$file" ] || continue
            case $from/${file##*/} in
            ./*.socket | ./*.service | ./*.timer | ./*.target | ./*.slice | *.d/* | catalog/*.catalog | prometheus/*.yml | grafana/*.json) ;;
            *) continue ;;
            esac
            install -d "$stage/${places[$from]}"
            sed 's|@bin@|/usr/bin/podspawn|g' "$file" >"$stage/${places[$from]}/${file##*/}"
        done
    done
}
