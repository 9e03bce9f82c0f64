#include "scan_vulns.h"

#include "../lib/json.h"

#include <string.h>
#include <strings.h>

/* ---- weights ---- */

enum weight vulns_weight(struct span name)
{
    static const struct {
        const char *name;
        enum weight weight;
    } rows[] = {{"critical", WEIGHT_CRITICAL}, {"high", WEIGHT_HIGH},
                {"medium", WEIGHT_MEDIUM},     {"low", WEIGHT_LOW},
                {"negligible", WEIGHT_LOW},    {"unknown", WEIGHT_UNKNOWN}};

    for (size_t i = 0; i < OST_COUNT(rows); i++)
        if (name.size == strlen(rows[i].name) && strncasecmp(name.at, rows[i].name, name.size) == 0)
            return rows[i].weight;
    return WEIGHT_UNKNOWN;
}

static enum severity severity_of(enum weight weight)
{
    return weight >= WEIGHT_HIGH     ? SEVERITY_ERROR
           : weight == WEIGHT_MEDIUM ? SEVERITY_WARNING
                                     : SEVERITY_NOTICE;
}

/* ---- what both tell ---- */

struct weakness { /* texts may be "", never NULL */
    const char *id, *package, *version, *fixed, *title, *url, *file, *severity;
    uint32_t line; /* of the file that names the package; 0: not known */
};

/* The first line of TEXT, 200 bytes of it at most. */
static const char *first_line(struct ost_step *step, const char *text)
{
    enum { SHOWN = 200 };
    size_t n = strcspn(text, "\n");

    if (n <= SHOWN)
        return span_dup(step, (struct span){text, n});
    for (n = SHOWN; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80; n--)
        ; /* not in the middle of a character */
    return ost_fmt(step, "%s...", span_dup(step, (struct span){text, n}));
}

static void tell(struct ost_step *step, const struct vulns_ask *ask, const struct weakness *w,
                 struct vulns *ret)
{
    static const char *const names[WEIGHTS] = {"unknown", "low", "medium", "high", "critical"};
    enum weight weight = vulns_weight(span_of(w->severity));
    struct finding f = {.severity = severity_of(weight), .rule = w->id, .help = w->url};
    struct sink k = {.step = step};

    if (weight < ask->from) {
        ret->n_light++;
        return;
    }
    sink_addf(&k, "%s (%s) in %s %s", w->id, names[weight], w->package, w->version);
    if (*w->title)
        sink_addf(&k, ": %s", first_line(step, w->title));
    sink_addf(&k, "; %s%s", *w->fixed ? "fixed in " : "not fixed yet", w->fixed);
    f.message = sink_text(&k);
    /* An image's files are none of the workspace. */
    if (*w->file && strncmp(ask->target, "image:", 6) != 0 &&
        strncmp(ask->target, "archive:", 8) != 0) {
        const char *folder = strcmp(ask->target, ".") == 0 ? "" : ask->target;

        f.file = rel_clean(step, rel_join(step, folder, w->file));
        f.line = f.end_line = w->line;
    }
    findings_add(step, &ret->findings, f);
}

/* ---- trivy ---- */

/* The line at which the package ID begins, where the report lists packages. */
static uint32_t line_of(const struct json *result, const char *id)
{
    const struct json *list = json_get(result, "Packages");

    for (const struct json *p = list ? list->first : NULL; p && *id; p = p->next)
        if (strcmp(json_text(p, "ID"), id) == 0) {
            const struct json *places = json_get(p, "Locations");

            return json_number(places ? places->first : NULL, "StartLine");
        }
    return 0;
}

static void read_result(struct ost_step *step, const struct json *result,
                        const struct vulns_ask *ask, struct vulns *ret)
{
    const struct json *list = json_get(result, "Vulnerabilities");

    for (const struct json *v = list ? list->first : NULL; v; v = v->next) {
        const struct weakness w = {
            .id = json_text(v, "VulnerabilityID"),
            .package = json_text(v, "PkgName"),
            .version = json_text(v, "InstalledVersion"),
            .fixed = json_text(v, "FixedVersion"),
            .title = json_text(v, "Title"),
            .url = json_text(v, "PrimaryURL"),
            .file = json_text(result, "Target"),
            .severity = json_text(v, "Severity"),
            .line = line_of(result, json_text(v, "PkgID")),
        };

        if (*w.id)
            tell(step, ask, &w, ret);
    }
}

/* https://trivy.dev/latest/docs/configuration/reporting/#json, SchemaVersion 2 */
bool vulns_read_trivy(struct ost_step *step, struct output *o, const struct vulns_ask *ask,
                      struct vulns *ret)
{
    const char *why;
    const struct json *j = o->size > 0 ? json_read(step, o->data, o->size, false, &why) : NULL;
    const struct json *results = json_get(j, "Results");

