#!/usr/bin/env bash
# build - the Debian packages ostler, ostler-plugins and ostler-dev, from this tree.
#
#   packaging/debian/build.sh [OUT [BUILD]]
#
# OUT gets the .deb files (default: build/debian). BUILD is a release build for the prefix /usr; it is made where it is
# not there (default: build/debian-release). With SOURCE_DATE_EPOCH set, or in a git clone, the same tree gives the same
# bytes. Needs what building needs, and dpkg-dev.
set -euo pipefail

cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.."
root=$PWD
out=${1:-build/debian}
build=${2:-build/debian-release}
version=$(sed -n 's/^project(ostler VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)-1
arch=$(dpkg --print-architecture)
maintainer='The Ostler developers <ostler@ostler.example>'
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || date +%s)}"
export SOURCE_DATE_EPOCH

cmake --preset release -B "$build" -DCMAKE_INSTALL_PREFIX=/usr -DOSTLER_ZSH_FOLDER=share/zsh/vendor-completions >/dev/null
cmake --build "$build"
mkdir -p "$out"
out=$(realpath "$out")
stage=$(mktemp -d)
trap 'rm -rf "$stage"' EXIT

# excuse PACKAGE LINE...: what lintian is told to let pass, with the reason.
excuse() {
    local file=$stage/$1/usr/share/lintian/overrides/$1

    mkdir -p "${file%/*}"
    printf '%s\n' "${@:2}" >>"$file"
}

# stage PACKAGE COMPONENT: what that component installs, below $stage/PACKAGE, and what each package has to have.
stage() {
    local doc=$stage/$1/usr/share/doc/$1

    DESTDIR=$stage/$1 cmake --install "$build" --component "$2" --strip >/dev/null
    install -Dm644 LICENSE "$doc/copyright"
    printf 'ostler (%s) unstable; urgency=medium\n\n  * Made from the sources by packaging/debian/build.sh.\n\n -- %s  %s\n' \
        "$version" "$maintainer" "$(date -u -R -d "@$SOURCE_DATE_EPOCH")" | gzip -9n >"$doc/changelog.Debian.gz"
    excuse "$1" '# Nobody uploads it to Debian.' "$1: initial-upload-closes-no-bugs [*]"
    if [ -d "$stage/$1/usr/share/man" ]; then
        find "$stage/$1/usr/share/man" -type f -exec gzip -9n {} +
    fi
}

# libraries PACKAGE: the packages that its programs and plugins are linked with.
libraries() {
    local work=$stage/deps files
    mapfile -t files < <(find "$stage/$1" -type f -exec sh -c 'head -c 4 "$1" | grep -q ELF' _ {} \; -print)
    mkdir -p "$work/debian"
    printf 'Source: ostler\n\nPackage: %s\nArchitecture: any\n' "$1" >"$work/debian/control"
    (cd "$work" && dpkg-shlibdeps -O "${files[@]}" 2>/dev/null) | sed -n 's/^shlibs:Depends=//p'
}

# pack PACKAGE DEPENDS SHORT LONG [FIELD...]
pack() {
    local package=$1 depends=$2 short=$3 long=$4
    shift 4
    mkdir -p "$stage/$package/DEBIAN"
    chmod -R u=rwX,go=rX "$stage/$package"
    {
        printf 'Package: %s\nVersion: %s\nArchitecture: %s\n' "$package" "$version" "$arch"
        printf 'Maintainer: %s\nSection: devel\nPriority: optional\n' "$maintainer"
        printf 'Installed-Size: %s\n' "$(du -k -s --apparent-size "$stage/$package" | cut -f1)"
        [ -z "$depends" ] || printf 'Depends: %s\n' "$depends"
        [ $# -eq 0 ] || printf '%s\n' "$@"
        printf 'Description: %s\n' "$short"
        fold -s -w 76 <<<"$long" | sed 's/^/ /; s/ *$//'
    } >"$stage/$package/DEBIAN/control"
    (cd "$stage/$package" && find . -type f ! -path './DEBIAN/*' -printf '%P\0' | sort -z | xargs -0 md5sum) \
        >"$stage/$package/DEBIAN/md5sums"
    find "$stage/$package" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
    dpkg-deb --root-owner-group --build "$stage/$package" "$out/${package}_${version}_$arch.deb"
}

stage ostler Runner
install -Dm644 packaging/systemd/ostler.service "$stage/ostler/lib/systemd/system/ostler.service"
install -Dm644 packaging/systemd/sysusers.conf "$stage/ostler/usr/lib/sysusers.d/ostler.conf"
install -Dm644 packaging/systemd/tmpfiles.conf "$stage/ostler/usr/lib/tmpfiles.d/ostler.conf"
for script in postinst prerm postrm; do
    install -Dm755 "$root/packaging/debian/ostler.$script" "$stage/ostler/DEBIAN/$script"
done
excuse ostler '# The first process of a job sees what files the job has: it can load nothing.' \
    'ostler: statically-linked-binary [usr/libexec/ostler/ostler-init]' \
    '# Without debhelper, and only where systemd runs.' \
    'ostler: maintainer-script-calls-systemctl [prerm:*]'
# Loaded when they are first needed (io/late), so no program is linked with them.
late='libcurl4, libarchive13, libpcre2-8-0, libssl3'
pack ostler "$(libraries ostler), $late, systemd | systemd-standalone-sysusers, systemd | systemd-standalone-tmpfiles" \
    'runner of CI/CD jobs written for GitHub Actions' \
    'Runs workflows of the working tree, and as a service jobs of GitHub, Gitea and Forgejo.' \
    'Recommends: ca-certificates, git, ostler-plugins' 'Suggests: docker.io | podman'

stage ostler-plugins Plugins
pack ostler-plugins "$(libraries ostler-plugins), ostler (= $version)" \
    'stages and actions for ostler' \
    'Shared objects that serve actions such as checkout and cache without Node, and stages of their own.'

stage ostler-dev Sdk
pack ostler-dev '' 'files for writing plugins for ostler' \
    'Headers, the test kit, the CMake package and pkg-config files.' 'Suggests: ostler'
