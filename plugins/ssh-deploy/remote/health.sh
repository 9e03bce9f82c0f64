# shellcheck shell=sh disable=SC2015,SC2034,SC2154
# health - one look at the release, from the server. Set: url, seconds, script, look (at containers). Tells
# health=ok, wait (look again) or dead (no use), and why.

state_load
bad() {
    tell why "$2"
    tell health "$1"
    exit 0
}

if [ "$look" = true ]; then
    ids=$(containers "$release")
    [ -n "$ids" ] || bad dead 'it has no container'
    for id in $ids; do
        # shellcheck disable=SC2046
        set -- $(docker inspect -f '{{.Name}} {{.State.Status}} {{.State.ExitCode}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}' "$id" 2>/dev/null)
        case ${2:-gone}/${4:-none} in
        running/healthy | running/none) ;;
        exited/*) [ "$3" = 0 ] || bad dead "the container ${1#/} ended with exit code $3" ;;
        dead/* | gone/*) bad dead "the container ${1#/} is gone" ;;
        */none) bad wait "the container ${1#/} is $2" ;;
        *) bad wait "the container ${1#/} is $2 and $4" ;;
        esac
    done
fi
if [ -n "$url" ]; then
    if command -v curl >/dev/null; then
        said=$(curl -fsS -L -m "$seconds" -o /dev/null -- "$url" 2>&1) || bad wait "$url: $(echo "$said" | tail -n 1)"
    elif command -v wget >/dev/null; then
        wget -q -T "$seconds" -O /dev/null -- "$url" 2>/dev/null || bad wait "$url does not answer, or not with success"
    else
        die 'the server has neither curl nor wget for the health check: install one, or set health-from to runner'
    fi
fi
if [ -n "$script" ]; then
    run_as "$release" "$script"
    code=$?
    [ "$code" -eq 0 ] || bad wait "the health command ended with exit code $code"
fi
tell health ok
