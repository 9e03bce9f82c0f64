#include "build_report.h"

#include "../lib/job.h"
#include "../lib/markdown.h"
#include "../lib/sha256.h"
#include "build_provenance.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { LISTED_MAX = 50 }; /* files in the summary */

static bool is_image(const struct build *b)
{
    return b->recipe.kind == KIND_DOCKER;
}

static const char *input(const struct build *b, const char *name)
{
    return b->step->host->input(b->step, name);
}

/* Of the image's manifest where the engine tells it, else of its configuration. */
static const char *image_digest(const struct build *b)
{
    return *b->image.digest ? b->image.digest : b->image.id;
}

static const char *builder(const struct build *b)
{
    const char *told = input(b, "builder-id"),
               *name = b->step->host->context(b->step, "runner.name");
    struct sink k = {.step = b->step};

    if (*told)
        return told;
    sink_add(&k, SPAN("urn:ostler:runner"));
    for (size_t i = 0; name && name[i]; i++) {
        unsigned char c = (unsigned char)name[i];
        bool plain = (c >= '0' && c <= '9') || ((c | 32) >= 'a' && (c | 32) <= 'z') || c == '-';

        sink_addf(&k, plain ? "%s%c" : "%s%%%02X", i ? "" : ":", c);
    }
    return sink_text(&k);
}

static const char *provenance_text(struct build *b)
{
    struct provenance p = {
        .files = &b->built,
        .bases = strings_list(&b->image.bases.images),
        .builder = builder(b),
        .started = b->started,
        .finished = time(NULL),
    };

    p.n_parameters = settings_parameters(b, false, &p.parameters);
    if (is_image(b) && *image_digest(b)) {
        p.image_name = b->refs.n > 0 ? b->refs.list[0] : "image";
        p.image_digest = image_digest(b);
    }
    return provenance_format(b->step, &p);
}

ost_status report_files(struct build *b)
{
    ost_status r = OST_OK;

    if (b->artifacts[0])
        r = job_replace_file(b->step, b->workspace, b->sums, built_sums(b->step, &b->built));
    if (r == OST_OK && b->why && *b->provenance)
        r = job_replace_file(b->step, b->workspace, b->provenance, provenance_text(b));
    return r;
}

/* ---- outputs ---- */

static const char *lines(const struct build *b, const struct strings *s)
{
    struct sink k = {.step = b->step};

    for (size_t i = 0; i < s->n; i++)
        sink_addf(&k, "%s%s", i ? "\n" : "", s->list[i]);
    return sink_text(&k);
}

static const char *digest_of(const struct build *b)
{
    if (is_image(b))
        return b->image.digest;
    if (!b->artifacts[0])
        return "";
    return ost_fmt(b->step, "sha256:%s",
                   sha256_text(b->step, span_of(built_sums(b->step, &b->built))));
}

static ost_status give(struct build *b)
{
    const struct {
        const char *name, *value;
    } outputs[] = {
        {"kind", kind_name(b->recipe.kind)},
        {"skipped", b->why ? "false" : "true"},
        {"artifacts", built_json(b->step, &b->built)},
        {"checksums", b->artifacts[0] ? b->sums : ""},
        {"digest", digest_of(b)},
        {"imageid", is_image(b) ? b->image.id : ""},
        {"tags", lines(b, &b->refs)},
        {"labels", lines(b, &b->labels)},
        {"provenance", b->provenance},
    };

    for (size_t i = 0; i < OST_COUNT(outputs); i++) {
        ost_status r = b->step->host->output(b->step, outputs[i].name, outputs[i].value);

        if (r < 0)
            return r;
    }
    if (b->built.n > ARTIFACTS_LISTED_MAX)
        ost_log(b->step, OST_INFO,
                "the output 'artifacts' has the first %d of %zu files; '%s' has "
                "all of them",
                ARTIFACTS_LISTED_MAX, b->built.n, b->sums);
    return OST_OK;
}

static ost_status summarise(struct build *b)
{
    struct sink k = {.step = b->step};

    sink_addf(&k, "### Build\n\n%s: %s\n", kind_name(b->recipe.kind),
              b->why ? "built" : "skipped, nothing has changed");
    for (size_t i = 0; i < b->refs.n; i++) {
        sink_add(&k, SPAN("- "));
        markdown_code(&k, b->refs.list[i]);
        sink_add(&k, SPAN("\n"));
    }
    if (b->built.n > 0)
        sink_add(&k, SPAN("\n| File | Bytes | SHA-256 |\n|---|--:|---|\n"));
    for (size_t i = 0; i < b->built.n && i < LISTED_MAX; i++) {
        sink_add(&k, SPAN("| "));
        markdown_code(&k, b->built.list[i].path);
        sink_addf(&k, " | %lld | `%s` |\n", (long long)b->built.list[i].size,
                  b->built.list[i].sha256);
    }
    if (b->built.n > LISTED_MAX)
        sink_addf(&k, "\n… and %zu more\n", b->built.n - LISTED_MAX);
    return b->step->host->summary(b->step, sink_text(&k));
}

static ost_status upload(struct build *b)
{
    const char *name = input(b, "artifact");

    if (!*name)
        return OST_OK;
    return built_upload(b->step, &b->built, b->workspace, name,
                        (int32_t)strtol(input(b, "retention-days"), NULL, 10));
}

ost_status report_outputs(struct build *b)
{
    ost_status r = give(b);

    if (r == OST_OK)
        r = summarise(b);
    return r == OST_OK ? upload(b) : r;
}
