# shellcheck shell=bash
# shellcheck disable=SC2154  # out is the derivation's
# What nixpkgs' hooks offer to a package's phases.

runHook() { :; }

# substituteInPlace FILE… --replace-fail FROM TO…: each FROM has to be in each file.
substituteInPlace() {
    local file text
    local -a files=()
    while [ $# -gt 0 ] && [ "$1" != --replace-fail ]; do
        files+=("$1")
        shift
    done
    while [ $# -gt 0 ]; do
        if [ "$1" != --replace-fail ] || [ $# -lt 3 ]; then
            echo "substituteInPlace: $1?" >&2
            return 1
        fi
        for file in "${files[@]}"; do
            text=$(<"$file")
            [[ $text == *"$2"* ]] || {
                echo "substituteInPlace: there is no $2 in $file" >&2
                return 1
            }
            printf '%s\n' "${text//"$2"/"$3"}" >"$file"
        done
        shift 3
    done
}

installManPage() {
    local page
    for page; do install -D -m 0444 "$page" "$out/share/man/man${page##*.}/${page##*/}"; done
}

installShellCompletion() {
    local file name
    for file; do
        name=${file##*/}
        case $name in
        *.bash) install -D -m 0444 "$file" "$out/share/bash-completion/completions/${name%.bash}.bash" ;;
        *.zsh) install -D -m 0444 "$file" "$out/share/zsh/site-functions/_${name%.zsh}" ;;
        *.fish) install -D -m 0444 "$file" "$out/share/fish/vendor_completions.d/$name" ;;
        *)
            echo "installShellCompletion: $file?" >&2
            return 1
            ;;
        esac
    done
}
