#include "build_image.h"

#include "../lib/quiet.h"
#include "build_secrets.h"

#include <string.h>

#define DIGEST_LABEL "ostler.build.inputs"

static const char *const names[ENGINES] = {"auto", "docker", "podman", "buildah"};

const char *engine_name(enum engine engine)
{
    return names[engine];
}

static size_t count(const char *const *list)
{
    size_t n = 0;

    while (list[n])
        n++;
    return n;
}

static bool is_index(const struct image *i)
{
    return count(i->platforms) > 1;
}

/* ---- the Dockerfile ---- */

ost_status image_begin(struct image *i)
{
    const char *path;
    size_t size;
    char *text;

    if (!*i->file) {
        path = rel_join(i->step, i->at, rel_join(i->step, i->context, "Dockerfile"));
        i->file = rel_join(i->step, i->context, file_exists(path) ? "Dockerfile" : "Containerfile");
    }
    path = rel_join(i->step, i->at, i->file);
    text = file_read(i->step, path, DOCKERFILE_SIZE_MAX, &size);
    if (!text)
        return ost_fail(i->step, OST_E_NOT_FOUND,
                        "there is no Dockerfile '%s' that can be read: name it in 'file', as seen "
                        "from 'path'",
                        i->file);
    i->bases = dockerfile_bases(i->step, (struct span){text, size});
    return OST_OK;
}

/* ---- the engine ---- */

/* Runs the engine with WORDS; *RET_OUT is what it printed when it went well, else NULL. */
static ost_status ask(struct image *i, const char *const *argv, const char **ret_out)
{
    struct ost_exec_result res = OST_RESULT;
    struct output out = {0}, err = {0};
    ost_status r = quiet_run(i->step, argv, i->at, &out, &err, &res);

    *ret_out = NULL;
    if (r == OST_E_CANCELLED)
        return r;
    if (r == OST_OK && res.exit_code == 0)
        *ret_out = output_text(i->step, &out);
    return OST_OK;
}

/* The server's version, which is what builds; a docker whose daemon is away is no engine. */
static ost_status ask_version(struct image *i, enum engine engine, const char **ret)
{
    return ask(i,
               engine == ENGINE_DOCKER
                   ? OST_ARGV("docker", "version", "--format", "{{.Server.Version}}")
                   : OST_ARGV(names[engine], "--version"),
               ret);
}

static ost_status no_engine(struct image *i, enum engine told)
{
    if (told == ENGINE_AUTO)
        return ost_fail(
            i->step, OST_E_NOT_FOUND,
            "there is no engine to build an image with: neither docker (with its daemon), "
            "podman nor buildah answers in this job; install one of them");
    return ost_fail(i->step, OST_E_NOT_FOUND,
                    "'engine: %s' does not answer in this job: install it%s, or let 'engine: auto' "
                    "find another",
                    names[told], told == ENGINE_DOCKER ? " and see that its daemon runs" : "");
}

ost_status image_find_engine(struct image *i)
{
    enum engine told = i->engine;

    for (int e = ENGINE_DOCKER; e < ENGINES; e++) {
        const char *version;
        ost_status r;

        if (told != ENGINE_AUTO && told != (enum engine)e)
            continue;
        r = ask_version(i, (enum engine)e, &version);
        if (r < 0)
            return r;
        if (version) {
            i->engine = (enum engine)e;
            return OST_OK;
        }
    }
    return no_engine(i, told);
}

/* ---- facts ---- */

static ost_status ask_id(struct image *i, const char *image, const char **ret)
{
    if (i->engine == ENGINE_BUILDAH)
        return ask(i,
                   OST_ARGV("buildah", "inspect", "--type", "image", "--format", "{{.FromImageID}}",
                            image),
                   ret);
    return ask(i, OST_ARGV(names[i->engine], "image", "inspect", "--format", "{{.Id}}", image),
               ret);
}

static ost_status add_base(struct image *i, const char *image, struct facts *to)
{
    const char *id = NULL, *ignored;
    ost_status r = i->pull ? OST_OK : ask_id(i, image, &id);

    if (r == OST_OK && !id) {
        ost_log(i->step, OST_INFO, "fetching the base image '%s'", image);
        r = ask(i, OST_ARGV(names[i->engine], "pull", image), &ignored);
        if (r == OST_OK)
            r = ask_id(i, image, &id);
    }
    if (r == OST_OK && id)
        facts_add(i->step, to, "base image", image, id);
    else if (r == OST_OK)
        facts_doubt(to,
                    ost_fmt(i->step, "the engine does not tell which base image '%s' is", image));
    return r;
}

