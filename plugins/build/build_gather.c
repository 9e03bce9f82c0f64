#include "build_gather.h"

#include "../lib/quiet.h"
#include "../lib/sha256.h"
#include "build_provenance.h"

#include <fcntl.h>
#include <ostler/ext.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- files ---- */

struct paths {
    const char *const *list;
    size_t n;
};

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static bool has(const struct paths *sorted, const char *path)
{
    return sorted->n > 0 && bsearch(&path, sorted->list, sorted->n, sizeof path, by_text) != NULL;
}

static ost_status glob(struct build *b, const char *const *patterns, struct paths *ret)
{
    const struct ost_files_v1 *files =
        (const struct ost_files_v1 *)b->step->host->extension(b->step, OST_EXT_FILES);
    const char **sorted;
    ost_status r;

    *ret = (struct paths){0};
    if (!files) {
        facts_doubt(&b->facts, "this host cannot search for files");
        return OST_OK;
    }
    r = patterns[0] ? files->glob(b->step, patterns, OST_GLOB_INSIDE, &ret->list, &ret->n) : OST_OK;
    if (r == OST_E_CANCELLED)
        return r;
    if (r < 0)
        facts_doubt(&b->facts, span_dup(b->step, span_of(b->step->host->last_error(b->step))));
    if (r < 0 || ret->n == 0) {
        ret->n = 0;
        return OST_OK;
    }
    sorted = b->step->host->alloc(b->step, ret->n * sizeof *sorted);
    memcpy(sorted, ret->list, ret->n * sizeof *sorted);
    qsort(sorted, ret->n, sizeof *sorted, by_text);
    ret->list = (const char *const *)sorted;
    return OST_OK;
}

/* The repository's own folder changes with every command of git, and what we write is no input. */
static bool is_ours(const struct build *b, const char *path)
{
    return rel_below(".git", path) || rel_below(".ostler-build", path) ||
           strcmp(path, b->sums) == 0 || strcmp(path, b->provenance) == 0;
}

static ost_status digest_files(struct build *b, const struct paths *inputs,
                               const struct paths *results, int dir)
{
    for (size_t i = 0; i < inputs->n && !b->facts.unknown; i++) {
        const char *path = inputs->list[i], *hex, *why;

        if (b->step->host->cancelled(b->step))
            return OST_E_CANCELLED;
        if (!rel_below(b->workspace, path)) {
            facts_doubt(&b->facts,
                        ost_fmt(b->step, "the input '%s' lies outside of the workspace", path));
            break;
        }
        if (has(results, path) || is_ours(b, rel_from(b->workspace, path)))
            continue;
        path = rel_from(b->workspace, path);
        if (sha256_file(b->step, dir, path, &hex, NULL, &why) < 0)
            facts_doubt(&b->facts, why);
        else
            facts_add(b->step, &b->facts, "file", path, hex);
    }
    return OST_OK;
}

ost_status gather_files(struct build *b)
{
    struct paths inputs, results = {0};
    int dir = open(b->workspace, O_PATH | O_DIRECTORY | O_CLOEXEC);
    ost_status r = glob(b, b->inputs, &inputs);

    if (r == OST_OK)
        r = glob(b, b->artifacts, &results);
    if (dir < 0)
        facts_doubt(&b->facts, "the workspace cannot be opened");
    else if (r == OST_OK)
        r = digest_files(b, &inputs, &results, dir);
    if (dir >= 0)
        close(dir);
    if (r == OST_OK && b->facts.n == 0)
        facts_doubt(&b->facts, "'inputs' matches no file");
    return r;
}

/* ---- tools ---- */

