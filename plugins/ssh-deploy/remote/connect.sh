# shellcheck shell=sh disable=SC2015,SC2034,SC2154
# connect - the first session of a connection: takes the lock and holds it. Set: who, patience and
# pulse (seconds).
# The kernel lets go of the lock when this shell dies, and it dies when its heartbeat meets a closed pipe; so
# there are no stale locks, only what a deploy that died at its work left in "owner" and "state".

[ -d "$folder" ] || tell made "$folder"
mkdir -p "$folder" 2>/dev/null || die "cannot make the folder '$folder': make it and give it to $(id -un)"
(umask 077 && mkdir -p "$home/releases") 2>/dev/null ||
    die "$(id -un) may not write to '$folder': run chown $(id -un) '$folder' on the server"
command -v flock >/dev/null || die 'the server has no flock: install util-linux there'
tell folder "$folder"

exec 8>>"$home/lock" || die "cannot open '$home/lock'"
waited=0
until flock -n 8; do
    if [ "$waited" -eq 0 ]; then
        since=$(sed -n 's/^since=//p' "$home/owner" 2>/dev/null)
        now=$(date +%s)
        tell held "$(sed -n 's/^who=//p' "$home/owner" 2>/dev/null), pid $(sed -n 's/^pid=//p' "$home/owner" 2>/dev/null), for $((now - ${since:-now})) s"
    fi
    if [ "$waited" -ge "$patience" ]; then
        tell locked no
        exit 1
    fi
    waited=$((waited + 1))
    sleep 1 8>&-
    tell beat "$waited"
done
state_load
[ -z "$pending" ] || [ ! -s "$home/owner" ] || tell died "$(sed -n 's/^who=//p' "$home/owner")"
printf '%s\n' "token=$token" "who=$who" "pid=$$" "since=$(date +%s)" >"$home/owner.new" &&
    mv -f "$home/owner.new" "$home/owner" || die "cannot write '$home/owner'"
tell locked yes
# shellcheck disable=SC2064
trap 'kill $!; exit 0' TERM
while :; do
    sleep "$pulse" >/dev/null 2>&1 8>&- &
    wait "$!"
    tell beat 0 || exit 1
done
