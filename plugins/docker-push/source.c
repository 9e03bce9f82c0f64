#include "source.h"

#include "spool.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* ---- where files are looked for ---- */

static void hold(struct ost_step *step, struct tree *tree, int fd)
{
    struct held *h = step->host->alloc(step, sizeof *h);

    *h = (struct held){tree->held, fd};
    tree->held = h;
}

void tree_close(struct tree *tree)
{
    for (; tree->held; tree->held = tree->held->next)
        close(tree->held->fd);
}

static bool open_below(struct ost_step *step, const struct store *s, const char *name,
                       struct piece *ret)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    int fd = (int)syscall(SYS_openat2, s->dir, name, &how, sizeof how);
    struct stat st;

    if (fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode)) {
        hold(step, s->tree, fd);
        *ret = (struct piece){.fd = fd, .size = st.st_size};
        return true;
    }
    if (fd >= 0)
        close(fd);
    return false;
}

bool store_find(struct ost_step *step, const struct store *s, const char *name, struct piece *ret)
{
    return s->tar ? tarball_find(step, s->tar, name, ret) : open_below(step, s, name, ret);
}

struct image *tree_add(struct ost_step *step, struct tree *tree, const char *source)
{
    struct image **tail = &tree->images, *image;

    if (++tree->n_images > IMAGES_MAX) {
        ost_fail(step, OST_E_LIMIT, "'%s' brings more than %d images", source, IMAGES_MAX);
        return NULL;
    }
    image = step->host->alloc(step, sizeof *image);
    *image = (struct image){.source = source, .platform = {"", "", ""}};
    while (*tail)
        tail = &(*tail)->next;
    *tail = image;
    return image;
}

struct blob *tree_blob(struct ost_step *step, struct tree *tree)
{
    struct blob *b;

    if (++tree->n_blobs > BLOBS_MAX) {
        ost_fail(step, OST_E_LIMIT, "there are more than %d layers and configurations", BLOBS_MAX);
        return NULL;
    }
    b = step->host->alloc(step, sizeof *b);
    *b = (struct blob){.d = {"", NULL, 0}};
    return b;
}

static ost_status add_store(struct ost_step *step, const struct store *s, const char *wanted,
                            struct tree *tree)
{
    struct piece found;

    /* Newer engines put manifest.json beside an OCI layout, for old readers. */
    if (store_find(step, s, "oci-layout", &found) && store_find(step, s, "index.json", &found))
        return source_oci(step, s, wanted, tree);
    if (store_find(step, s, "manifest.json", &found))
        return source_docker(step, s, wanted, tree);
    return ost_fail(step, OST_E_INVALID,
                    "'%s' holds no image: neither 'manifest.json' (docker save) nor 'oci-layout' "
                    "and 'index.json' (OCI layout) are in it",
                    s->name);
}

static ost_status add_tar(struct ost_step *step, int fd, const char *name, const char *wanted,
                          struct tree *tree)
{
    struct tarball *tar;
    ost_status r = tarball_open(step, fd, name, &tar);

    if (r < 0)
        return r;
    hold(step, tree, tarball_fd(tar));
    return add_store(step, &(struct store){tar, -1, tree, name}, wanted, tree);
}

static ost_status add_path(struct ost_step *step, const char *path, const char *wanted,
                           struct tree *tree)
{
    const char *workspace = step->host->dir(step, OST_DIR_WORKSPACE);
    int fd =
        open(rel_join(step, workspace ? workspace : ".", path), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat st;

    if (fd < 0)
        return ost_fail(step, errno == ENOENT ? OST_E_NOT_FOUND : OST_E_IO,
                        "cannot open the source '%s': %s; it is a file of 'docker save', an OCI "
                        "layout, or 'engine:NAME' for an image of the job's engine",
                        path, strerror(errno));
    if (fstat(fd, &st) == 0 && S_ISDIR(st.st_mode)) {
        hold(step, tree, fd);
        return add_store(step, &(struct store){NULL, fd, tree, path}, wanted, tree);
    }
    return add_tar(step, fd, path, wanted, tree);
}

/* ---- engines ---- */

struct saving {
    int fd;
    bool full;
    struct sink said;
};

static ost_status on_output(void *ctx, int32_t fd, const char *data, size_t size)
{
    struct saving *s = ctx;

    if (fd != 1) {
        if (s->said.size < 4096)
            sink_add(&s->said, (struct span){data, size});
        return OST_OK;
    }
    s->full = !spool_write(s->fd, data, size);
    return s->full ? OST_E_IO : OST_OK;
}

/* Into FD; OST_E_NOT_FOUND, not recorded: there is no such program. */
static ost_status save(struct ost_step *step, const char *program, const char *name, int fd)
{
    struct saving s = {.fd = fd, .said = {.step = step}};
    struct ost_exec_result res = OST_RESULT;
    ost_status r;

    ost_log(step, OST_INFO, "[command]%s save %s", program, name);
    r = ost_exec(step, &res, .flags = OST_EXEC_QUIET, .argv = OST_ARGV(program, "save", name),
                 .on_output = on_output, .ctx = &s);
    if (s.full)
        return ost_fail(step, OST_E_IO, "cannot keep what '%s save' brings: %s", program,
                        strerror(errno));
    if (r == OST_E_NOT_FOUND || r == OST_E_CANCELLED)
        return r;
    if (r < 0)
        return ost_fail(step, r, "cannot run '%s save': %s", program, step->host->last_error(step));
    if (res.exit_code != 0) {
        struct span said = span_trim(span_of(sink_text(&s.said)));

        return ost_fail(step, OST_E_FAILED, "%s has no image '%s' to save: %.*s", program, name,
                        (int)(said.size > 500 ? 500 : said.size), said.at);
    }
    return OST_OK;
}

static ost_status add_engine(struct ost_step *step, const char *name, const char *engine,
                             struct tree *tree)
{
    bool any = strcmp(engine, "auto") == 0;
    int fd = -1;
    ost_status r;

    if (!*name || name[0] == '-' || strpbrk(name, " \t\r\n"))
        return ost_fail(step, OST_E_INVALID, "'engine:%s' names no image", name);
    r = spool_new(step, &fd);
    if (r < 0)
        return r;
    r = save(step, any ? "docker" : engine, name, fd);
    if (r == OST_E_NOT_FOUND && any)
        r = save(step, "podman", name, fd);
    if (r == OST_OK)
        return add_tar(step, fd, ost_fmt(step, "engine:%s", name), "", tree);
    close(fd);
    if (r == OST_E_NOT_FOUND)
        return ost_fail(step, r,
                        "there is no %s in this job to ask for '%s'; install one, or push an "
                        "archive that another step made",
                        any ? "docker and no podman" : engine, name);
    return r;
}

bool source_is_engine(const char *text)
{
    return span_starts(span_of(text), "engine:");
}

ost_status source_add(struct ost_step *step, const char *text, const char *engine,
                      struct tree *tree)
{
    const char *workspace = step->host->dir(step, OST_DIR_WORKSPACE);
    const char *hash = strrchr(text, '#');

    if (source_is_engine(text))
        return add_engine(step, text + strlen("engine:"), engine, tree);
    if (!hash || file_exists(rel_join(step, workspace ? workspace : ".", text)))
        return add_path(step, text, "", tree);
    return add_path(step, span_dup(step, (struct span){text, (size_t)(hash - text)}), hash + 1,
                    tree);
}
