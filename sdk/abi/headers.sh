#!/usr/bin/env bash
# headers - the public headers compile alone, without a warning, as C11, C17, C++11 and C++20; and a
# whole plugin and a test of it, with the initializer macros, as C11, C17 and C++20.
#
#   sdk/abi/headers.sh INCLUDE_DIR
set -euo pipefail

include=$1
warnings=(-Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wcast-qual -Wundef -Werror)
# Missing initializers are the point of a struct that grows.
plugin_warnings=("${warnings[@]}" -Wno-missing-field-initializers)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
ran=0

headers='#include <ostler/ext.h>
#include <ostler/plugin.h>
#include <ostler/test.h>
int first(void); int first(void) { return OST_ABI_MINOR; }'
plugin=$(cat <<'CODE'
#include <ostler/plugin.h>
static const struct ost_input inputs[] = {{.name = "who", .type = OST_STRING, .fallback = "world"}};
static const struct ost_output outputs[] = {{"said", "What was said"}};
static ost_status run(struct ost_step *s)
{
    struct ost_exec_result res = OST_RESULT;
    ost_log(s, OST_INFO, "Hello, %s", s->host->input(s, "who"));
    if (!OST_HAS(s->host, extension) || ost_input_bool(s, "who"))
        return ost_fail(s, OST_E_INVALID, "no %d", 1);
    return ost_exec(s, &res, .flags = OST_EXEC_CHECK, .argv = OST_ARGV("echo", "x"));
}
OST_PLUGIN(.id = "acme/x", .version = "1.0.0", OST_INPUTS(inputs), OST_OUTPUTS(outputs), .main = run);
CODE
)
test=$(cat <<'CODE'
#include <ostler/test.h>
extern const struct ost_plugin ostler_plugin_v1;
int main(void)
{
    OST_TEST(t, &ostler_plugin_v1);
    ost_test_on_exec(t, "echo *", .out = "x\n", .times = 1);
    ost_test_on_http(t, "GET *", .status = 404);
    ost_test_each_fault(t, .phase = OST_PHASE_MAIN);
    return ost_test_run(t, OST_PHASE_MAIN) == OST_OK ? 0 : 1;
}
CODE
)

# compile COMPILER LANGUAGE STANDARD TEXT FLAG...
compile() {
    local compiler=$1 language=$2 standard=$3 text=$4
    shift 4
    command -v "$compiler" >/dev/null || return 0
    printf '%s\n' "$text" >"$scratch/x"
    if ! "$compiler" -x "$language" -std="$standard" "$@" -I"$include" -c "$scratch/x" -o "$scratch/x.o"; then
        printf 'headers: %s does not take them as %s\n' "$compiler" "$standard" >&2
        exit 1
    fi
    ran=$((ran + 1))
}

for standard in c11 c17; do
    for compiler in gcc clang-14 clang; do
        compile "$compiler" c "$standard" "$headers" "${warnings[@]}"
        compile "$compiler" c "$standard" "$plugin" "${plugin_warnings[@]}"
        compile "$compiler" c "$standard" "$test" "${plugin_warnings[@]}"
    done
done
for standard in c++11 c++20; do
    for compiler in g++ clang++-14 clang++; do
        compile "$compiler" c++ "$standard" "$headers" "${warnings[@]}"
    done
done
# Compound literals in C++ are an extension that both have, so not pedantic there.
for compiler in g++ clang++-14 clang++; do
    for text in "$plugin" "$test"; do
        compile "$compiler" c++ c++20 "$text" -Wall -Wextra -Werror -Wno-missing-field-initializers
    done
done

[ "$ran" -gt 0 ] || { echo 'headers: no compiler here' >&2; exit 1; }
echo "headers: $ran compilations, no warning"
