/* build - ostler/build@v1: builds what a folder holds, unless that has been done before, and says what came of
 * it. One build of a phase, in order: settings, facts, skip or build, files, outputs. */
#include "build_gather.h"
#include "build_report.h"

#include "../lib/cache.h"

#include <string.h>
#include <time.h>

static const char *const kinds[] = {"auto",   "docker", "npm",     "cmake",
                                    "python", "go",     "command", NULL};
static const char *const engines[] = {"auto", "docker", "podman", "buildah", NULL};
static const char *const formats[] = {"docker-archive", "oci-archive", "oci-layout", NULL};

static const struct ost_input inputs[] = {
    {.name = "kind",
     .type = OST_CHOICE,
     .fallback = "auto",
     .choices = kinds,
     .description = "What is built; auto: what the folder's files say"},
    {.name = "path",
     .type = OST_PATH,
     .fallback = ".",
     .description = "Folder of the project; patterns and other paths are as seen from there"},
    {.name = "command", .description = "Shell commands that build, for what is none of the kinds"},
    {.name = "arguments",
     .type = OST_LIST,
     .description = "More words for the command that builds, one a line"},
    {.name = "script", .fallback = "build", .description = "npm: the script in package.json"},
    {.name = "preset", .description = "CMake: the preset to configure and build"},
    {.name = "build-type", .fallback = "Release", .description = "CMake: CMAKE_BUILD_TYPE"},
    {.name = "build-dir", .fallback = "build", .description = "CMake: folder to build in"},
    {.name = "install-prefix",
     .type = OST_PATH,
     .description = "CMake: also install, to this folder of the workspace"},
    {.name = "target", .description = "CMake: what to build; image: the stage to build"},
    {.name = "engine",
     .type = OST_CHOICE,
     .fallback = "auto",
     .choices = engines,
     .description = "Image: what builds it; auto: the first that answers"},
    {.name = "context", .fallback = ".", .description = "Image: folder that is sent to the engine"},
    {.name = "file", .description = "Image: its Dockerfile; default: the one in the context"},
    {.name = "build-args", .type = OST_LIST, .description = "Image: NAME=value, one a line"},
    {.name = "platforms",
     .type = OST_LIST,
     .description = "Image: platforms like linux/arm64, one a line; default: the engine's"},
    {.name = "pull",
     .type = OST_BOOL,
     .fallback = "false",
     .description = "Image: look for newer base images"},
    {.name = "no-cache",
     .type = OST_BOOL,
     .fallback = "false",
     .description = "Image: use no layers of earlier builds"},
    {.name = "secrets",
     .flags = OST_SECRET,
     .description = "Image: NAME=value, one a line, for RUN --mount=type=secret,id=NAME"},
    {.name = "image", .description = "Image: its name, without a tag"},
    {.name = "tags",
     .type = OST_LIST,
     .fallback = "latest\nbranch\npr\nsemver\nsha",
     .description = "Image: rules for its tags, or tags, one a line"},
    {.name = "labels",
     .type = OST_LIST,
     .description = "Image: key=value, one a line, besides those that every image gets"},
    {.name = "output", .type = OST_PATH, .description = "Image: also write it to this file"},
    {.name = "output-format",
     .type = OST_CHOICE,
     .fallback = "docker-archive",
     .choices = formats,
     .description = "Image: what is written"},
    {.name = "artifacts",
     .type = OST_LIST,
     .description = "Patterns of the files that are built; default: what the kind writes"},
    {.name = "checksums",
     .type = OST_PATH,
     .fallback = "SHA256SUMS",
     .description = "File for the digests of the artifacts, in the workspace"},
    {.name = "artifact", .description = "Also upload the artifacts under this name"},
    {.name = "retention-days",
     .type = OST_INT,
     .fallback = "0",
     .description = "How long the upload is kept; 0: as the repository says"},
    {.name = "provenance",
     .type = OST_PATH,
     .description = "Write who built what from what to this file, as an in-toto statement"},
    {.name = "builder-id", .description = "URI of the builder in the provenance"},
    {.name = "inputs",
     .type = OST_LIST,
     .description =
         "Patterns of all files the result depends on; with them, what has been built is "
         "not built again"},
    {.name = "environment",
     .type = OST_LIST,
     .description = "Names of variables that the result depends on, too"},
    {.name = "tools",
     .type = OST_LIST,
     .description = "Commands that print the version of a tool it depends on: gcc --version"},
    {.name = "name",
     .fallback = "${{ github.workflow }}/${{ github.job }}",
     .description = "Tells builds of a repository from each other"},
    {.name = "matrix",
     .fallback = "${{ toJSON(matrix) }}",
     .description = "Tells the jobs of a matrix from each other; leave it alone"},
};