static ost_status add_tool(struct build *b, const char *const *argv)
{
    struct ost_exec_result res = OST_RESULT;
    struct output out = {0}, err = {0};
    ost_status r = quiet_run(b->step, argv, b->recipe.at, &out, &err, &res);
    const char *text = output_text(b->step, out.size > 0 ? &out : &err);

    if (r == OST_E_CANCELLED)
        return r;
    if (r == OST_E_NOT_FOUND)
        facts_add(b->step, &b->facts, "tool", argv[0], "not there");
    else if (r < 0 || res.exit_code != 0)
        facts_doubt(&b->facts, ost_fmt(b->step, "'%s' does not tell its version", argv[0]));
    else
        facts_add(b->step, &b->facts, "tool", argv[0],
                  span_dup(b->step, (struct span){text, strcspn(text, "\t\r\n")}));
    return OST_OK;
}

static const char *const *words_of(struct ost_step *step, const char *line)
{
    struct strings words = {0};

    for (const char *at = line + strspn(line, " \t"); *at; at += strspn(at, " \t")) {
        size_t n = strcspn(at, " \t");

        strings_add(step, &words, span_dup(step, (struct span){at, n}));
        at += n;
    }
    return strings_list(&words);
}

static ost_status gather_tools(struct build *b)
{
    const char *const *told;
    size_t n = b->step->host->input_list(b->step, "tools", &told);
    ost_status r = OST_OK;

    for (const char *const *const *tool = kind_tools(b->recipe.kind); r == OST_OK && *tool; tool++)
        r = add_tool(b, *tool);
    for (size_t i = 0; r == OST_OK && i < n; i++) {
        const char *const *argv = words_of(b->step, told[i]);

        if (argv[0])
            r = add_tool(b, argv);
    }
    return r;
}

/* ---- variables ---- */

static bool is_variable(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_0123456789";

    return *name && strspn(name, allowed) == strlen(name);
}

/* Its digest alone is kept: what is in the environment may be a secret. */
static ost_status add_variable(struct build *b, const char *name)
{
    struct ost_exec_result res = OST_RESULT;
    struct output out = {0}, err = {0};
    ost_status r;

    if (!is_variable(name)) {
        facts_doubt(&b->facts, ost_fmt(b->step, "'%s' is no name of a variable", name));
        return OST_OK;
    }
    r = quiet_run(b->step, OST_ARGV("printenv", name), b->recipe.at, &out, &err, &res);
    if (r == OST_E_CANCELLED)
        return r;
    if (r < 0)
        facts_doubt(&b->facts, ost_fmt(b->step, "the variable '%s' cannot be read: %s", name,
                                       b->step->host->last_error(b->step)));
    else
        facts_add(b->step, &b->facts, "variable", name,
                  res.exit_code == 0
                      ? sha256_text(b->step, (struct span){out.data ? out.data : "", out.size})
                      : "not set");
    return OST_OK;
}

static ost_status gather_variables(struct build *b)
{
    const char *const *told;
    size_t n = b->step->host->input_list(b->step, "environment", &told);
    ost_status r = OST_OK;

    for (const char *const *name = kind_variables(b->recipe.kind); r == OST_OK && *name; name++)
        r = add_variable(b, *name);
    for (size_t i = 0; r == OST_OK && i < n; i++)
        r = add_variable(b, told[i]);
    return r;
}

/* ---- all ---- */

static void gather_settings(struct build *b)
{
    static const char *const machine[] = {"runner.os", "runner.arch"};
    const struct parameter *list;
    size_t n = settings_parameters(b, true, &list);

    for (size_t i = 0; i < n; i++)
        facts_add(b->step, &b->facts, "setting", list[i].name,
                  sha256_text(b->step, span_of(list[i].value)));
    for (size_t i = 0; i < OST_COUNT(machine); i++) {
        const char *value = b->step->host->context(b->step, machine[i]);

        facts_add(b->step, &b->facts, "setting", machine[i], value ? value : "");
    }
}

ost_status gather_facts(struct build *b)
{
    ost_status r = gather_files(b);

    if (r < 0 || b->facts.unknown)
        return r;
    gather_settings(b);
    r = gather_tools(b);
    if (r == OST_OK)
        r = gather_variables(b);
    if (r == OST_OK && b->recipe.kind == KIND_DOCKER)
        r = image_facts(&b->image, &b->facts);
    facts_sort(&b->facts);
    return r;
}
