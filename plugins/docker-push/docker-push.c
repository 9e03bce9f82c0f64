/* docker-push - ostler/docker-push@v1: pushes images to registries, by itself: from an archive, a layout or an engine,
 * to any number of repositories and tags. One job of a phase, in order: settings, sources, shape, push, results. */
#include "reference.h"
#include "settings.h"
#include "source.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const char *const formats[] = {"source", "oci", "docker", NULL};
static const char *const packings[] = {"gzip", "zstd", "none", NULL};
static const char *const engines[] = {"auto", "docker", "podman", NULL};

static const struct ost_input inputs[] = {
    {.name = "source",
     .type = OST_LIST,
     .description =
         "What to push: archives of 'docker save', OCI layouts (folders or archives), or "
         "engine:NAME; of several, one a line, an index of their platforms is made"},
    {.name = "image",
     .type = OST_LIST,
     .description = "Repositories to push to, one a line: ghcr.io/owner/app"},
    {.name = "tags",
     .type = OST_LIST,
     .description = "Tags, or rules for them (latest, sha, branch, pr, semver), one a line; or "
                    "whole references. Default: latest"},
    {.name = "platforms",
     .type = OST_LIST,
     .description = "Of a source with several platforms these only: linux/amd64"},
    {.name = "format",
     .type = OST_CHOICE,
     .fallback = "source",
     .choices = formats,
     .description = "Media types to push with; source: those that the source has"},
    {.name = "compression",
     .type = OST_CHOICE,
     .fallback = "gzip",
     .choices = packings,
     .description = "Of layers that come uncompressed; zstd makes an OCI image"},
    {.name = "level",
     .type = OST_INT,
     .fallback = "0",
     .description = "Of compression; 0: the usual one"},
    {.name = "engine",
     .type = OST_CHOICE,
     .fallback = "auto",
     .choices = engines,
     .description = "Program to ask for engine:NAME; auto: docker, or podman where there is none"},
    {.name = "registry",
     .description = "Host that username and password are for; needed when there are several"},
    {.name = "username", .description = "User of the registry; default: as the job has logged in"},
    {.name = "password", .flags = OST_SECRET, .description = "Password or token of the user"},
    {.name = "insecure",
     .type = OST_LIST,
     .description = "Hosts that may be spoken to by http, or with any certificate, one a line"},
    {.name = "ca-file",
     .type = OST_PATH,
     .description = "Certificates of a private authority, PEM"},
    {.name = "mount-from",
     .type = OST_LIST,
     .description = "Repositories of the same registry that may have layers already: base/debian"},
    {.name = "reuse",
     .type = OST_BOOL,
     .fallback = "true",
     .description = "Do not pack layers again that the image under the first tag has"},
    {.name = "parallel",
     .type = OST_INT,
     .fallback = "4",
     .description = "Uploads at once to one repository, 1 to 16"},
    {.name = "chunk-size",
     .type = OST_INT,
     .fallback = "0",
     .description = "Upload in chunks of so many MiB; 0: in one piece"},
    {.name = "dry-run",
     .type = OST_BOOL,
     .fallback = "false",
     .description = "Only ask the registries what is missing, and say it"},
};

static const struct ost_output outputs[] = {
    {"digest", "Digest of what was pushed: of the manifest, or of the index of several platforms"},
    {"imageid", "Digest of the image's configuration; of an index, that of the index"},
    {"tags", "What was pushed, one a line: ghcr.io/owner/app:1.2"},
    {"references", "The same by digest, one repository a line: ghcr.io/owner/app@sha256:..."},
    {"metadata", "All about it as JSON: platforms, sizes, what was sent, mounted, there already"},
};

/* ---- words ---- */

static const char *bytes(struct ost_step *step, int64_t n)
{
    if (n < 1000)
        return ost_fmt(step, "%lld B", (long long)n);
    if (n < 1000000)
        return ost_fmt(step, "%.1f kB", (double)n / 1e3);
    return n < 1000000000 ? ost_fmt(step, "%.1f MB", (double)n / 1e6)
                          : ost_fmt(step, "%.2f GB", (double)n / 1e9);
}

static int64_t size_of(const struct image *image)
{
    int64_t size = image->config->d.size;

    for (const struct blob *b = image->layers; b; b = b->next)
        size += b->d.digest ? b->d.size : b->raw.size;
    return size;
}

