#!/usr/bin/env bash
# run - measures what DESIGN.md section 8 wants, each figure beside its floor, both in one run.
#
#   tests/bench/run.sh [--quick] [FIGURE...]
#
# Figures: step, whole, log, line, workspace, plugin, check; all of them unless named; and, only when named, huge:
# 10 GB of log. --quick: a tenth of the work, for a look. OSTLER names the program (default
# build/release/ostler). Needs hyperfine.
#
# TMPDIR says where it works. A file system with a journal is wanted: ext4 without one looks at every inode
# that was freed in the last minute before it gives one out, and then that is what is measured.
#
# Every row is a ratio of two medians that were measured one after the other on the same machine: ratios
# carry over to other machines, absolute times do not. Nothing fails here: it tells, a person decides.
set -euo pipefail

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/../.." && pwd)
ostler=${OSTLER:-$root/build/release/ostler}
n=500 megabytes=1024 runs=5
if [ "${1-}" = --quick ]; then
    n=50 megabytes=100 runs=3
    shift
fi
[ -x "$ostler" ] || {
    echo "tests/bench/run.sh: there is no $ostler: build the release preset, or set OSTLER" >&2
    exit 2
}
command -v hyperfine >/dev/null || {
    echo 'tests/bench/run.sh: hyperfine is missing: apt-get install hyperfine' >&2
    exit 4
}

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
export XDG_STATE_HOME=$scratch/state HOME=$scratch/home
mkdir -p "$HOME" "$scratch/app"
cd "$scratch/app"
git init -q -b main .
git -c user.name=x -c user.email=x@example.test commit -q --allow-empty -m x

# workflow FILE: the steps come from stdin, each line indented by six.
workflow() {
    {
        printf 'on: push\njobs:\n  job:\n    runs-on: ubuntu-latest\n    steps:\n'
        sed 's/^/      /'
    } >"$1"
}

# steps N STEP: the same step N times.
steps() {
    local i

    for ((i = 0; i < $1; i++)); do
        echo "$2"
    done
}

# measure NAME COMMAND...: medians in seconds, one a line, into NAME. $prepare, if set, goes before each run.
measure() {
    local name=$1

    shift
    hyperfine --shell=none --warmup 2 --runs "$runs" --style none --export-csv "$name.csv" \
        ${prepare:+--prepare "$prepare"} "$@" >/dev/null
    awk -F, 'NR > 1 {n = NF; print $(n - 4)}' "$name.csv" >"$name"
}

# row FIGURE WHAT FLOOR_SECONDS SECONDS WANTED [EXTRA]
row() {
    awk -v what="$1" -v floor="$2" -v had="$3" -v wanted="$4" -v extra="${5-}" 'BEGIN {
        printf "%-44s %10.2f ms %10.2f ms %7.2f x   %s%s\n", what, 1000 * floor, 1000 * had, had / floor,
            wanted, extra ? "  (" extra ")" : ""}'
}

# of NAME LINE [MINUS [DIVIDED]]
value() {
    sed -n "${2}p" "$1"
}
calc() {
    awk "BEGIN {print $*}"
}

figure_step() {
    steps "$n" "- run: ':'" | workflow many.yml
    echo ':' >step.sh
    measure step "bash -c 'for ((i = 0; i < $n; i++)); do bash -e step.sh; done'" "$ostler run many.yml"
    row "$n x run: ':', sandboxed" "$(value step 1)" "$(value step 2)" 'under 1.5 x' \
        "$(calc "1000 * $(value step 2) / $n") ms a step"
}

figure_whole() {
    echo "- run: ':'" | workflow one.yml
    echo ':' >step.sh
    runs=$((4 * runs)) measure whole 'bash -e step.sh' "$ostler run one.yml"
    row 'ostler run, one step, whole' "$(value whole 1)" "$(value whole 2)" 'under 10 x, under 15 ms more' \
        "$(calc "1000 * ($(value whole 2) - $(value whole 1))") ms more"
}

# secrets N: that many of forty bytes, none of them in the log, so that every byte is looked at.
secrets() {
    local i

    for ((i = 0; i < $1; i++)); do
        printf 'S%d=%s\n' "$i" "$(printf 'secret %d' "$i" | sha1sum | cut -d' ' -f1)"
    done >secrets.env
    chmod 600 secrets.env
}

# The time is that of the whole way: masked, recorded in the run folder, shown line by line.
figure_log() {
    local i size many

    awk 'BEGIN {
        while (size < 10485760) {
            line = sprintf("line %d of the log of a compiler: src/module/file.c:12:3: note: nothing to see here", ++n)
            size += length(line) + 1
            print line
        }
    }' >piece
    for ((i = 0; i < megabytes / 10; i++)); do
        cat piece
    done >big.log
    size=$(stat -c %s big.log)
    echo "- run: 'cat $PWD/big.log'" | workflow log.yml
    for many in 0 50 500; do
        secrets "$many"
        # Without the last record: memory that was never used costs more than the log.
        prepare="rm -rf $XDG_STATE_HOME recorded" runs=3 measure log "bash -c 'cat big.log | tee recorded >/dev/null'" \
            "bash -c '$ostler run --secret-file secrets.env log.yml >/dev/null'"
        row "$((size / 1048576)) MB of log, $many secrets, recorded" "$(value log 1)" "$(value log 2)" 'over 500 MB/s' \
            "$(calc "$size / 1000000 / $(value log 2)") MB/s"
    done
    rm -rf big.log recorded "$XDG_STATE_HOME"
}

