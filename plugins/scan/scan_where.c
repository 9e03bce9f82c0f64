#include "scan_where.h"

#include "../lib/repo.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <ostler/ext.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { SAID_MAX = 4096, BINARY_LOOK = 8192 };

/* ---- git's output as it comes ---- */

struct stream {
    struct patch patch;
    struct secrets *to;
    char said[SAID_MAX]; /* the beginning of its complaints */
    size_t n_said;
};

static ost_status on_output(void *ctx, int32_t fd, const char *data, size_t size)
{
    struct stream *s = ctx;

    if (fd != 2) {
        patch_feed(&s->patch, data, size);
        return s->to->status;
    }
    if (size > SAID_MAX - s->n_said)
        size = SAID_MAX - s->n_said;
    memcpy(s->said + s->n_said, data, size);
    s->n_said += size;
    return OST_OK;
}

/* Paths are names here, whatever characters they hold. */
static const char *const environment[] = {"LC_ALL=C.UTF-8", "GIT_LITERAL_PATHSPECS=1", NULL};

/* WORDS, the patch's options, REVISIONS, and the paths that are asked for. */
static const char *const *command(const struct where *w, const struct repo *g,
                                  const char *const *words, const char *const *revisions)
{
    struct strings args = {0};

    for (; *words; words++)
        strings_add(w->step, &args, *words);
    for (const char *const *option = patch_options; *option; option++)
        strings_add(w->step, &args, *option);
    for (; *revisions; revisions++)
        strings_add(w->step, &args, *revisions);
    strings_add(w->step, &args, "--");
    for (const char *const *path = w->paths; *path; path++)
        if (**path && rel_below(g->prefix, *path))
            strings_add(w->step, &args, rel_from(g->prefix, *path));
    return repo_command(w->step, strings_list(&args));
}

static ost_status run(const struct where *w, const struct repo *g, const char *const *words,
                      const char *const *revisions, struct secrets *to)
{
    struct ost_exec_result res = OST_RESULT;
    struct stream *s = w->step->host->alloc(w->step, sizeof *s);
    ost_status r;

    memset(s, 0, sizeof *s);
    s->patch = (struct patch){.step = w->step, .found = secrets_line, .ctx = to};
    s->to = to;
    r = ost_exec(w->step, &res, .flags = OST_EXEC_QUIET, .argv = command(w, g, words, revisions),
                 .env = environment, .cwd = g->cwd, .on_output = on_output, .ctx = s);
    patch_end(&s->patch);
    if (to->status < 0)
        return to->status;
    if (r < 0 && r != OST_E_CANCELLED)
        return ost_fail(w->step, r, "cannot run git: %s", w->step->host->last_error(w->step));
    if (r == OST_OK && res.exit_code != 0)
        return ost_fail(w->step, OST_E_FAILED, "git %s failed: %s", words[0],
                        span_dup(w->step, span_trim((struct span){s->said, s->n_said})));
    return r;
}

/* ---- what a push brings ---- */

ost_status where_diff(struct where *w, struct secrets *to)
{
    struct repo g = {.step = w->step, .needed_by = "'scope: diff'"};
    const char *fork = NULL;
    ost_status r = repo_find(&g, w->workspace, w->dir);

    if (r == OST_OK)
        r = repo_fork(&g, w->base, &fork);
    if (r < 0)
        return r;
    to->prefix = g.prefix;
    r = run(w, &g, OST_ARGV("diff"), OST_ARGV(fork), to);
    to->past = true;
    if (r == OST_OK)
        r = run(w, &g, OST_ARGV("log", "--patch", "--format=tformat:commit %H"),
                OST_ARGV(ost_fmt(w->step, "%s..HEAD", fork)), to);
    return r;
}

/* ---- files ---- */

/* One file's text takes the place of the other's: a tree may be larger than memory. NULL: nothing to look at. */
static const char *read_beneath(struct where *w, int dir, const char *path, size_t *ret_size,
                                bool *ret_large)
{
    /* A link's target is looked at where it lies. */
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK,
                           .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
    int fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
    bool regular;
    struct stat st;
    size_t n = 0;

    if (!w->text)
        w->text = w->step->host->alloc(w->step, FILE_SIZE_MAX);
    regular = fd >= 0 && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
    *ret_large = regular && st.st_size > FILE_SIZE_MAX;
    while (regular && !*ret_large && n < FILE_SIZE_MAX) {
        ssize_t got = read(fd, w->text + n, FILE_SIZE_MAX - n);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        n += (size_t)got;
    }
    if (fd >= 0)
        close(fd);
    *ret_size = n;
    return regular && !*ret_large ? w->text : NULL;
}

