# shellcheck shell=sh disable=SC2015,SC2034,SC2154
# pull - the images of a release, while the old one goes on working. Set: registry, username, password (may
# be empty). A login is for this time only: it has a configuration of its own, which goes with this shell.

begin
if [ -n "$username" ]; then
    was=${DOCKER_CONFIG:-$HOME/.docker}
    if [ -z "$DOCKER_HOST$DOCKER_CONTEXT" ] && DOCKER_CONTEXT=$(docker context show 2>/dev/null); then
        export DOCKER_CONTEXT
    fi
    DOCKER_CONFIG=$(mktemp -d) || die 'cannot make a temporary folder on the server'
    export DOCKER_CONFIG
    trap 'code=$?; rm -rf "$DOCKER_CONFIG"; tell exit "$code"' EXIT
    trap 'exit 1' HUP INT TERM PIPE
    for more in cli-plugins contexts; do
        [ ! -d "$was/$more" ] || ln -s "$was/$more" "$DOCKER_CONFIG/$more"
    done
    # A here document, not a pipe: where printf is no builtin, its words are for all to read.
    docker login -u "$username" --password-stdin ${registry:+"$registry"} >/dev/null 2>"$DOCKER_CONFIG/said" <<END ||
$password
END
        die "docker login on the server: $(grep -v '^WARNING' "$DOCKER_CONFIG/said" | tail -n 1)"
fi
# shellcheck disable=SC2046
compose_of "$release" pull -q $(words service "$release") || die "the images of release $release could not be pulled"