# Once is enough: what is looked for is the largest process, beside the time.
figure_huge() {
    local lines=$((megabytes * 100 / 1024))

    secrets 50
    echo "- run: for i in \$(seq $lines); do head -c 99999999 /dev/zero | tr '\\0' x; echo; done" | workflow huge.yml
    prepare='' runs=1 measure huge "bash -c 'for i in \$(seq $lines); do head -c 99999999 /dev/zero | tr \"\\0\" x; echo; done | cat >/dev/null'"
    value huge 1 >floor
    command time -o huge.time -f '%e %M' "$ostler" run --secret-file secrets.env huge.yml >/dev/null
    read -r seconds kib <huge.time
    row "$lines lines of 100 MB, 50 secrets, recorded" "$(cat floor)" "$seconds" 'flat memory' \
        "$(calc "$lines * 100 / $seconds") MB/s, largest process $kib KiB"
    rm -rf "$XDG_STATE_HOME"
}

figure_line() {
    secrets 50
    head -c 100000000 /dev/zero | tr '\0' x >line.log
    echo "- run: 'cat $PWD/line.log'" | workflow line.yml
    runs=3 measure line "bash -c 'cat line.log | cat >/dev/null'" \
        "bash -c '$ostler run --secret-file secrets.env line.yml >/dev/null'"
    row 'a line of 100 MB' "$(value line 1)" "$(value line 2)" 'under 0.1 s more' \
        "$(calc "$(value line 2) - $(value line 1)") s more"
    rm -rf line.log "$XDG_STATE_HOME"
}

figure_workspace() {
    mkdir -p tree
    seq -f 'tree/%.0f.txt' 20000 | xargs touch
    git add -A && git -c user.name=x -c user.email=x@example.test commit -q -m tree
    echo "- run: ':'" | workflow without.yml
    printf '%s\n' '- uses: actions/checkout@v4' "- run: ':'" | workflow with.yml
    measure workspace "$ostler run without.yml" "$ostler run with.yml"
    row 'workspace of 20,000 files' "$(value workspace 1)" "$(value workspace 2)" 'under 5 ms more' \
        "$(calc "1000 * ($(value workspace 2) - $(value workspace 1))") ms more"
    rm -rf tree && git rm -rq --cached tree
}

figure_plugin() {
    local m=$((n / 5))

    cat >idle.c <<'C'
#include <ostler/plugin.h>
static ost_status idle(struct ost_step *s)
{
    (void)s;
    return OST_OK;
}
OST_PLUGIN(.id = "bench/idle", .version = "1.0.0", .description = "Does nothing.", .main = idle);
C
    cc -shared -fPIC -O2 -Wl,-z,relro,-z,now "-I$root/include" -o idle.so idle.c
    "$ostler" plugin install idle.so --to "$scratch/plugins" >/dev/null
    export OSTLER_PLUGIN_PATH=$scratch/plugins
    echo "- run: ':'" | workflow none.yml
    steps "$m" '- uses: bench/idle@v1' | workflow plugin.yml
    measure plugin "$ostler run none.yml" "$ostler run plugin.yml"
    row "$m plugin steps, no work in them" "$(value plugin 1)" "$(value plugin 2)" 'under 3 ms a step' \
        "$(calc "1000 * ($(value plugin 2) - $(value plugin 1)) / $m") ms a step"
}

# Workflows of all kinds, one of them with mistakes: a thousand files of one repository. Without shellcheck,
# whose time is its own.
figure_check() {
    local i here=$PWD/many/.github/workflows

    mkdir -p "$here"
    for ((i = 0; i < 1000; i++)); do
        case $((i % 3)) in
        0) cp "$root/pipelines/hello.yml" "$here/$i.yml" ;;
        1) cp "$root/pipelines/horoscopus/frontend.yml" "$here/$i.yml" ;;
        2) echo "- run: echo \${{ steps.none.outputs.$i }} \${{ github.head_ref }}" | workflow "$here/$i.yml" ;;
        esac
    done
    runs=$((4 * runs)) measure check "bash -c 'cat many/.github/workflows/*.yml >/dev/null'" \
        "bash -c '$ostler check --ignore shellcheck many >/dev/null; :'"
    row 'ostler check, 1,000 files' "$(value check 1)" "$(value check 2)" 'under 2 s' \
        "$(calc "1000 * $(value check 2)") us a file"
    rm -rf many
}

[ $# -gt 0 ] || set -- step whole log line workspace plugin check
for figure in "$@"; do
    declare -F "figure_$figure" >/dev/null || {
        echo "tests/bench/run.sh: no figure '$figure': there are step, whole, log, line, workspace, plugin, check, huge" >&2
        exit 2
    }
done
printf '%-44s %13s %13s %9s   %s\n' figure floor ostler ratio wanted
for figure in "$@"; do
    rm -rf "$XDG_STATE_HOME" # nobody pays for the record of the one before
    "figure_$figure"
done
