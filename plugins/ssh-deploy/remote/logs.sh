# shellcheck shell=sh disable=SC2015,SC2034,SC2154
# logs - the end of what the containers of a release said: of those that failed, or of all when none did.

state_load
show() {
    for id in $(containers "$release"); do
        # shellcheck disable=SC2046
        set -- $(docker inspect -f '{{.Name}} {{.State.Status}} {{.State.ExitCode}} {{if .State.Health}}{{.State.Health.Status}}{{else}}none{{end}}' "$id" 2>/dev/null)
        case $2/$3/$4 in
        running/*/none | running/*/healthy | exited/0/*) [ "$failed" = false ] || continue ;;
        esac
        [ "$failed" = true ] || [ "$shown" = no ] || continue
        shown=yes
        echo "---- ${1#/} is $2 (exit code $3, health $4) and said at last:"
        docker logs --tail 50 "$id" 2>&1
    done
}
shown=no
for failed in true false; do
    show
    [ "$shown" = no ] || break
done