    if (json_number(j, "SchemaVersion") != 2)
        return false;
    for (const struct json *r = results ? results->first : NULL; r; r = r->next)
        read_result(step, r, ask, ret);
    return true;
}

/* ---- grype ---- */

static const char *first_of(const struct json *list)
{
    const struct json *first = list ? list->first : NULL;

    return first && first->kind == JSON_TEXT ? first->text : "";
}

static const char *path_of(const struct json *artifact)
{
    const struct json *list = json_get(artifact, "locations");
    const char *path = json_text(list ? list->first : NULL, "path");

    return path + (*path == '/'); /* as seen from the folder that was scanned */
}

/* https://oss.anchore.com/docs/guides/vulnerability/interpreting-results/ */
bool vulns_read_grype(struct ost_step *step, struct output *o, const struct vulns_ask *ask,
                      struct vulns *ret)
{
    const char *why;
    const struct json *j = o->size > 0 ? json_read(step, o->data, o->size, false, &why) : NULL;
    const struct json *matches = json_get(j, "matches");

    if (!matches || matches->kind != JSON_ARRAY)
        return false;
    for (const struct json *m = matches->first; m; m = m->next) {
        const struct json *v = json_get(m, "vulnerability"), *a = json_get(m, "artifact");
        const struct weakness w = {
            .id = json_text(v, "id"),
            .package = json_text(a, "name"),
            .version = json_text(a, "version"),
            .fixed = first_of(json_get(json_get(v, "fix"), "versions")),
            .title = json_text(v, "description"),
            .url = json_text(v, "dataSource"),
            .file = path_of(a),
            .severity = json_text(v, "severity"),
        };

        if (*w.id)
            tell(step, ask, &w, ret);
    }
    return true;
}

/* ---- running them ---- */

static const struct scanner {
    const char *name, *url;
    bool (*read)(struct ost_step *step, struct output *o, const struct vulns_ask *ask,
                 struct vulns *ret);
} scanners[SCANNERS] = {
    {"trivy", "https://trivy.dev", vulns_read_trivy},
    {"grype", "https://github.com/anchore/grype", vulns_read_grype},
};

static void add_each(struct ost_step *step, struct strings *argv, const char *const *words)
{
    for (; *words; words++)
        strings_add(step, argv, *words);
}

const char *const *vulns_command(struct ost_step *step, const struct vulns_ask *ask, size_t which)
{
    struct span rest = span_of(ask->target);
    bool image = span_eat(&rest, "image:"), archive = !image && span_eat(&rest, "archive:");
    const char *what = rest.at;
    struct strings argv = {0};

    if (which == 0) {
        add_each(step, &argv,
                 OST_ARGV("trivy", image || archive ? "image" : "fs", "--quiet", "--format", "json",
                          "--scanners", "vuln"));
        add_each(step, &argv, ask->args);
        if (archive)
            strings_add(step, &argv, "--input");
        strings_add(step, &argv, what);
    } else {
        add_each(step, &argv, OST_ARGV("grype", "--quiet", "--output", "json"));
        add_each(step, &argv, ask->args);
        strings_add(step, &argv,
                    image ? what
                          : ost_fmt(step, "%s:%s", archive ? "docker-archive" : "dir", what));
    }
    return strings_list(&argv);
}

/* The last line that S has to say. */
static const char *last_line(struct ost_step *step, const struct output *o)
{
    const char *text = output_text(step, o), *end = strrchr(text, '\n');

    return end ? end + 1 : text;
}

ost_status vulns_scan(struct ost_step *step, const struct vulns_ask *ask, struct vulns *ret)
{
    for (size_t i = 0; i < SCANNERS; i++) {
        struct ost_exec_result res = OST_RESULT;
        struct output out = {0}, err = {0};
        ost_status r =
            quiet_run(step, vulns_command(step, ask, i), ask->workspace, &out, &err, &res);

        if (r == OST_E_NOT_FOUND)
            continue;
        if (r == OST_E_CANCELLED)
            return r;
        if (r < 0)
            return ost_fail(step, r, "cannot run %s: %s", scanners[i].name,
                            out.overflow ? "its report is too large"
                                         : step->host->last_error(step));
        if (res.exit_code != 0)
            return ost_fail(
                step, OST_E_FAILED,
                "%s could not do its work (exit code %d), so nobody knows what it would "
                "have found: %s",
                scanners[i].name, res.exit_code, last_line(step, &err));
        ret->scanner = scanners[i].name;
        ret->url = scanners[i].url;
        if (!scanners[i].read(step, &out, ask, ret))
            return ost_fail(step, OST_E_FAILED, "%s printed what is not its usual report",
                            scanners[i].name);
        findings_sort(&ret->findings);
        return OST_OK;
    }
    return OST_OK;
}