ost_status image_facts(struct image *i, struct facts *to)
{
    const char *version;
    ost_status r = ask_version(i, i->engine, &version);

    if (r == OST_OK)
        facts_add(i->step, to, "tool", names[i->engine], version ? version : "");
    if (i->bases.unknown)
        facts_doubt(to,
                    ost_fmt(i->step, "'%s' names its base image by a variable", i->bases.unknown));
    if (count(i->platforms) > 0)
        facts_doubt(to, "with 'platforms' base images are others than this machine's");
    for (size_t k = 0; r == OST_OK && !to->unknown && k < i->bases.images.n; k++) {
        const char *image = i->bases.images.list[k];

        if (image_is_pinned(image))
            facts_add(i->step, to, "base image", image, "pinned");
        else
            r = add_base(i, image, to);
    }
    return r;
}

/* ---- one that is there already ---- */

static ost_status name_it(struct image *i)
{
    ost_status r = OST_OK;

    for (const char *const *ref = i->refs; r == OST_OK && *ref; ref++)
        r = ost_exec(i->step, NULL, .flags = OST_EXEC_CHECK, .cwd = i->at,
                     .argv = OST_ARGV(names[i->engine], "tag", i->id, *ref));
    if (r < 0 && r != OST_E_CANCELLED)
        return ost_fail(i->step, r, "cannot name the image: %s",
                        i->step->host->last_error(i->step));
    return r;
}

ost_status image_reuse(struct image *i, const char *digest, bool *ret_found)
{
    const char *filter = ost_fmt(i->step, "label=" DIGEST_LABEL "=%s", digest), *ids;
    ost_status r = ask(
        i, OST_ARGV(names[i->engine], "images", "--quiet", "--no-trunc", "--filter", filter), &ids);

    *ret_found = false;
    if (r < 0 || !ids || !*ids)
        return r;
    i->id = span_dup(i->step, (struct span){ids, strcspn(ids, "\n")});
    *ret_found = true;
    return name_it(i);
}

/* ---- building ---- */

static void add_each(struct ost_step *step, struct strings *argv, const char *option,
                     const char *const *values)
{
    for (; *values; values++) {
        strings_add(step, argv, option);
        strings_add(step, argv, *values);
    }
}

static const char *joined(struct ost_step *step, const char *const *list)
{
    struct sink k = {.step = step};

    for (size_t n = 0; list[n]; n++)
        sink_addf(&k, "%s%s", n ? "," : "", list[n]);
    return sink_text(&k);
}

/* An index has to be called something where it is made. */
static const char *index_name(const struct image *i)
{
    return i->refs[0] ? i->refs[0] : "localhost/ostler-build";
}

static const char *output_path(const struct image *i)
{
    return rel_join(i->step, i->workspace, i->output);
}

static struct strings options(const struct image *i, const char *digest)
{
    struct ost_step *step = i->step;
    struct strings argv = {0};

    strings_add(step, &argv, engine_name(i->engine == ENGINE_AUTO ? ENGINE_DOCKER : i->engine));
    if (is_index(i) && i->engine == ENGINE_DOCKER)
        strings_add(step, &argv, "buildx");
    strings_add(step, &argv, "build");
    add_each(step, &argv, "--file", OST_ARGV(i->file));
    if (*i->target)
        add_each(step, &argv, "--target", OST_ARGV(i->target));
    if (i->platforms[0])
        add_each(step, &argv, "--platform", OST_ARGV(joined(step, i->platforms)));
    if (i->pull)
        strings_add(step, &argv, i->engine == ENGINE_DOCKER ? "--pull" : "--pull-always");
    if (i->no_cache)
        strings_add(step, &argv, "--no-cache");
    add_each(step, &argv, "--build-arg", i->build_args);
    add_each(step, &argv, "--label", i->labels);
    if (digest)
        add_each(step, &argv, "--label", OST_ARGV(ost_fmt(step, DIGEST_LABEL "=%s", digest)));
    if (!is_index(i))
        add_each(step, &argv, "--tag", i->refs);
    else if (i->engine == ENGINE_DOCKER)
        add_each(step, &argv, "--output",
                 OST_ARGV(ost_fmt(step, "type=oci,dest=%s", output_path(i))));
    else
        add_each(step, &argv, "--manifest", OST_ARGV(index_name(i)));
    for (const char *const *arg = i->args; *arg; arg++)
        strings_add(step, &argv, *arg);
    return argv;
}

const char *const *image_command(const struct image *i, const char *digest)
{
    struct strings argv = options(i, digest);

    strings_add(i->step, &argv, i->context);
    return strings_list(&argv);
}

/* Docker's daemon builds neither indexes nor with secrets: that is BuildKit. Its client is a part of its own; until
 * docker 23, what takes secrets was in docker itself. */