static void scan_file(struct where *w, struct secrets *to, int dir, const char *path)
{
    bool large;
    size_t size;
    const char *text = read_beneath(w, dir, path, &size, &large);

    w->n_large += large;
    if (!text)
        return;
    w->n_files++;
    if (!memchr(text, '\0', size < BINARY_LOOK ? size : BINARY_LOOK))
        secrets_text(to, path, (struct span){text, size});
}

static bool is_asked_for(const struct where *w, const char *path)
{
    for (const char *const *asked = w->paths; *asked; asked++)
        if (rel_below(*asked, path))
            return true;
    return !w->paths[0];
}

static ost_status scan_files(struct where *w, struct secrets *to, const char *folder,
                             const char *const *paths)
{
    int dir = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    ost_status r = OST_OK;

    if (dir < 0)
        return ost_fail(w->step, OST_E_IO, "cannot open '%s': %s", folder, strerror(errno));
    for (; r == OST_OK && *paths; paths++) {
        if (w->step->host->cancelled(w->step))
            r = OST_E_CANCELLED;
        else if (is_asked_for(w, rel_join(w->step, to->prefix, *paths)))
            scan_file(w, to, dir, *paths);
        if (r == OST_OK)
            r = to->status;
    }
    close(dir);
    return r;
}

static const char *const *names_of(struct ost_step *step, const struct output *o)
{
    struct strings names = {0};
    struct span rest = {o->data, o->size}, name;

    while (span_eat_until(&rest, '\0', &name))
        strings_add(step, &names, span_dup(step, name));
    return strings_list(&names);
}

static ost_status without_git(struct where *w, struct secrets *to)
{
    const struct ost_files_v1 *files =
        (const struct ost_files_v1 *)w->step->host->extension(w->step, OST_EXT_FILES);
    struct strings names = {0};
    const char *const *found;
    size_t n;
    ost_status r;

    if (!files)
        return ost_fail(w->step, OST_E_UNSUPPORTED, "this host cannot search for files");
    r = files->glob(w->step, OST_ARGV("**"), OST_GLOB_INSIDE, &found, &n);
    if (r < 0)
        return r == OST_E_CANCELLED ? r
                                    : ost_fail(w->step, r, "cannot look for files: %s",
                                               w->step->host->last_error(w->step));
    for (size_t i = 0; i < n; i++)
        if (rel_below(w->workspace, found[i]) && !strstr(found[i], "/.git/"))
            strings_add(w->step, &names, rel_from(w->workspace, found[i]));
    to->prefix = "";
    return scan_files(w, to, w->workspace, strings_list(&names));
}

ost_status where_tree(struct where *w, struct secrets *to)
{
    struct repo g = {.step = w->step, .needed_by = "'scope: tree'", .cwd = w->workspace};
    ost_status r = repo_git(&g, OST_ARGV("rev-parse", "--show-cdup"));

    if (r == OST_E_CANCELLED)
        return r;
    if (r < 0 || g.code != 0)
        return without_git(w, to);
    to->prefix = "";
    r = repo_git(&g, OST_ARGV("ls-files", "-z"));
    return r == OST_OK ? scan_files(w, to, w->workspace, names_of(w->step, &g.out)) : r;
}

/* ---- all that ever was ---- */

static ost_status tell_shallow(struct repo *g)
{
    ost_status r = repo_git(g, OST_ARGV("rev-parse", "--is-shallow-repository"));

    if (r == OST_OK && strcmp(output_text(g->step, &g->out), "true") == 0)
        ost_log(g->step, OST_WARNING,
                "this checkout is shallow, so most of the history is not looked at: let "
                "actions/checkout fetch it ('fetch-depth: 0')");
    return r;
}

ost_status where_history(struct where *w, struct secrets *to)
{
    struct repo g = {.step = w->step, .needed_by = "'scope: history'"};
    ost_status r = repo_find(&g, w->workspace, w->dir);

    if (r == OST_OK)
        r = tell_shallow(&g);
    if (r == OST_OK)
        r = where_tree(w, to);
    if (r < 0)
        return r;
    to->prefix = g.prefix;
    to->past = true;
    return run(w, &g, OST_ARGV("log", "--patch", "--format=tformat:commit %H"),
               OST_ARGV("--all", "HEAD"), to);
}
