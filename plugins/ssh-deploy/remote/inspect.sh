# shellcheck shell=sh disable=SC2015,SC2034,SC2154
# inspect - what is there, and whether the deploy can be done at all. Changes nothing. Set: needs_rsync.

for env in "$folder/.env" "$folder/shared/.env"; do
    [ -e "$env" ] || continue
    case $(ls -ldL "$env") in
    ???????r* | ????????w*) die "everybody on the server can read '$env': run chmod 600 '$env' there" ;;
    esac
done
if [ "$strategy" = compose ]; then
    command -v docker >/dev/null || die 'the server has no docker: install it there'
    if docker compose version >/dev/null 2>&1; then
        tell compose 2
    elif command -v docker-compose >/dev/null; then
        tell compose 1
    else
        die 'the server has no docker compose: install docker-compose-plugin there'
    fi
    docker ps -q >/dev/null 2>&1 ||
        die "$(id -un) may not use docker on the server, or it is not running: try 'docker ps' there as $(id -un)"
fi
if [ "$needs_rsync" = true ]; then
    command -v rsync >/dev/null || die 'the server has no rsync: install it there'
fi
begin
tell current "$current"
tell previous "$previous"
tell last "$last"
tell by "$by"
if [ -n "$pending" ]; then
    tell pending "$pending"
    tell step "$step"
    tell pending_who "$(record "$pending" who)"
fi
for n in $current $previous; do
    tell "dir_$n" "$([ -d "$home/releases/$n" ] && echo yes)"
    tell "strategy_$n" "$(record "$n" strategy)"
done