static ost_status check_buildx(struct image *i)
{
    enum { WITHOUT_BUILDKIT = 23 };
    uint32_t major = WITHOUT_BUILDKIT;
    const char *version;
    struct span rest;
    ost_status r;

    if (i->engine != ENGINE_DOCKER || (!*i->secrets && !is_index(i)))
        return OST_OK;
    r = ask(i, OST_ARGV("docker", "buildx", "version"), &version);
    if (r < 0 || version)
        return r;
    r = ask(i, OST_ARGV("docker", "version", "--format", "{{.Client.Version}}"), &version);
    rest = span_of(version ? version : "");
    if (r < 0 || (!is_index(i) && span_eat_number(&rest, &major) && major < WITHOUT_BUILDKIT))
        return r;
    return ost_fail(i->step, OST_E_NOT_FOUND,
                    "docker needs its buildx plugin for %s, and does not have it in this job: "
                    "install docker-buildx-plugin, or use 'engine: podman' or 'engine: buildah'",
                    *i->secrets ? "'secrets'" : "several 'platforms'");
}

static ost_status check_output(struct image *i)
{
    if (is_index(i) && i->format != ARCHIVE_OCI && (*i->output || i->engine == ENGINE_DOCKER))
        return ost_fail(i->step, OST_E_INVALID,
                        "an image of several platforms is written by 'output-format: oci-archive' "
                        "only; set it, and 'output' to a file");
    if (is_index(i) && i->engine == ENGINE_DOCKER && !*i->output)
        return ost_fail(
            i->step, OST_E_INVALID,
            "docker keeps no image of several platforms: name a file for it in 'output'");
    if (*i->output && i->engine == ENGINE_DOCKER && !is_index(i) && i->format != ARCHIVE_DOCKER)
        return ost_fail(
            i->step, OST_E_INVALID,
            "docker writes an image as 'output-format: docker-archive' only; use that, or "
            "'engine: podman' or 'engine: buildah'");
    return OST_OK;
}

/* "sha256:..." in the file PATH, which goes; "" when it holds none. */
static const char *take_line(struct ost_step *step, const char *path)
{
    size_t size;
    char *text = file_read(step, path, 4096, &size);
    struct span line = span_trim((struct span){text ? text : "", text ? size : 0});

    file_remove(path);
    return span_starts(line, "sha256:") ? span_dup(step, line) : "";
}

static ost_status run_build(struct image *i, struct strings *argv, const char *id_file)
{
    static const char *const buildkit[] = {"DOCKER_BUILDKIT=1", NULL};
    struct ost_exec_result res = OST_RESULT;
    ost_status r;

    if (!is_index(i))
        add_each(i->step, argv, "--iidfile", OST_ARGV(id_file));
    strings_add(i->step, argv, i->context);
    r = ost_exec(i->step, &res, .argv = strings_list(argv), .cwd = i->at,
                 .env = i->engine == ENGINE_DOCKER && *i->secrets ? buildkit : NULL);
    if (r < 0)
        return r == OST_E_CANCELLED ? r
                                    : ost_fail(i->step, r, "cannot run %s: %s", names[i->engine],
                                               i->step->host->last_error(i->step));
    if (res.exit_code != 0)
        return ost_fail(i->step, OST_E_FAILED,
                        "%s could not build the image (exit code %d): its last lines above say why",
                        names[i->engine], res.exit_code);
    i->id = is_index(i) ? "" : take_line(i->step, id_file);
    if (!is_index(i) && !*i->id)
        return ost_fail(i->step, OST_E_FAILED, "%s does not tell which image it built",
                        names[i->engine]);
    return OST_OK;
}

ost_status image_build(struct image *i, const char *digest)
{
    struct secret_files secrets = {0};
    const char *id_file = i->step->host->temp(i->step, ".iid");
    struct strings argv;
    ost_status r = check_output(i);

    if (r == OST_OK)
        r = check_buildx(i);
    if (r == OST_OK && !id_file)
        r = ost_fail(i->step, OST_E_IO, "%s", i->step->host->last_error(i->step));
    if (r == OST_OK)
        r = secrets_write(i->step, i->secrets, &secrets);
    if (r == OST_OK) {
        argv = options(i, digest);
        add_each(i->step, &argv, "--secret", strings_list(&secrets.options));
        r = run_build(i, &argv, id_file);
    }
    secrets_remove(&secrets);
    if (id_file)
        file_remove(id_file);
    return r;
}

/* ---- output ---- */

