# shellcheck shell=sh disable=SC2015,SC2034,SC2154
# switch - the release goes live. Set: remove_orphans, script; behind it stand calls of share, and go.

begin

# Which images the containers of a release have: its tags may move.
note_images() {
    containers "$1" | while read -r id; do
        docker inspect -f '{{.Config.Image}} {{.Image}}' "$id"
    done >"$home/releases/$1/images.new" 2>/dev/null
    [ ! -s "$home/releases/$1/images.new" ] || mv -f "$home/releases/$1/images.new" "$home/releases/$1/images"
    rm -f "$home/releases/$1/images.new"
}

# share PATH: a folder (or file) of all releases, in this one a link.
share() {
    into=$folder/releases/$release/$1
    [ -e "$folder/shared/$1" ] || mkdir -p "$folder/shared/$1" || die "cannot make '$folder/shared/$1'"
    rm -rf "$into"
    mkdir -p "$(dirname "$into")" && ln -s "$folder/shared/$1" "$into" || die "cannot link '$into'"
}

go() {
    step=switching
    state_save
    record_set "$release" state switching
    case $strategy in
    compose)
        [ -z "$current" ] || [ ! -d "$home/releases/$current" ] || note_images "$current"
        restore_images "$release" # a new one has none yet
        set -- up -d
        [ "$remove_orphans" != true ] || set -- "$@" --remove-orphans
        rm -f "$home/releases/$release/containers"
        # shellcheck disable=SC2046
        compose_of "$release" "$@" $(words service "$release") || die "compose could not start release $release"
        ;;
    release)
        rm -f "$folder/current.new"
        ln -s "releases/$release" "$folder/current.new" && mv -fT "$folder/current.new" "$folder/current" ||
            die "cannot put the link '$folder/current' in place: is there a folder of that name?"
        ;;
    command)
        run_as "$release" "$script"
        code=$?
        [ "$code" -eq 0 ] || die "the script ended with exit code $code"
        ;;
    esac
    step=switched
    state_save
}
