#!/bin/sh
# svc.sh - makes a service of systemd's of the runner in this folder, as GitHub's script of this name does:
#
#   sudo ./svc.sh install [USER]     USER: whose jobs run as; if it is not said, who called sudo
#   sudo ./svc.sh start | stop | status | uninstall
#
# The service has the name that GitHub's has, actions.runner.OWNER-REPOSITORY.NAME.service, and ".service" in this folder says it.
# Its unit is ostler.service with another user, folder and command; or what $GITHUB_ACTIONS_RUNNER_SERVICE_TEMPLATE is.
# Another ostler than that of PATH: $OSTLER.
set -u

here=$(cd -P -- "$(dirname -- "$(readlink -f -- "$0")")" && pwd)
units=${OSTLER_UNIT_FOLDER:-/etc/systemd/system} # other ones are for tests

failed() {
    echo "Failed: $1" >&2
    exit 1
}

usage() {
    printf '\nUsage:\n./svc.sh [install, start, stop, status, uninstall]\nCommands:\n'
    printf '   %s\n' 'install [user]: Install runner service as Root or specified user.' \
        'start: Manually start the runner service.' 'stop: Manually stop the runner service.' \
        'status: Display status of runner service.' 'uninstall: Uninstall runner service.'
    echo
}

# said NAME: the text of that member of the registration.
said() {
    sed -n 's/.*"'"$1"'" *: *"\([^"]*\)".*/\1/p' "$here/.runner" | head -n 1
}

# The address without its server, then the runner's name; what is no letter, digit, ".", "_" or "-" becomes "-".
service_name() {
    url=$(said gitHubUrl)
    name=$(said agentName)
    [ -n "$url" ] || url=$(said address) name=$(said name) # a Gitea's
    path=$(printf '%s' "$url" | sed 's|^[a-z]*://||; s|/*$||; s|^[^/]*/||; s|^enterprises/||')
    printf 'actions.runner.%s.%s.service' "$(printf '%s' "$path" | sed 's/[^0-9a-zA-Z._-]/-/g' | cut -c -70)" \
        "$(printf '%s' "$name" | sed 's/ /_/g; s/[^0-9a-zA-Z._-]/-/g' | cut -c -60)"
}

# Text that the right side of sed's "s|||" takes as it is.
verbatim() {
    printf '%s' "$1" | sed 's/[\\&|]/\\&/g'
}

# Words of a unit: quoted, and "%" is no specifier.
word() {
    printf '"%s"' "$(printf '%s' "$1" | sed 's/[\\"]/\\&/g; s/%/%%/g')"
}

template() {
    for unit in /usr/lib/systemd/system /lib/systemd/system "$(dirname -- "$here")/systemd"; do
        [ ! -f "$unit/ostler.service" ] || { echo "$unit/ostler.service" && return; }
    done
    failed "there is no ostler.service: install the package 'ostler', or name a unit in GITHUB_ACTIONS_RUNNER_SERVICE_TEMPLATE"
}

# make_unit USER: prints it.
make_unit() {
    about="Ostler, a runner of CI/CD jobs (${service%.service})"
    if [ -n "${GITHUB_ACTIONS_RUNNER_SERVICE_TEMPLATE:-}" ]; then
        sed "s|{{User}}|$(verbatim "$1")|g; s|{{Description}}|$(verbatim "$about")|g; s|{{RunnerRoot}}|$(verbatim "$here")|g" \
            "$GITHUB_ACTIONS_RUNNER_SERVICE_TEMPLATE"
        return
    fi
    program=$(command -v "${OSTLER:-ostler}") || failed "there is no 'ostler' in PATH"
    # The package's user has folders of its own; this one has its HOME, and the registration here.
    sed -e '/^#/d; /^Condition/d; /^StateDirectory/d; /^RuntimeDirectory/d' \
        -e "s|^Description=.*|Description=$(verbatim "$about")|" -e "s|^User=.*|User=$(verbatim "$1")|" \
        -e "s|^ExecStart=.*|WorkingDirectory=$(verbatim "$(printf '%s' "$here" | sed 's/%/%%/g')")\nExecStart=$(verbatim "$(word "$program") listen $(word "$here")")|" \
        "$(template)"
}

install_service() {
    user=${1:-${SUDO_USER:-root}}
    [ -f "$here/.runner" ] || failed "there is no registration in '$here': ./config.sh makes one"
    echo "Creating launch runner in $unit"
    [ ! -e "$unit" ] || failed "error: exists $unit"
    echo "Run as user: $user"
    id -u "$user" >/dev/null 2>&1 || failed "User does not exist"
    owner=$(stat -c %U "$here/.runner")
    [ "$owner" = "$user" ] || failed "the registration is one of '$owner', which '$user' may not read: ./svc.sh install $owner, or chown -R $user '$here'"
    make_unit "$user" >"$unit.new" || { rm -f "$unit.new" && exit 1; }
    { chmod 644 "$unit.new" && mv "$unit.new" "$unit"; } || failed "failed to create $unit"
    ! command -v restorecon >/dev/null || restorecon "$unit" || true # SELinux
    systemctl daemon-reload || failed "failed to reload daemons"
    systemctl enable "$service" || failed "failed to enable $service"
    # Written by its owner: where others put links, root writes nothing.
    echo "$service" | runuser -u "$user" -- tee "$here/.service" >/dev/null || failed "failed to create .service file"
}

show_status() {
    [ -f "$unit" ] || { printf '\nnot installed\n\n' && exit 1; }
    printf '\n%s\n' "$unit"
    systemctl --no-pager status "$service"
}

uninstall_service() {
    if [ -f "$unit" ]; then
        systemctl stop "$service" || failed "failed to stop $service"
        systemctl disable "$service" || failed "failed to disable $service"
        rm "$unit" || failed "failed to delete $unit"
    else
        echo "Service $service is not installed"
    fi
    rm -f "$here/.service" || failed "failed to delete .service"
    systemctl daemon-reload || failed "failed to reload daemons"
}

[ "$(id -u)" -eq 0 ] || { echo "Must run as sudo" && exit 1; }
# What the folder says is its owner's word: no other service of this machine's is touched for it.
service=$(cat "$here/.service" 2>/dev/null) || service=
case $service in
*/* | *[!0-9a-zA-Z._-]*) service= ;;
actions.runner.?*.service) ;;
*) service= ;;
esac
[ -n "$service" ] || [ ! -f "$here/.runner" ] || service=$(service_name)
unit=$units/${service:-none}

case ${1-} in
install) install_service "${2-}" ;;
start | stop)
    [ -f "$unit" ] || failed "the service is not installed: ./svc.sh install"
    systemctl "$1" "$service" || failed "failed to $1 $service"
    show_status
    ;;
status) show_status ;;
uninstall) uninstall_service ;;
*) usage ;;
esac
exit 0