static const struct ost_output outputs[] = {
    {"kind", "What was built: docker, npm, cmake, python, go or command"},
    {"skipped", "true: it had been built before, and was restored"},
    {"artifacts", "The files built, as JSON: [{\"path\", \"sha256\", \"size\"}]"},
    {"checksums", "The file with their digests; empty without artifacts"},
    {"digest", "Digest of the image's manifest where the engine knows it, or of the checksums"},
    {"imageid", "The image's id; empty for what is no image"},
    {"tags", "The image's names with their tags, one a line"},
    {"labels", "The image's labels, one a line"},
    {"provenance", "The file with the provenance, as given"},
    {"artifact-id", "Id of the uploaded artifact"},
    {"artifact-digest", "Its SHA-256"},
    {"artifact-url", "Where it can be downloaded"},
};

static bool is_image(const struct build *b)
{
    return b->recipe.kind == KIND_DOCKER;
}

/* ---- skipping ---- */

static ost_status collect(struct build *b)
{
    const char *const own[] = {b->sums, *b->provenance ? b->provenance : NULL, NULL};
    const struct built_ask ask = {b->workspace, b->artifacts, own};

    return b->artifacts[0] ? built_collect(b->step, &ask, &b->built) : OST_OK;
}

/* What a cache keeps of the build: its files. Of an image only the provenance is one. */
static const char *const *kept(const struct build *b)
{
    struct strings all = {0};

    for (const char *const *p = b->artifacts; !is_image(b) && *p; p++)
        strings_add(b->step, &all, *p);
    if (!is_image(b))
        strings_add(b->step, &all, b->sums);
    if (*b->provenance)
        strings_add(b->step, &all, b->provenance);
    return strings_list(&all);
}

static struct skip skip_of(const struct build *b)
{
    return (struct skip){
        .step = b->step,
        .workspace = b->workspace,
        .id = b->id,
        .digest = facts_digest(b->step, &b->facts),
        .results = kept(b),
        .facts = &b->facts,
    };
}

/* *RET_DONE: the result is there, whole. */
static ost_status find_result(struct build *b, const struct skip *s, bool *ret_done)
{
    struct facts old = {0};
    ost_status r = OST_OK;

    *ret_done = false;
    if (s->results[0]) {
        r = skip_restore(s, &old);
        if (r < 0 || old.n == 0)
            return r;
    }
    if (is_image(b))
        return image_reuse(&b->image, s->digest, ret_done);
    r = collect(b);
    *ret_done = r == OST_OK && built_equals(&b->built, &old);
    if (r == OST_OK && !*ret_done)
        ost_log(
            b->step, OST_WARNING,
            "what was kept is not all that is there now: a file that 'artifacts' matches is left "
            "from something else, or one is missing");
    return r;
}

/* Fills in WHY it has to be built; it stays NULL if the result is there. */
static ost_status decide(struct build *b)
{
    struct skip s;
    bool done;
    ost_status r;

    if (b->never) {
        b->why = b->never;
        return OST_OK;
    }
    if (!cache_is_there(b->step)) {
        b->why = "this job has no cache to keep results in";
        b->never = b->why;
        return OST_OK;
    }
    r = gather_facts(b);
    if (r < 0)
        return r;
    if (b->facts.unknown) {
        b->why = ost_fmt(b->step, "whether anything changed cannot be told: %s", b->facts.unknown);
        b->never = b->why;
        return OST_OK;
    }
    s = skip_of(b);
    r = find_result(b, &s, &done);
    return r == OST_OK && !done ? skip_why(&s, &b->why) : r;
}

static ost_status keep(struct build *b)
{
    struct skip s;
    struct facts noted = b->facts;

    if (b->never || !b->why)
        return OST_OK;
    s = skip_of(b);
    built_note(b->step, &b->built, &noted);
    facts_sort(&noted);
    if (noted.unknown) {
        ost_log(b->step, OST_WARNING, "what was built is not kept: %s", noted.unknown);
        return OST_OK;
    }
    return skip_save(&s, &noted);
}

/* ---- building ---- */

static const char *joined(struct ost_step *step, const char *const *argv)
{
    struct sink k = {.step = step};

    for (size_t i = 0; argv[i]; i++)
        sink_addf(&k, "%s%s", i ? " " : "", argv[i]);
    return sink_text(&k);
}

