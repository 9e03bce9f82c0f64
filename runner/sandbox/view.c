#include "sandbox/view.h"

#include "base/path.h"
#include "io/spawn.h"
#include "sandbox/sandbox.h"

#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

const char *view_env(const char *const *env, const char *name)
{
    size_t n = strlen(name);

    for (; env && *env; env++)
        if (strncmp(*env, name, n) == 0 && (*env)[n] == '=')
            return *env + n + 1;
    return NULL;
}

static void add(struct view *p, enum wire_show kind, const char *source, const char *target)
{
    char *normal = path_normal(target);

    /* The first word on a place stands: callers add what is wanted most first. */
    VEC_EACH (item, p) {
        if (strcmp(item->target, normal) == 0) {
            free(normal);
            return;
        }
    }
    vec_push(p, (struct view_item){kind, mem_dup(source, strlen(source)), normal});
}

static void add_existing(struct view *p, enum wire_show kind, const char *path)
{
    if (path[0] == '/' && access(path, F_OK) == 0)
        add(p, kind, path, path);
}

static bool is_in(const char *path, const char *dir)
{
    const char *rest = path_below(path, dir);
    return rest && *rest;
}

/* Of homes nothing shows, but what PATH leads to has to work: the whole folder of the tool ("~/.pyenv" for
 * "~/.pyenv/shims"), as a layer, because they all write caches there. ~/.local holds everybody's things:
 * only the folder that PATH names. */
static void add_home_tool(struct view *p, const char *home, const char *entry)
{
    struct slice rest = slice_of(path_below(entry, home)), first;

    (void)slice_split(&rest, '/', &first);
    if (slice_eq(first, SLICE(".local"))) {
        add_existing(p, WIRE_LAYER, entry);
        return;
    }
    CLEANUP(free_ptr) char *name = mem_dup(first.ptr, first.len);
    CLEANUP(free_ptr) char *folder = path_join(home, name);
    add_existing(p, WIRE_LAYER, folder);
    if (slice_eq(first, SLICE(".cargo"))) { /* its programs are links to rustup's */
        CLEANUP(free_ptr) char *rustup = path_join(home, ".rustup");
        add_existing(p, WIRE_LAYER, rustup);
    }
}

/* The home that ENTRY is in: HOME, root's, or anybody's below /home; the caller frees it. NULL: none. */
static char *home_of(const char *entry, const char *home)
{
    const char *rest = path_below(entry, "/home");

    if (home && is_in(entry, home))
        return mem_dup(home, strlen(home));
    if (is_in(entry, "/root"))
        return mem_dup("/root", strlen("/root"));
    if (!rest || !strchr(rest, '/'))
        return NULL;
    return mem_dup(entry, (size_t)(strchr(rest, '/') - entry));
}

static void add_path(struct view *p, const char *search, const char *home)
{
    struct slice rest = slice_of(search), part;

    while (search && slice_split(&rest, ':', &part)) {
        if (!slice_starts(part, SLICE("/")) || part.len >= PATH_MAX)
            continue;
        CLEANUP(free_ptr) char *text = mem_dup(part.ptr, part.len);
        CLEANUP(free_ptr) char *entry = path_normal(text);
        CLEANUP(free_ptr) char *its_home = home_of(entry, home);

        if (its_home)
            add_home_tool(p, its_home, entry);
        else if (is_in(entry, "/run") || is_in(entry, "/tmp") || is_in(entry, "/var/tmp"))
            add_existing(p, WIRE_READ_ONLY, entry);
    }
}

/* Name resolution that lives in /run (systemd-resolved, NetworkManager) keeps working. The folder and not the
 * file: it is replaced when the network changes. */
static void add_resolver(struct view *p)
{
    CLEANUP(free_ptr) char *real = realpath("/etc/resolv.conf", NULL);

    if (!real || !is_in(real, "/run"))
        return;
    CLEANUP(free_ptr) char *dir = mem_dup(real, (size_t)(path_base(real) - real - 1));
    add_existing(p, WIRE_READ_ONLY, strcmp(dir, "/run") == 0 ? real : dir);
}

static void add_all(struct view *p, enum wire_show kind, const char *const *paths)
{
    for (; paths && *paths; paths++)
        add_existing(p, kind, *paths);
}

/* Nothing can be laid over a file but another one. */
static void add_hidden(struct view *p, const char *const *paths)
{
    struct stat st;

    for (; paths && *paths; paths++) {
        if ((*paths)[0] == '/' && stat(*paths, &st) == 0 && !S_ISDIR(st.st_mode))
            add(p, WIRE_READ_ONLY, "/dev/null", *paths);
        else
            add_existing(p, WIRE_NOTHING, *paths);
    }
}

static bool is_hidden(const struct view *p, const char *path)
{
    VEC_EACH (item, p)
        if ((item->kind == WIRE_PRIVATE || item->kind == WIRE_NOTHING) && is_in(path, item->target))
            return true;
    return false;
}

static int by_target(const void *a, const void *b)
{
    /* A folder sorts before all that is in it. */
    return strcmp(((const struct view_item *)a)->target, ((const struct view_item *)b)->target);
}

void view_make(struct view *p, const struct sandbox_spec *spec, const char *job_path)
{
    const char *home_env = view_env(spec->env, "HOME");
    CLEANUP(free_ptr) char *home = home_env && *home_env == '/' ? path_normal(home_env) : NULL;
    CLEANUP(free_ptr) char *jobs = mem_dup(job_path, (size_t)(path_base(job_path) - job_path));

    if (home && strcmp(home, "/") == 0) /* an account without a home: there is nothing to hide */
        *home = '\0';
    add_all(p, WIRE_WRITABLE, spec->writable);
    add_all(p, WIRE_READ_ONLY, spec->read_only);
    add(p, WIRE_PRIVATE, "work", spec->work_path);
    add(p, WIRE_PRIVATE, "home", spec->home_path);
    add(p, WIRE_PRIVATE, "tmp", "/tmp");
    add(p, WIRE_PRIVATE, "var-tmp", "/var/tmp");
    add_hidden(p, spec->hidden);
    add_existing(p, WIRE_NOTHING, "/home"); /* everybody's */
    add_existing(p, WIRE_NOTHING, "/root");
    if (home && *home)
        add_existing(p, WIRE_NOTHING, home);
    /* The job's neighbours. */
    if (strcmp(jobs, "/") != 0 && !is_hidden(p, jobs))
        add_existing(p, WIRE_NOTHING, jobs);
    add_path(p, view_env(spec->env, "PATH"), home && *home ? home : NULL);
    add_resolver(p);
    qsort(p->ptr, p->len, sizeof *p->ptr, by_target);
}

void view_deinit(struct view *p)
{
    VEC_EACH (item, p) {
        free(item->source);
        free(item->target);
    }
    vec_deinit(p);
}
