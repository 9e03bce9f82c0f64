#include "store/mirror.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "lang/action_ref.h"
#include "store/room.h"
#include "store/source.h"

enum { LOCK_STEP_MS = 50, URL_MAX = 1000 };

struct work {
    const struct mirror_ask *ask;
    struct arena *arena;
    struct git_env git;
    const char *folder; /* of the repository's mirror, its lock and what is being made */
    const char *path;   /* of the mirror */
};

/* ---- where it is ---- */

static const char *lower(struct arena *a, struct slice name)
{
    char *copy = arena_str(a, name);

    for (char *c = copy; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c | 32);
    return copy;
}

/* "https://HOST[:PORT]/OWNER/REPO"; *RET_ORIGIN is what is before OWNER, without the slash. */
static int read_url(struct work *w, const char *url, const char **ret_origin, struct err *err)
{
    struct slice rest = slice_of(url), owner, server;
    bool known = slice_starts(rest, SLICE("https://")) || slice_starts(rest, SLICE("http://"));

    for (size_t i = 0; i < rest.len; i++)
        known &= url[i] > ' ' && url[i] != '@' && (unsigned char)url[i] < 0x7f;
    if (!known || rest.len > URL_MAX)
        return err_set(err, ERR_UNSUPPORTED, "only what is had over HTTP is mirrored");
    rest = slice_from(rest, (size_t)slice_find(rest, SLICE("//")) + 2);
    if (!slice_split(&rest, '/', &server) || !server.len || !slice_split(&rest, '/', &owner) ||
        !action_ref_is_name(owner) || !action_ref_is_name(rest))
        return err_set(err, ERR_UNSUPPORTED, "only HOST/OWNER/REPOSITORY is mirrored");
    *ret_origin = arena_str(w->arena, slice_make(url, (size_t)(owner.ptr - 1 - url)));
    w->folder = arena_printf(w->arena, "%s/%s", lower(w->arena, owner), lower(w->arena, rest));
    return ERR_OK;
}

/* What git is started with: nothing that the user of this machine has set up for their own git, whose credentials
 * are not the job's. */
static const char *const *environ_for(struct work *w, const char *origin)
{
    enum { OWN_MAX = 8 };
    const struct mirror_ask *ask = w->ask;
    size_t n = 0, more = 0;

    while (ask->env && ask->env[more])
        more++;
    const char **env = arena_array(w->arena, more + OWN_MAX + 1, sizeof *env);
    env[n++] = "GIT_CONFIG_NOSYSTEM=1"; /* ours come first: of two with one name that counts */
    env[n++] = "GIT_CONFIG_GLOBAL=/dev/null";
    if (*ask->header) {
        env[n++] = "GIT_CONFIG_COUNT=1";
        env[n++] = arena_printf(w->arena, "GIT_CONFIG_KEY_0=http.%s/.extraheader", origin);
        env[n++] = arena_printf(w->arena, "GIT_CONFIG_VALUE_0=%s", ask->header);
    }
    for (size_t i = 0; i < more; i++)
        env[n++] = ask->env[i];
    return env;
}

static int place(struct work *w, struct err *err)
{
    const char *origin, *host;
    int r = read_url(w, w->ask->url, &origin, err);

    if (r == ERR_OK)
        r = source_host(w->arena, origin, &host, err);
    if (r < 0)
        return r;
    w->folder = arena_printf(w->arena, "%s/%s/%s", w->ask->folder, host, w->folder);
    w->path = arena_printf(w->arena, "%s/" STORE_MIRROR, w->folder);
    w->git =
        (struct git_env){.path = w->ask->path,
                         .home = "/dev/null", /* curl would look for a .netrc elsewhere, else */
                         .more = environ_for(w, origin)};
    return ERR_OK;
}

static bool is_there(const struct work *w)
{
    struct stat st;

    return lstat(w->path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* ---- the lock ---- */

static int hold(struct work *w, int *ret, struct err *err)
{
    CLEANUP(fd_closep) int fd = -1;
    CLEANUP(free_ptr) char *path = path_join(w->folder, "lock");
    int64_t until = clock_ms() + MIRROR_LOCK_MS;
    int r = path_mkdirs(AT_FDCWD, w->folder, 0700, err);

    if (r == ERR_OK)
        r = path_open(AT_FDCWD, path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600, &fd, err);
    if (r < 0)
        return r;
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return err_sys(err, "cannot lock '%s'", path);
        if (clock_ms() >= until)
            return err_set(err, ERR_TIMEOUT, "another job fetches into it");
        (void)poll(NULL, 0, LOCK_STEP_MS); /* flock() knows no time limit */
    }
    *ret = fd;
    fd = -1;
    return ERR_OK;
}

/* ---- git ---- */

#define NETWORK "-c", "protocol.version=2", "-c", "http.followRedirects=false"

static int fetch(struct work *w, const char *repository, struct err *err)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(GIT_OUTPUT_MAX);
    const char *const args[] = {NETWORK,
                                "-c",
                                "transfer.unpackLimit=1", /* packs are read the faster */
                                "-c",
                                "gc.autoDetach=false", /* under the lock */
                                "-c",
                                "maintenance.autoDetach=false",
                                "--git-dir=.",
                                "fetch",
                                "--quiet",
                                "--prune",
                                "--no-tags",
                                "--no-recurse-submodules",
                                w->ask->url,
                                "+refs/heads/*:refs/heads/*",
                                "+refs/tags/*:refs/tags/*",
                                NULL};

    return git_run_for(&w->git, repository, args, MIRROR_TIMEOUT_MS, &out, err);
}