static size_t n_layers(const struct image *image)
{
    size_t n = 0;

    for (const struct blob *b = image->layers; b; b = b->next)
        n++;
    return n;
}

/* "linux/amd64, 3 layers, 12.3 MB" */
static const char *about(struct ost_step *step, const struct image *image)
{
    size_t n = n_layers(image);

    return ost_fmt(step, "%s, %zu layer%s, %s", platform_text(step, &image->platform), n,
                   n == 1 ? "" : "s", bytes(step, size_of(image)));
}

static const char *reference(struct ost_step *step, const struct target *t, const char *tag)
{
    return ost_fmt(step, "%s/%s%s%s", t->host, t->name, strchr(tag, ':') ? "@" : ":", tag);
}

/* ---- sources ---- */

static ost_status load(struct ost_step *step, struct settings *s, struct tree *tree)
{
    ost_status r = OST_OK;

    for (size_t i = 0; s->sources[i] && r == OST_OK; i++)
        r = source_add(step, s->sources[i], s->engine, tree);
    if (r == OST_OK)
        r = tree_shape(step, tree, &s->shape);
    s->push.tree = tree;
    return r;
}

/* ---- results ---- */

static json_t *image_json(struct ost_step *step, const struct image *image)
{
    return json_pack("{s:s, s:s, s:s, s:I, s:b}", "platform", platform_text(step, &image->platform),
                     "digest", image->manifest.d.digest, "imageid", image->config->d.digest, "size",
                     (json_int_t)size_of(image), "attestation", (int)image->attestation);
}

static json_t *target_json(struct ost_step *step, const struct target *t, const char *digest)
{
    json_t *tags = json_array();

    for (size_t i = 0; t->tags[i]; i++)
        (void)json_array_append_new(tags, json_string(t->tags[i]));
    return json_pack("{s:s, s:s, s:o, s:I, s:I, s:I, s:I}", "name",
                     ost_fmt(step, "%s/%s", t->host, t->name), "reference",
                     reference(step, t, digest), "tags", tags, "sent", (json_int_t)t->n_sent,
                     "sent-bytes", (json_int_t)t->sent_bytes, "mounted", (json_int_t)t->n_mounted,
                     "present", (json_int_t)t->n_present);
}

static const char *image_id(const struct tree *tree)
{
    return tree->indexes ? tree_root(tree)->d.digest : tree->images->config->d.digest;
}

/* Its first members have the names that docker/build-push-action gives them. */
static const char *metadata(struct ost_step *step, const struct push *p, const char *tags)
{
    const struct document *root = tree_root(p->tree);
    json_t *images = json_array(), *targets = json_array(), *all;
    const char *kept;
    char *text;

    for (const struct image *i = p->tree->images; i; i = i->next)
        (void)json_array_append_new(images, image_json(step, i));
    for (const struct target *t = p->targets; t; t = t->next)
        (void)json_array_append_new(targets, target_json(step, t, root->d.digest));
    all = json_pack("{s:s, s:s, s:s, s:s, s:o, s:o}", "containerimage.digest", root->d.digest,
                    "containerimage.config.digest", image_id(p->tree), "image.name", tags,
                    "media-type", root->d.type, "images", images, "repositories", targets);
    text = all ? json_dumps(all, JSON_COMPACT) : NULL;
    kept = text ? span_dup(step, span_of(text)) : "{}";
    json_decref(all);
    free(text);
    return kept;
}

static ost_status give(struct ost_step *step, const struct push *p)
{
    const struct ost_host *host = step->host;
    const char *digest = tree_root(p->tree)->d.digest;
    struct sink tags = {.step = step}, commas = {.step = step}, references = {.step = step};
    struct sink table = {.step = step};
    ost_status r;

    sink_addf(&table, "| Image | Digest |\n| --- | --- |\n");
    for (const struct target *t = p->targets; t; t = t->next) {
        sink_addf(&references, "%s%s", references.size ? "\n" : "", reference(step, t, digest));
        for (size_t i = 0; t->tags[i]; i++) {
            const char *name = reference(step, t, t->tags[i]);

            sink_addf(&tags, "%s%s", tags.size ? "\n" : "", name);
            sink_addf(&commas, "%s%s", commas.size ? "," : "", name);
            sink_addf(&table, "| `%s` | `%s` |\n", name, digest);
        }
    }
    r = host->output(step, "digest", digest);
    if (r == OST_OK)
        r = host->output(step, "imageid", image_id(p->tree));
    if (r == OST_OK)
        r = host->output(step, "tags", sink_text(&tags));
    if (r == OST_OK)
        r = host->output(step, "references", sink_text(&references));
    if (r == OST_OK)
        r = host->output(step, "metadata", metadata(step, p, sink_text(&commas)));
    return r == OST_OK ? host->summary(step, sink_text(&table)) : r;
}

