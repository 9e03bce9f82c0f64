#include "build_provenance.h"

#include "../lib/json_put.h"

#include <string.h>
#include <time.h>

/* Names the meaning of the parameters. A URI need not be a page. */
#define BUILD_TYPE "urn:ostler:build:v1"

static const char *context(struct ost_step *step, const char *name)
{
    const char *value = step->host->context(step, name);

    return value ? value : "";
}

static void put(struct sink *k, const char *before, const char *text)
{
    sink_addf(k, "%s", before);
    json_put_text(k, text);
}

static const char *time_text(struct ost_step *step, int64_t seconds)
{
    char *text = step->host->alloc(step, 32);
    time_t t = (time_t)seconds;
    struct tm tm;

    if (!gmtime_r(&t, &tm) || strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
        return "1970-01-01T00:00:00Z";
    return text;
}

/* "sha256:abc" as {"sha256":"abc"}. */
static void put_digest(struct sink *k, const char *digest)
{
    struct span rest = span_of(digest), algorithm;

    if (!span_eat_until(&rest, ':', &algorithm))
        algorithm = SPAN("sha256");
    put(k, "{", span_dup(k->step, algorithm));
    put(k, ":", span_dup(k->step, rest));
    sink_add(k, SPAN("}"));
}

static void put_subjects(struct sink *k, const struct provenance *p)
{
    const char *comma = "";

    for (size_t i = 0; i < p->files->n; i++) {
        sink_addf(k, "%s\n    {", comma);
        put(k, "\"name\":", p->files->list[i].path);
        put(k, ",\"digest\":{\"sha256\":", p->files->list[i].sha256);
        sink_add(k, SPAN("}}"));
        comma = ",";
    }
    if (p->image_digest) {
        sink_addf(k, "%s\n    {", comma);
        put(k, "\"name\":", p->image_name);
        sink_add(k, SPAN(",\"digest\":"));
        put_digest(k, p->image_digest);
        sink_add(k, SPAN("}"));
    }
}

static const char *repository_uri(struct ost_step *step)
{
    return ost_fmt(step, "%s/%s", context(step, "github.server_url"),
                   context(step, "github.repository"));
}

/* ".github/workflows/ci.yml" of "acme/app/.github/workflows/ci.yml@refs/heads/main". */
static const char *workflow_path(struct ost_step *step)
{
    struct span rest = span_of(context(step, "github.workflow_ref")), path;

    if (!span_eat_until(&rest, '@', &path))
        return "";
    if (span_eat(&path, context(step, "github.repository")))
        span_eat(&path, "/");
    return span_dup(step, path);
}

static void put_parameters(struct sink *k, const struct provenance *p)
{
    sink_add(k, SPAN("{\n        \"workflow\":{"));
    put(k, "\"repository\":", repository_uri(k->step));
    put(k, ",\"ref\":", context(k->step, "github.ref"));
    put(k, ",\"path\":", workflow_path(k->step));
    put(k, ",\"job\":", context(k->step, "github.job"));
    sink_add(k, SPAN("},\n        \"inputs\":{"));
    for (size_t i = 0; i < p->n_parameters; i++) {
        put(k, i ? "," : "", p->parameters[i].name);
        put(k, ":", p->parameters[i].value);
    }
    sink_add(k, SPAN("}\n      }"));
}

static void put_materials(struct sink *k, const struct provenance *p)
{
    const char *commit = context(k->step, "github.sha"), *ref = context(k->step, "github.ref");
    const char *comma = "";

    if (*commit) {
        put(k, "\n        {\"uri\":",
            ost_fmt(k->step, "git+%s%s%s", repository_uri(k->step), *ref ? "@" : "", ref));
        put(k, ",\"digest\":{\"gitCommit\":", commit);
        sink_add(k, SPAN("}}"));
        comma = ",";
    }
    for (const char *const *base = p->bases; *base; base++) {
        const char *digest = strstr(*base, "@sha256:");

        sink_addf(k, "%s\n        {", comma);
        put(k, "\"uri\":", ost_fmt(k->step, "docker-image://%s", *base));
        if (digest) {
            sink_add(k, SPAN(",\"digest\":"));
            put_digest(k, digest + 1);
        }
        sink_add(k, SPAN("}"));
        comma = ",";
    }
}

static void put_run(struct sink *k, const struct provenance *p)
{
    struct ost_step *step = k->step;

    put(k, "{\n      \"builder\":{\"id\":", p->builder);
    sink_add(k, SPAN(",\"version\":{\"ostler/build\":\"1.0.0\"}},\n      \"metadata\":{"));
    put(k, "\"invocationId\":",
        ost_fmt(step, "%s/actions/runs/%s/attempts/%s", repository_uri(step),
                context(step, "github.run_id"), context(step, "github.run_attempt")));
    put(k, ",\"startedOn\":", time_text(step, p->started));
    put(k, ",\"finishedOn\":", time_text(step, p->finished));
    sink_add(k, SPAN("}\n    }"));
}

const char *provenance_format(struct ost_step *step, const struct provenance *p)
{
    struct sink k = {.step = step};

    sink_add(&k, SPAN("{\n  \"_type\":\"https://in-toto.io/Statement/v1\",\n  \"subject\":["));
    put_subjects(&k, p);
    sink_add(&k, SPAN("],\n  \"predicateType\":\"" PROVENANCE_TYPE "\",\n  \"predicate\":{\n"
                      "    \"buildDefinition\":{\n      \"buildType\":\"" BUILD_TYPE "\",\n"
                      "      \"externalParameters\":"));
    put_parameters(&k, p);
    put(&k, ",\n      \"internalParameters\":{\"event\":", context(step, "github.event_name"));
    sink_add(&k, SPAN("},\n      \"resolvedDependencies\":["));
    put_materials(&k, p);
    sink_add(&k, SPAN("]\n    },\n    \"runDetails\":"));
    put_run(&k, p);
    sink_add(&k, SPAN("\n  }\n}\n"));
    return sink_text(&k);
}
