# shellcheck shell=sh disable=SC2015,SC2034,SC2154
# prepare - makes the folder of a release; nothing that runs is touched. Set: who, commit. Behind it stand
# calls of put_env and put, one a file, and at last prepared.

begin
if [ -n "$pending" ]; then
    record_set "$pending" state interrupted
fi
pending=$release step=preparing by=$deploy last=$release
state_save # before anything else: the number is never used again
into=$home/releases/$release
rm -rf "$into"
mkdir -p "$into/files" || die "cannot make '$into'"
: >"$into/env"

put() {
    mkdir -p "$into/$(dirname "$1")" && printf '%s' "$2" >"$into/$1" || die "cannot write '$into/$1'"
}

put_env() {
    printf '%s=%s\n' "$1" "$2" >>"$into/env" || die "cannot write '$into/env'"
}

prepared() {
    chmod 600 "$into/env"
    printf '%s\n' "strategy=$strategy" "who=$who" "commit=$commit" "started=$(date +%s)" "previous=$current" \
        "state=preparing" >"$into/record" || die "cannot write '$into/record'"
    if [ "$strategy" = release ]; then
        mkdir -p "$folder/releases" && rm -rf "$folder/releases/$release" || die "cannot write to '$folder/releases'"
        tell base "$([ ! -d "$folder/releases/$current" ] || echo "$current")"
    fi
}