static ost_status run_commands(struct build *b)
{
    for (const char *const *const *argv = b->recipe.commands; *argv; argv++) {
        struct ost_exec_result res = OST_RESULT;
        ost_status r = ost_exec(b->step, &res, .argv = *argv, .cwd = b->recipe.at);

        if (r == OST_E_CANCELLED)
            return r;
        if (r == OST_E_NOT_FOUND)
            return ost_fail(b->step, r,
                            "there is no '%s' in this job: install it in an earlier step",
                            (*argv)[0]);
        if (r < 0)
            return ost_fail(b->step, r, "cannot run '%s': %s", (*argv)[0],
                            b->step->host->last_error(b->step));
        if (res.exit_code != 0)
            return ost_fail(b->step, OST_E_FAILED, "'%s' failed (exit code %d): %s",
                            b->recipe.kind == KIND_COMMAND ? "command" : joined(b->step, *argv),
                            res.exit_code, "its last lines above say why");
    }
    return OST_OK;
}

static ost_status build_it(struct build *b)
{
    ost_status r;

    ost_log(b->step, OST_INFO, "building (%s): %s", kind_name(b->recipe.kind), b->why);
    r = is_image(b) ? image_build(&b->image, b->never ? NULL : facts_digest(b->step, &b->facts))
                    : run_commands(b);
    if (r < 0 || is_image(b))
        return r;
    r = collect(b);
    if (r == OST_OK && b->artifacts[0] && b->built.n == 0)
        return ost_fail(
            b->step, OST_E_NOT_FOUND,
            "the build went well, and nothing matches 'artifacts' (%s): the patterns are "
            "as seen from 'path'",
            joined(b->step, b->artifacts));
    return r;
}

static ost_status finish_image(struct build *b)
{
    ost_status r = image_finish(&b->image);

    return r == OST_OK ? collect(b) : r;
}

static ost_status build_main(struct ost_step *step)
{
    struct build b;
    ost_status r = settings_read(step, &b);

    if (r == OST_OK && is_image(&b))
        r = image_find_engine(&b.image);
    b.started = time(NULL);
    if (r == OST_OK)
        r = decide(&b);
    if (r == OST_OK && b.why)
        r = build_it(&b);
    else if (r == OST_OK)
        ost_log(step, OST_INFO, "skipped: nothing that the result depends on has changed");
    if (r == OST_OK && is_image(&b))
        r = finish_image(&b);
    if (r == OST_OK)
        r = report_files(&b);
    if (r == OST_OK)
        r = keep(&b);
    return r == OST_OK ? report_outputs(&b) : r;
}

/* ---- plan ---- */

/* A plan runs nothing, so tools and variables stay unknown; files are there to be read. */
static ost_status plan_skip(struct build *b)
{
    ost_status r = OST_OK;

    if (!b->never)
        r = gather_files(b);
    if (r < 0)
        return r;
    if (b->never || b->facts.unknown)
        return b->step->host->plan(b->step, "build", "in any case",
                                   b->never ? b->never : b->facts.unknown);
    return b->step->host->plan(
        b->step, "skip", "if it has been built before",
        ost_fmt(b->step, "from the same %zu files, with the same settings, tools and variables",
                b->facts.n));
}

static ost_status plan_commands(struct build *b)
{
    const char *const *image[] = {is_image(b) ? image_command(&b->image, NULL) : NULL, NULL};
    const char *where = *b->recipe.folder ? b->recipe.folder : ".";
    ost_status r = OST_OK;

    for (const char *const *const *argv = is_image(b) ? image : b->recipe.commands;
         r == OST_OK && *argv; argv++)
        r = b->step->host->plan(b->step, "build",
                                ost_fmt(b->step, "%s in '%s'", kind_name(b->recipe.kind), where),
                                joined(b->step, *argv));
    return r;
}

static ost_status build_plan(struct ost_step *step)
{
    const char *artifact = step->host->input(step, "artifact");
    struct build b;
    ost_status r = settings_read(step, &b);

    if (r == OST_OK)
        r = plan_skip(&b);
    if (r == OST_OK)
        r = plan_commands(&b);
    for (size_t i = 0; r == OST_OK && i < b.refs.n; i++)
        r = step->host->plan(step, "tag", b.refs.list[i], NULL);
    if (r == OST_OK && b.artifacts[0])
        r = step->host->plan(step, "write", b.sums, joined(step, b.artifacts));
    if (r == OST_OK && *b.provenance)
        r = step->host->plan(step, "write", b.provenance, "provenance as an in-toto statement");
    if (r == OST_OK && *artifact)
        r = step->host->plan(step, "upload", ost_fmt(step, "the artifact '%s'", artifact),
                             joined(step, b.artifacts));
    return r;
}

OST_PLUGIN(.id = "ostler/build", .version = "1.0.0", .title = "Build",
           .description =
               "Builds an image, a package or a program, unless that has been done before",
           .author = "Ostler", OST_INPUTS(inputs), OST_OUTPUTS(outputs), .plan = build_plan,
           .main = build_main);