static void tell_target(struct ost_step *step, const struct target *t)
{
    ost_log(step, OST_INFO, "%s/%s: %zu blob%s sent (%s), %zu mounted, %zu there already", t->host,
            t->name, t->n_sent, t->n_sent == 1 ? "" : "s", bytes(step, t->sent_bytes), t->n_mounted,
            t->n_present);
}

static void tell_missing(struct ost_step *step, const struct target *t)
{
    for (size_t i = 0; t->tags[i]; i++)
        ost_log(step, OST_INFO, "%s would be pushed: %zu blob%s to send (%s%s), %zu there already",
                reference(step, t, t->tags[i]), t->n_missing, t->n_missing == 1 ? "" : "s",
                t->n_missing ? "up to " : "", bytes(step, t->missing_bytes), t->n_present);
}

/* ---- phases ---- */

static double seconds(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static ost_status push(struct ost_step *step, struct tree *tree)
{
    double start = seconds();
    struct settings s;
    ost_status r = settings_read(step, &s);

    if (r == OST_OK)
        r = settings_environment(step, &s);
    if (r == OST_OK)
        r = load(step, &s, tree);
    if (r < 0)
        return r;
    for (const struct image *i = tree->images; i; i = i->next)
        ost_log(step, OST_INFO, "%s: %s", i->source, about(step, i));
    r = push_all(&s.push);
    if (r < 0)
        return r;
    for (const struct target *t = s.push.targets; t; t = t->next)
        (s.dry_run ? tell_missing : tell_target)(step, t);
    if (s.dry_run)
        return OST_OK;
    ost_log(step, OST_INFO, "pushed %s in %.1f s", tree_root(tree)->d.digest, seconds() - start);
    return give(step, &s.push);
}

static ost_status docker_push_main(struct ost_step *step)
{
    struct tree tree = {0};
    ost_status r = push(step, &tree);

    tree_close(&tree);
    return r;
}

/* Where it would go, and what is known of it: of files only, an engine is not asked. A plan has no network. */
static ost_status plan(struct ost_step *step, struct tree *tree)
{
    const char *workspace = step->host->dir(step, OST_DIR_WORKSPACE);
    struct sink from = {.step = step};
    struct settings s;
    ost_status r = settings_read(step, &s);
    bool there = r == OST_OK;

    for (size_t i = 0; r == OST_OK && s.sources[i]; i++) {
        struct span path = span_of(s.sources[i]), file;

        sink_addf(&from, "%s%s", i ? ", " : "", s.sources[i]);
        (void)(span_eat_until(&path, '#', &file) && (path = file, true));
        there = there && !source_is_engine(s.sources[i]) &&
                file_exists(rel_join(step, workspace ? workspace : ".", span_dup(step, path)));
    }
    if (there && (r = load(step, &s, tree)) == OST_OK)
        for (const struct image *i = tree->images; i; i = i->next)
            sink_addf(&from, "%s%s", i == tree->images ? ": " : "; ", about(step, i));
    for (const struct target *t = s.push.targets; t && r == OST_OK; t = t->next)
        for (size_t i = 0; t->tags[i] && r == OST_OK; i++)
            r = step->host->plan(step, s.dry_run ? "look at" : "push",
                                 reference(step, t, t->tags[i]), sink_text(&from));
    return r;
}

static ost_status docker_push_plan(struct ost_step *step)
{
    struct tree tree = {0};
    ost_status r = plan(step, &tree);

    tree_close(&tree);
    return r;
}

OST_PLUGIN(.id = "ostler/docker-push", .version = "1.0.0", .title = "Push images",
           .description = "Pushes container images to registries, without an engine",
           .author = "Ostler", OST_INPUTS(inputs), OST_OUTPUTS(outputs), .needs = OST_NEED_NETWORK,
           .plan = docker_push_plan, .main = docker_push_main);