/* ls-remote: what its output begins with tells the length of a commit; an empty repository has none. */
static int ask_server(struct work *w, struct buf *out, struct err *err)
{
    const char *const args[] = {NETWORK, "ls-remote", "--quiet", w->ask->url, "HEAD", NULL};

    return git_run_for(&w->git, "/", args, MIRROR_TIMEOUT_MS, out, err);
}

static int init(struct work *w, const char *repository, struct slice said, struct err *err)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(GIT_OUTPUT_MAX);
    bool wide = slice_find_char(said, '\t') == 64;
    const char *const args[] = {"init",
                                "--quiet",
                                "--bare",
                                "--template=",
                                wide ? "--object-format=sha256" : "--object-format=sha1",
                                repository,
                                NULL};

    return git_run(&w->git, "/", args, &out, err);
}

static int make(struct work *w, struct err *err)
{
    CLEANUP(buf_deinit) struct buf said = BUF_INIT(GIT_OUTPUT_MAX);
    const char *new =
        arena_printf(w->arena, "%s/new-%ld-%lld", w->folder, (long)getpid(), (long long)clock_ns());
    struct err ignored = ERR_INIT;     /* what stays goes when room is made */
    int r = ask_server(w, &said, err); /* nothing is made for who may not read it */

    if (r < 0)
        return r;
    r = init(w, new, buf_slice(&said), err);
    if (r == ERR_OK)
        r = fetch(w, new, err);
    if (r == ERR_OK && rename(new, w->path) < 0)
        r = err_sys(err, "cannot move the mirror to its place");
    if (r < 0)
        (void)!path_remove(AT_FDCWD, new, &ignored);
    return r;
}

/* It loses its name first: those who use it keep what they have open. */
static int throw_away(struct work *w, struct err *err)
{
    const char *gone = arena_printf(w->arena, "%s/new-gone-%ld", w->folder, (long)getpid());

    if (rename(w->path, gone) < 0)
        return err_sys(err, "cannot remove '%s'", w->path);
    return path_remove(AT_FDCWD, gone, err);
}

/* Of a fetch that was killed. */
static void sweep_packs(struct work *w)
{
    CLEANUP(fd_closep)
    int dir = open(arena_printf(w->arena, "%s/objects/pack", w->path),
                   O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *all = dir < 0 ? NULL : path_list(dir);

    for (struct dirent *e; all && (e = readdir(all));)
        if (strncmp(e->d_name, "tmp_", 4) == 0)
            (void)unlinkat(dir, e->d_name, 0); /* it takes room until the next time, else */
    if (all)
        closedir(all);
}

/* A fetch that fails though the server answers has the mirror to blame: locks of a git that was killed, damage. */
static int update(struct work *w, bool *ret_damaged, struct err *err)
{
    CLEANUP(buf_deinit) struct buf said = BUF_INIT(GIT_OUTPUT_MAX);
    struct err why = ERR_INIT;

    sweep_packs(w);
    int r = fetch(w, w->path, err);
    *ret_damaged = r == ERR_FAILED && ask_server(w, &said, &why) == ERR_OK;
    return r;
}

static int refresh(struct work *w, struct err *err)
{
    struct err why = ERR_INIT;
    bool damaged = false;

    if (!is_there(w))
        return w->ask->make ? make(w, err) : err_set(err, ERR_NOT_FOUND, "there is none yet");
    int r = update(w, &damaged, &why);
    if (damaged) {
        if (throw_away(w, err) < 0)
            return err->code;
        r = w->ask->make ? make(w, &why) : err_in(&why, "it was damaged and is gone");
    }
    if (r < 0)
        *err = why;
    return r;
}

int mirror_get(const struct mirror_ask *ask, struct arena *a, const char **ret, struct err *err)
{
    struct work w = {.ask = ask, .arena = a};
    CLEANUP(fd_closep) int lock = -1;
    int r = place(&w, err);

    if (r == ERR_OK && !ask->make && !is_there(&w))
        return err_set(err, ERR_NOT_FOUND, "there is none yet");
    if (r == ERR_OK)
        r = hold(&w, &lock, err);
    if (r == ERR_OK)
        r = refresh(&w, err);
    if (r < 0)
        return r;
    (void)unlink(arena_printf(a, "%s.size", w.path)); /* it has another one now */
    store_touch(w.path);
    fd_closep(&lock);
    store_make_room(ask->folder, ask->budget ? ask->budget : STORE_BUDGET_DEFAULT);
    *ret = w.path;
    return ERR_OK;
}