/* What lies there gives way: podman and buildah would not write into it. A folder only if it is a layout. */
static ost_status make_room(struct image *i, const char *path)
{
    const char *folder = rel_parent(i->step, path);
    ost_status r = OST_OK;

    if (file_is_folder(path)) {
        if (i->format != ARCHIVE_LAYOUT || !file_exists(rel_join(i->step, path, "oci-layout")))
            return ost_fail(i->step, OST_E_INVALID,
                            "'output' is the folder '%s', and it holds something else than an "
                            "image: name another place",
                            i->output);
        r = ost_exec(i->step, NULL, .flags = OST_EXEC_CHECK,
                     .argv = OST_ARGV("rm", "-rf", "--", path));
    } else {
        r = ost_exec(i->step, NULL, .flags = OST_EXEC_CHECK,
                     .argv = OST_ARGV("rm", "-f", "--", path));
    }
    if (r == OST_OK)
        r = ost_exec(i->step, NULL, .flags = OST_EXEC_CHECK,
                     .argv = OST_ARGV("mkdir", "-p", "--", folder));
    return r;
}

/* The tag of "name:tag"; "latest" of an image without one. */
static const char *tag_of(const char *ref)
{
    const char *name = ref ? rel_name(ref) : "", *colon = strchr(name, ':');

    return colon ? colon + 1 : "latest";
}

static const char *const *docker_save(const struct image *i, const char *path)
{
    struct strings argv = {0};

    strings_add(i->step, &argv, "docker");
    strings_add(i->step, &argv, "save");
    add_each(i->step, &argv, "--output", OST_ARGV(path));
    for (const char *const *ref = i->refs; *ref; ref++)
        strings_add(i->step, &argv, *ref);
    if (!i->refs[0])
        strings_add(i->step, &argv, i->id);
    return strings_list(&argv);
}

/* Layers are compressed on the way into OCI formats, so the digest is another than the engine's own. */
static const char *const *other_save(const struct image *i, const char *path, const char *told)
{
    static const char *const transports[] = {"docker-archive", "oci-archive", "oci"};
    const char *name = i->refs[0], *what = i->format == ARCHIVE_DOCKER ? name : tag_of(name);
    struct strings argv = {0};

    strings_add(i->step, &argv, names[i->engine]);
    if (is_index(i))
        strings_add(i->step, &argv, "manifest");
    strings_add(i->step, &argv, "push");
    if (is_index(i))
        strings_add(i->step, &argv, "--all");
    add_each(i->step, &argv, "--digestfile", OST_ARGV(told));
    strings_add(i->step, &argv, is_index(i) ? index_name(i) : i->id);
    strings_add(i->step, &argv,
                ost_fmt(i->step, "%s:%s%s%s", transports[i->format], path, what ? ":" : "",
                        what ? what : ""));
    return strings_list(&argv);
}

static ost_status run_save(struct image *i, const char *path)
{
    const char *told;
    ost_status r;

    if (i->engine == ENGINE_DOCKER)
        return ost_exec(i->step, NULL, .flags = OST_EXEC_CHECK, .cwd = i->at,
                        .argv = docker_save(i, path));
    told = i->step->host->temp(i->step, ".digest");
    if (!told)
        return OST_E_IO;
    r = ost_exec(i->step, NULL, .flags = OST_EXEC_CHECK, .cwd = i->at,
                 .argv = other_save(i, path, told));
    told = take_line(i->step, told);
    if (i->format != ARCHIVE_DOCKER)
        i->digest = told;
    return r;
}

static ost_status write_output(struct image *i)
{
    const char *path = output_path(i);
    bool written = is_index(i) && i->engine == ENGINE_DOCKER; /* by the build itself */
    ost_status r = written ? OST_OK : make_room(i, path);

    if (r == OST_OK && !written)
        r = run_save(i, path);
    if (r < 0 && r != OST_E_CANCELLED && r != OST_E_INVALID)
        return ost_fail(i->step, r, "cannot write the image to '%s': %s", i->output,
                        i->step->host->last_error(i->step));
    return r;
}

static ost_status ask_digest(struct image *i)
{
    const char *digest = NULL;
    ost_status r = OST_OK;

    if (!is_index(i) && i->engine == ENGINE_PODMAN)
        r = ask(i, OST_ARGV("podman", "image", "inspect", "--format", "{{.Digest}}", i->id),
                &digest);
    else if (!is_index(i) && i->engine == ENGINE_BUILDAH)
        r = ask(i,
                OST_ARGV("buildah", "inspect", "--type", "image", "--format",
                         "{{.FromImageDigest}}", i->id),
                &digest);
    i->digest = digest && strncmp(digest, "sha256:", 7) == 0 ? digest : "";
    return r;
}

ost_status image_finish(struct image *i)
{
    ost_status r = ask_digest(i);

    return r == OST_OK && *i->output ? write_output(i) : r;
}
