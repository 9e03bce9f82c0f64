#include "wanted.h"

#include "../lib/json.h"

#include <string.h>
#include <strings.h>

/* The lines with long-term support, by name. New ones can be had by number until they stand here. */
static const struct {
    const char *name, *range;
} lts_names[] = {
    {"argon", "4"},   {"boron", "6"},    {"carbon", "8"},   {"dubnium", "10"},
    {"erbium", "12"}, {"fermium", "14"}, {"gallium", "16"}, {"hydrogen", "18"},
    {"iron", "20"},   {"jod", "22"},     {"krypton", "24"},
};

static bool parse_lts(const char *name, struct wanted *w)
{
    struct span back = span_of(name);
    uint32_t n;

    w->range = "*";
    if (strcmp(name, "*") == 0 || !*name) {
        w->lts = true;
        return true;
    }
    if (span_eat(&back, "-") && span_eat_number(&back, &n) && back.size == 0 && n < 100) {
        w->lts = true;
        w->lts_back = (int)n;
        return true;
    }
    for (size_t i = 0; i < sizeof lts_names / sizeof lts_names[0]; i++)
        if (strcasecmp(lts_names[i].name, name) == 0) {
            w->range = lts_names[i].range;
            return true;
        }
    return false;
}

bool wanted_parse(const char *version, struct wanted *ret)
{
    struct wanted w = {.text = version, .range = version};

    if (strncasecmp(version, "lts", 3) == 0 && (version[3] == '/' || !version[3])) {
        if (!parse_lts(version + 3 + (version[3] == '/'), &w))
            return false;
    } else if (strcmp(version, "latest") == 0 || strcmp(version, "current") == 0 ||
               strcmp(version, "node") == 0) {
        w.range = "*";
        w.newest = true;
    } else if (!semver_is_range(span_of(version))) {
        return false;
    }
    *ret = w;
    return true;
}

/* ---- files ---- */

static const char *runtime_version(const struct json *runtime)
{
    const char *version = json_text(runtime, "version");

    return strcasecmp(json_text(runtime, "name"), "node") == 0 && *version ? version : NULL;
}

static const char *manifest_version(const struct json *manifest, const char **ret_next)
{
    const struct json *volta = json_get(manifest, "volta");
    const struct json *runtime = json_get(json_get(manifest, "devEngines"), "runtime");
    const char *version = json_text(volta, "node");

    if (*version)
        return version;
    version = runtime_version(runtime);
    if (!version && runtime && runtime->kind == JSON_ARRAY)
        for (runtime = runtime->first; runtime && !version; runtime = runtime->next)
            version = runtime_version(runtime);
    if (version)
        return version;
    version = json_text(json_get(manifest, "engines"), "node");
    if (*version)
        return version;
    if (*json_text(volta, "extends"))
        *ret_next = json_text(volta, "extends");
    return NULL;
}

/* LINE without a comment. */
static struct span uncomment(struct span line)
{
    struct span before;

    return span_trim(span_eat_until(&line, '#', &before) ? before : line);
}

/* "nodejs 20.1.0" of .tool-versions; of several versions the first counts. */
static const char *tool_version(struct ost_step *step, struct span line)
{
    struct span version;

    if (!span_eat(&line, "nodejs") && !span_eat(&line, "node"))
        return NULL;
    if (line.size == 0 || (line.at[0] != ' ' && line.at[0] != '\t'))
        return NULL;
    line = span_trim(line);
    return span_dup(step, span_eat_until(&line, ' ', &version) ? version : line);
}

/* node = "20" under [tools] of mise.toml, also node = ["20", "18"] and node = {version = "20"}. */
static const char *mise_version(struct ost_step *step, struct span text)
{
    struct span line, version;
    bool tools = false;

    while (span_line(&text, &line)) {
        line = uncomment(line);
        if (span_starts(line, "["))
            tools = span_is(line, "[tools]");
        if (!tools || (!span_eat(&line, "node") && !span_eat(&line, "\"node\"")))
            continue;
        line = span_trim(line);
        if (span_eat(&line, "=") && span_eat_until(&line, '"', &version) &&
            span_eat_until(&line, '"', &version))
            return span_dup(step, version);
    }
    return NULL;
}

static const char *plain_version(struct ost_step *step, struct span text)
{
    const char *version = NULL;
    struct span rest = text, line;

    while (!version && span_line(&rest, &line))
        version = tool_version(step, uncomment(line));
    for (rest = text; !version && span_line(&rest, &line);) {
        line = uncomment(line);
        if (line.size > 0 && span_find(line, " ") == SIZE_MAX)
            version = span_dup(step, line);
    }
    return version;
}

const char *wanted_in_file(struct ost_step *step, const char *name, char *text, size_t size,
                           const char **ret_next)
{
    struct span whole = {text, size};
    const struct json *manifest;
    const char *why;

    *ret_next = NULL;
    if (span_ends(span_of(name), ".toml"))
        return mise_version(step, whole);
    if (!span_starts(span_trim(whole), "{"))
        return plain_version(step, whole);
    manifest = json_read(step, text, size, false, &why);
    return manifest ? manifest_version(manifest, ret_next) : NULL;
}

static ost_status read_file(struct ost_step *step, const char *file, const char **ret)
{
    const char *workspace = step->host->dir(step, OST_DIR_WORKSPACE);
    const char *path = rel_clean(step, rel_join(step, workspace, file)), *next = NULL;

    for (int i = 0; i < VOLTA_EXTENDS_MAX; i++) {
        size_t size = 0;
        char *text = file_read(step, path, VERSION_FILE_MAX, &size);

        if (!text)
            return ost_fail(step, OST_E_NOT_FOUND,
                            "The specified node version file at: %s does not exist%s", path,
                            file_exists(path) ? ", or is no file that can be read" : "");
        *ret = wanted_in_file(step, rel_name(path), text, size, &next);
        if (*ret || !next)
            break;
        path = rel_clean(step, rel_join(step, rel_parent(step, path), next));
        ost_log(step, OST_INFO, "Resolving node version from %s", path);
    }
    if (*ret)
        ost_log(step, OST_INFO, "Resolved %s as %s", file, *ret);
    else
        ost_log(step, OST_WARNING, "Could not determine node version from %s. Falling back", path);
    return OST_OK;
}

ost_status wanted_read(struct ost_step *step, struct wanted *ret)
{
    const char *version = step->host->input(step, "node-version");
    const char *file = step->host->input(step, "node-version-file");
    const char *found = NULL;

    if (*version && *file)
        ost_log(step, OST_WARNING,
                "Both node-version and node-version-file inputs are specified, only "
                "node-version will be used");
    if (!*version && *file) {
        ost_status r = read_file(step, file, &found);

        if (r < 0)
            return r;
        version = found ? found : "";
    }
    if (!wanted_parse(version, ret))
        return ost_fail(
            step, OST_E_INVALID,
            "'%s' is no version of Node: write one like '20', '20.x', '>=18 <21', 'lts/*' or "
            "'lts/jod'",
            version);
    return OST_OK;
}
