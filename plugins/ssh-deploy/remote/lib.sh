# shellcheck shell=sh disable=SC2015,SC2034,SC2154
# lib - what every script on a server begins with. The stage sets these in front of it, quoted:
#   folder   the deploy's folder       token   of this connection: who has the lock has written it down
#   deploy   the id of this deploy     release, strategy, compose_is   where they are known
# A line that begins with "@$token " is for the stage; all others are for people.

exec </dev/null # else a command could eat what is left of the script
case $folder in
/*) ;;
'~') folder=$HOME ;;
'~'/*) folder=$HOME/${folder#??} ;;
*) folder=$HOME/$folder ;;
esac
home=$folder/.ostler

tell() {
    printf '@%s %s=%s\n' "$token" "$1" "$2"
}

die() {
    tell error "$1"
    exit 1
}

trap 'tell exit "$?"' EXIT # without this line the connection broke

# ---- state: one small file, replaced whole, so whenever somebody dies, it is sane ----

state_load() {
    current='' previous='' last=0 pending='' step='' by=''
    [ -f "$home/state" ] || return 0
    while IFS='=' read -r key value; do
        case $key in
        current) current=$value ;;
        previous) previous=$value ;;
        last) last=$value ;;
        pending) pending=$value ;;
        step) step=$value ;;
        by) by=$value ;;
        esac
    done <"$home/state"
}

state_save() {
    printf '%s\n' "current=$current" "previous=$previous" "last=$last" "pending=$pending" "step=$step" \
        "by=$by" >"$home/state.new" && mv -f "$home/state.new" "$home/state" || die "cannot write $home/state"
}

# record RELEASE NAME: a value of its record. record_set RELEASE NAME VALUE replaces one.
record() {
    [ ! -f "$home/releases/$1/record" ] || sed -n "s/^$2=//p" "$home/releases/$1/record"
}

record_set() {
    [ -d "$home/releases/$1" ] || return 0
    {
        [ ! -f "$home/releases/$1/record" ] || sed "/^$2=/d" "$home/releases/$1/record"
        printf '%s=%s\n' "$2" "$3"
    } >"$home/releases/$1/record.new" && mv -f "$home/releases/$1/record.new" "$home/releases/$1/record" ||
        die "cannot write the record of release $1"
}

# begin: for scripts that depend on the state. One at a time, even when the connection of an earlier one broke and
# it is still at work; and none without the lock, which may have been lost while it waited.
begin() {
    umask 022
    exec 9>>"$home/busy"
    waited=0
    until flock -n 9; do
        [ "$waited" -lt 600 ] || die 'a command of an earlier deploy does not end'
        waited=$((waited + 1))
        sleep 1
    done
    if [ "$(sed -n 's/^token=//p' "$home/owner" 2>/dev/null)" != "$token" ] || flock -n "$home/lock" true; then
        die 'the lock on the server has been lost: the connection broke'
    fi
    state_load
}

# ---- compose: version 2 is a part of docker, version 1 a program ----

# words KIND RELEASE: the names of that kind in what the release was deployed with.
words() {
    sed -n "s/^$1 //p" "$home/releases/$2/compose"
}

# environment RELEASE: its variables, for what runs in this (sub)shell. They are exported, not handed over in
# --env-file: compose 1 takes one such file only, compose 2 reads its values differently, and in both the
# environment wins over .env.
environment() {
    set -a
    # shellcheck disable=SC1090,SC1091
    . "$home/releases/$1/env"
    OSTLER_RELEASE=$1
    OSTLER_RELEASE_DIR=$home/releases/$1/files
    [ "$strategy" != release ] || OSTLER_RELEASE_DIR=$folder/releases/$1
    OSTLER_PREVIOUS=$current
    OSTLER_FOLDER=$folder
    set +a
}

# compose_of RELEASE WORD...: compose with the files and variables of that release.
compose_of() (
    of=$1
    shift
    cd "$folder" || exit
    n=$#
    set -- "$@" --project-directory "$folder"
    while read -r kind name; do
        case $kind in
        file) set -- "$@" -f "$home/releases/$of/files/$name" ;;
        profile) set -- "$@" --profile "$name" ;;
        project) set -- "$@" -p "$name" ;;
        esac
    done <"$home/releases/$of/compose"
    while [ "$n" -gt 0 ]; do # the words that were given go behind the options
        set -- "$@" "$1"
        shift
        n=$((n - 1))
    done
    environment "$of"
    exec 9>&-
    [ "$compose_is" = 2 ] || exec docker-compose "$@"
    exec docker compose "$@"
)

# containers RELEASE: their ids, stopped ones too. Compose is asked once (version 1 takes a second to answer); whoever
# has it change them removes what is kept.
containers() {
    kept=$home/releases/$1/containers
    # shellcheck disable=SC2046
    if [ ! -s "$kept" ] || ! docker inspect $(cat "$kept") >/dev/null 2>&1; then
        compose_of "$1" ps -a -q $(words service "$1") >"$kept" 2>/dev/null
    fi
    cat "$kept"
}

# restore_images RELEASE: tags that have moved since go back to the images that it ran with.
restore_images() {
    [ -f "$home/releases/$1/images" ] || return 0
    while read -r name id; do
        case $name in *@* | sha256:*) continue ;; esac
        [ "$(docker image inspect -f '{{.Id}}' "$name" 2>/dev/null)" = "$id" ] || docker tag "$id" "$name"
    done <"$home/releases/$1/images"
}

# run_as RELEASE SCRIPT: a person's commands, in its folder, with its variables and "compose". set -e as in a
# step; so that it holds, this is never called before an || or in an if.
run_as() (
    release=$1
    # shellcheck disable=SC2317
    compose() { compose_of "$release" "$@"; }
    cd "$folder" || exit
    [ "$strategy" != release ] || cd "$folder/releases/$release" || exit
    environment "$release"
    exec 9>&-
    set -e
    eval "$2"
)
