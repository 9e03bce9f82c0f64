/* Fetching: ask what the name stands for, fetch that commit alone, unpack it beside its place, rename. */
#include "store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <dirent.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "io/archive.h"
#include "store/lock.h"
#include "store/refs.h"
#include "store/room.h"
#include "store/web.h"

struct get {
    const struct store_spec *spec;
    const struct action_ref *ref;
    struct arena *arena;
    struct store_origin from;
    struct git_env git;
    int lock;         /* held while it is open; -1: not */
    bool made;        /* an entry, that was not there before */
    const char *note; /* what went wrong before it went well; NULL: nothing */
};

/* ---- git ---- */

/* For what talks to a server: the user's own configuration counts (credentials, proxies, other names of the
 * server), but a server that stopped sending is left alone, and nothing is tidied up behind our back. */
#define NETWORK                                                                                    \
    "-c", "http.lowSpeedLimit=1", "-c", "http.lowSpeedTime=60", "-c", "gc.auto=0", "-c",           \
        "maintenance.auto=false"

/* Clones on this machine may be anybody's: reading one is no question of who owns it. */
#define UPLOAD_PACK "--upload-pack=git -c 'safe.directory=*' upload-pack"

static const char *upload_pack(const struct get *g)
{
    return g->from.local ? UPLOAD_PACK : "--upload-pack=git-upload-pack";
}

/* What git says when a server does not want to tell whether there is such a repository. */
static bool wants_credentials(const char *text)
{
    return strstr(text, "could not read Username") || strstr(text, "could not read Password") ||
           strstr(text, "terminal prompts disabled") || strstr(text, "Authentication failed");
}

static int explain(struct get *g, struct err *err)
{
    if (wants_credentials(err->text))
        return err_set(err, ERR_NOT_FOUND,
                       "there is no '%s', or git has no credentials for it: try 'git ls-remote %s'",
                       g->from.shown, g->from.shown);
    if (strstr(err->text, "not found") || strstr(err->text, "does not appear to be a git") ||
        strstr(err->text, "does not exist"))
        return err_set(err, ERR_NOT_FOUND, "there is no repository '%s'", g->from.shown);
    return err_in(err, "cannot fetch '%s'", g->from.shown);
}

/* What a server is told of who asks: our job's token if it is its own, for its own addresses alone and where other users'
 * processes do not see it; nothing if a workflow named it. */
static const char *const *with_login(struct get *g)
{
    const char *const *more = g->spec->git.more;
    const char *key = g->from.login ? arena_printf(g->arena, "http.%s/.extraHeader", g->spec->login)
                                    : "credential.helper";
    size_t n = 0;

    while (more && more[n])
        n++;
    const char **list = arena_array(g->arena, n + 4, sizeof *list);
    for (size_t i = 0; i < n; i++)
        list[i] = more[i];
    list[n] = "GIT_CONFIG_COUNT=1";
    list[n + 1] = arena_printf(g->arena, "GIT_CONFIG_KEY_0=%s", key);
    list[n + 2] =
        arena_printf(g->arena, "GIT_CONFIG_VALUE_0=%s", g->from.login ? g->spec->login_header : "");
    return list;
}

/* Whether who asks may read the repository at all: what is in the store was perhaps somebody else's to read. */
static int admit(struct get *g, struct err *err)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(GIT_OUTPUT_MAX);
    const char *const args[] = {NETWORK, "ls-remote", "--quiet", g->from.address, "HEAD", NULL};

    if (!g->from.login ||
        git_run_for(&g->git, "/", args, STORE_ASK_TIMEOUT_MS, &out, err) == ERR_OK)
        return ERR_OK;
    return explain(g, err);
}

/* ---- what a name stands for ---- */

/* Branches first, as GitHub does it; an annotated tag stands for the commit behind it. */
static int rank_of(struct slice name, struct slice ref)
{
    static const struct slice before[] = {SLICE_INIT(""), SLICE_INIT("refs/heads/"),
                                          SLICE_INIT("refs/tags/")};
    bool peeled = slice_ends(name, SLICE("^{}"));
    int best = -1;

    if (peeled)
        name.len -= 3;
    for (size_t i = 0; i < COUNT_OF(before); i++)
        if (slice_starts(name, before[i]) && slice_eq(slice_from(name, before[i].len), ref) &&
            (i > 0 || slice_starts(ref, SLICE("refs/"))))
            best = (int)(COUNT_OF(before) - i) * 2 + peeled;
    return best;
}

static bool pick(struct slice answer, struct slice ref, char ret_sha[GIT_SHA_SIZE])
{
    struct slice line, sha;
    int best = -1;

    while (slice_line(&answer, &line)) {
        if (!slice_split(&line, '\t', &sha) || !action_ref_is_commit(sha))
            continue;
        int rank = rank_of(line, ref);
        if (rank <= best)
            continue;
        best = rank;
        memcpy(ret_sha, sha.ptr, sha.len);
        ret_sha[sha.len] = '\0';
    }
    return best >= 0;
}

static bool is_short_commit(const char *ref)
{
    size_t n = strspn(ref, "0123456789abcdefABCDEF");

    return n >= 7 && ref[n] == '\0';
}

/* A mirror of archives has no names: what was agreed to run says which commit it is. */
static int ask_web(struct get *g, char ret_sha[GIT_SHA_SIZE], struct err *err)
{
    const char *locked =
        g->spec->locks ? strmap_get(g->spec->locks, lock_key(g->arena, g->ref)) : NULL;

    if (web_knows_names(g->from.web))
        return web_resolve(g->from.web, g->ref, g->git.more, ret_sha, err);
    if (!locked)
        return err_set(err, ERR_NOT_FOUND,
                       "'%s' does not say which commit '%s' is: write the commit with all of its "
                       "digits, or put '%s@%s COMMIT' into " LOCK_PATH,
                       g->from.shown, g->ref->ref, g->ref->repository, g->ref->ref);
    snprintf(ret_sha, GIT_SHA_SIZE, "%s", locked);
    return ERR_OK;
}

static int ask(struct get *g, char ret_sha[GIT_SHA_SIZE], struct err *err)
{
    if (g->from.web)
        return ask_web(g, ret_sha, err);
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(GIT_OUTPUT_MAX);
    const char *ref = g->ref->ref;
    bool full = strncmp(ref, "refs/", 5) == 0;
    const char *const args[] = {NETWORK,
                                "ls-remote",
                                "--quiet",
                                upload_pack(g),
                                g->from.address,
                                full ? ref : arena_printf(g->arena, "refs/heads/%s", ref),
                                full ? arena_printf(g->arena, "%s^{}", ref)
                                     : arena_printf(g->arena, "refs/tags/%s", ref),
                                full ? NULL : arena_printf(g->arena, "refs/tags/%s^{}", ref),
                                NULL};
    int r = git_run_for(&g->git, "/", args, STORE_ASK_TIMEOUT_MS, &out, err);

    if (r < 0)
        return explain(g, err);
    if (pick(buf_slice(&out), slice_of(ref), ret_sha))
        return ERR_OK;
    return err_set(err, ERR_NOT_FOUND, "'%s' has no branch or tag '%s'%s", g->from.shown, ref,
                   is_short_commit(ref) ? "; a commit is written with all of its 40 digits" : "");
}

/* ---- the repository's folder ---- */

/* One at a time fetches from a repository; the others wait, and then find it there. */
static int hold(struct get *g, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(g->from.folder, "lock");

    if (g->lock >= 0)
        return ERR_OK;
    int r = path_mkdirs(AT_FDCWD, g->from.folder, 0700, err);
    if (r == ERR_OK)
        r = path_open(AT_FDCWD, path, O_RDWR | O_CREAT | O_NOFOLLOW, 0600, &g->lock, err);
    while (r == ERR_OK && flock(g->lock, LOCK_EX) < 0)
        if (errno != EINTR)
            r = err_sys(err, "cannot lock '%s'", path);
    return r;
}

/* Work of somebody who was killed: whoever works here now holds the lock. */
static int sweep(const char *folder, struct err *err)
{
    DIR *dir = opendir(folder);
    int r = ERR_OK;

    if (!dir)
        return err_sys(err, "cannot read '%s'", folder);
    for (struct dirent *e = readdir(dir); e && r == ERR_OK; e = readdir(dir))
        if (strncmp(e->d_name, "new-", 4) == 0 || strncmp(e->d_name, "refs.new-", 9) == 0)
            r = path_remove(dirfd(dir), e->d_name, err);
    closedir(dir);
    return r;
}

static int remember(struct get *g, const char *sha, struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(REFS_SIZE_MAX);
    CLEANUP(buf_deinit) struct buf new = BUF_INIT(REFS_SIZE_MAX);
    CLEANUP(free_ptr) char *path = path_join(g->from.folder, "refs");
    struct err ignored = ERR_INIT; /* what cannot be read is forgotten */
    struct ref_known known = {.at = store_now()};
    int r = hold(g, err);

    if (r < 0)
        return r;
    snprintf(known.sha, sizeof known.sha, "%s", sha);
    if (path_read(AT_FDCWD, path, &text, &ignored) != ERR_OK)
        buf_clear(&text);
    refs_update(buf_slice(&text), slice_of(g->ref->ref), &known, &new);
    if (new.overflow) { /* long names: those that come again are asked for again */
        buf_clear(&new);
        refs_update(SLICE(""), slice_of(g->ref->ref), &known, &new);
    }
    return path_write(AT_FDCWD, path, buf_slice(&new), 0600, err);
}

/* ---- fetching a commit ---- */

static int make_repository(struct get *g, const char *work, const char *sha, struct err *err)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(GIT_OUTPUT_MAX);
    const char *const args[] = {"init",
                                "--quiet",
                                "--bare",
                                "--template=",
                                strlen(sha) == 64 ? "--object-format=sha256"
                                                  : "--object-format=sha1",
                                "git",
                                NULL};
    const char *info = arena_printf(g->arena, "%s/git/info", work);
    int r = git_run(&g->git, work, args, &out, err);

    if (r == ERR_OK)
        r = path_mkdirs(AT_FDCWD, info, 0700, err);
    /* The tree as the commit has it: workflows are called from repositories that leave .github out of their
     * archives. */
    if (r == ERR_OK)
        r = path_write(AT_FDCWD, arena_printf(g->arena, "%s/attributes", info),
                       SLICE("* -export-ignore\n"), 0600, err);
    return r;
}

static bool has_commit(struct get *g, const char *repository, const char *sha)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(GIT_OUTPUT_MAX);
    const char *const args[] = {"--git-dir=.", "cat-file", "-e",
                                arena_printf(g->arena, "%s^{commit}", sha), NULL};
    struct err ignored = ERR_INIT;

    return git_run(&g->git, repository, args, &out, &ignored) == ERR_OK;
}

/* Old servers hand out the ends of branches only, and a plain web server knows nothing of depth. */
static bool wants_branches(const char *text)
{
    return strstr(text, "unadvertised object") || strstr(text, "dumb http") ||
           strstr(text, "shallow");
}

/* The commit alone; from a server that hands out nothing but whole branches, all of them. */
static int fetch(struct get *g, const char *repository, const char *sha, struct err *err)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(GIT_OUTPUT_MAX);
    const char *const one[] = {NETWORK,
                               "--git-dir=.",
                               "fetch",
                               "--quiet",
                               "--no-tags",
                               "--no-recurse-submodules",
                               "--depth=1",
                               upload_pack(g),
                               g->from.address,
                               sha,
                               NULL};
    const char *const all[] = {NETWORK,
                               "--git-dir=.",
                               "fetch",
                               "--quiet",
                               "--no-recurse-submodules",
                               upload_pack(g),
                               g->from.address,
                               "+refs/heads/*:refs/heads/*",
                               "+refs/tags/*:refs/tags/*",
                               NULL};
    struct err why = ERR_INIT;
    int r = git_run_for(&g->git, repository, one, STORE_FETCH_TIMEOUT_MS, &out, &why);

    if (r < 0 && !wants_branches(why.text)) {
        *err = why;
        return strstr(why.text, "not our ref")
                   ? err_set(err, ERR_NOT_FOUND, "'%s' has no commit %s", g->from.shown, sha)
                   : explain(g, err);
    }
    if (r < 0 && git_run_for(&g->git, repository, all, STORE_FETCH_TIMEOUT_MS, &out, err) < 0)
        return explain(g, err);
    if (has_commit(g, repository, sha))
        return ERR_OK;
    return err_set(err, ERR_NOT_FOUND, "'%s' has no commit %s", g->from.shown, sha);
}

/* git's archive of the commit goes straight into TREE. No configuration has a word in it: filters and line
 * ends of the user would make another tree. */
static int unpack(struct get *g, const char *repository, const char *tree, const char *sha,
                  struct archive_stats *ret, struct err *err)
{
    static const char *const alone[] = {"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=/dev/null",
                                        NULL};
    const char *const args[] = {"--git-dir=.", "archive", "--format=tar", sha, NULL};
    const struct git_env env = {.path = g->git.path, .more = alone};
    CLEANUP(fd_closep) int to = -1;
    struct git_pipe pipe;
    struct err why = ERR_INIT;

    if (mkdir(tree, 0755) < 0)
        return err_sys(err, "cannot create '%s'", tree);
    int r = path_open(AT_FDCWD, tree, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &to, err);
    if (r == ERR_OK)
        r = git_pipe_start(&env, repository, args, &pipe, err);
    if (r < 0)
        return r;
    struct archive_spec spec = {
        .in = pipe.out, .to = to, .size_max = STORE_TREE_MAX, .files_max = STORE_FILES_MAX};
    r = archive_unpack(&spec, ret, err);
    int ended = git_pipe_end(&pipe, &why);
    if (ended < 0 && (r == ERR_OK || err->code == ERR_INVALID)) { /* cut short is damaged, too */
        *err = why;
        r = ended;
    }
    return r;
}

static int with_git(struct get *g, const char *work, const char *tree, const char *sha,
                    struct archive_stats *ret, struct err *err)
{
    const char *repository = arena_printf(g->arena, "%s/git", work);
    int r = make_repository(g, work, sha, err);

    if (r == ERR_OK)
        r = fetch(g, repository, sha, err);
    return r < 0 ? r : unpack(g, repository, tree, sha, ret, err);
}

/* A server's archive has one folder, of whatever name, around everything. */
static int with_http(struct get *g, const char *work, const char *tree, const char *sha,
                     struct archive_stats *ret, struct err *err)
{
    CLEANUP(fd_closep) int file = -1;
    CLEANUP(fd_closep) int to = -1;
    const char *path = arena_printf(g->arena, "%s/archive", work);
    int r = path_open(AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW, 0600, &file, err);

    if (r == ERR_OK && g->from.given)
        r = web_fetch_given(g->from.given, g->git.more, g->spec->retry_ms, STORE_TREE_MAX, file,
                            g->arena, &g->note, err);
    else if (r == ERR_OK)
        r = web_fetch(g->from.web, g->ref, sha, g->git.more, STORE_TREE_MAX, file, err);
    if (r == ERR_OK && lseek(file, 0, SEEK_SET) < 0)
        r = err_sys(err, "cannot read '%s'", path);
    if (r == ERR_OK && mkdir(tree, 0755) < 0)
        r = err_sys(err, "cannot create '%s'", tree);
    if (r == ERR_OK)
        r = path_open(AT_FDCWD, tree, O_RDONLY | O_DIRECTORY | O_NOFOLLOW, 0, &to, err);
    if (r < 0)
        return r;
    struct archive_spec spec = {
        .in = file, .to = to, .strip = 1, .size_max = STORE_TREE_MAX, .files_max = STORE_FILES_MAX};
    return archive_unpack(&spec, ret, err);
}

static int make_entry(struct get *g, const char *work, const char *sha, struct store_entry *ret,
                      struct err *err)
{
    const char *tree = arena_printf(g->arena, "%s/tree", work);
    const char *place = arena_printf(g->arena, "%s/%s", g->from.folder, sha);
    struct archive_stats stats = {0};
    int r = g->from.web ? with_http(g, work, tree, sha, &stats, err)
                        : with_git(g, work, tree, sha, &stats, err);

    if (r == ERR_OK && rename(tree, place) < 0)
        r = err_sys(err, "cannot move '%s' to its place", sha);
    if (r < 0)
        return r;
    (void)store_has(g->from.folder, sha, g->arena, ret);
    ret->note = g->note;
    if (stats.links_left_out)
        ret->note = arena_printf(g->arena,
                                 "%zu symbolic link%s of it lead%s out of the repository and "
                                 "%s left out: '%s'",
                                 stats.links_left_out, stats.links_left_out == 1 ? "" : "s",
                                 stats.links_left_out == 1 ? "s" : "",
                                 stats.links_left_out == 1 ? "was" : "were", stats.link);
    return ERR_OK;
}

static int get_commit(struct get *g, const char *sha, struct store_entry *ret, struct err *err)
{
    struct err ignored = ERR_INIT;
    int r = hold(g, err);

    if (r < 0 || store_has(g->from.folder, sha, g->arena, ret)) /* somebody was faster */
        return r;
    r = sweep(g->from.folder, err);
    if (r < 0)
        return r;
    const char *work = arena_printf(g->arena, "%s/new-%ld-%lld", g->from.folder, (long)getpid(),
                                    (long long)clock_ns());
    if (mkdir(work, 0700) < 0)
        return err_sys(err, "cannot create '%s'", work);
    r = make_entry(g, work, sha, ret, err);
    g->made = r == ERR_OK;
    (void)!path_remove(AT_FDCWD, work, &ignored); /* what stays goes with the next */
    return r;
}

/* ---- all together ---- */

/* A server that cannot be reached, and something that was had from it before. */
static int go_on_without(struct get *g, const struct err *why, struct store_entry *ret,
                         struct err *err)
{
    struct store_spec here = *g->spec;
    struct err ignored = ERR_INIT;

    here.offline = true;
    if (why->code == ERR_NOT_FOUND || g->from.login ||
        store_find(&here, g->ref, g->arena, ret, &ignored) != ERR_OK) {
        *err = *why;
        return err->code;
    }
    ret->note =
        arena_printf(g->arena, "%s: going on with the commit that is in the store", why->text);
    return ERR_OK;
}

/* What is here was perhaps fetched for somebody else, so whether we may have it is asked all the same. */
static int get_offline(struct get *g, struct store_entry *ret, struct err *err)
{
    struct store_spec here = *g->spec;
    int r = admit(g, err);

    here.login = here.login_header = NULL;
    return r < 0 ? r : store_find(&here, g->ref, g->arena, ret, err);
}

static int get(struct get *g, struct store_entry *ret, struct err *err)
{
    const char *ref = g->ref->ref;
    char sha[GIT_SHA_SIZE];
    struct err why = ERR_INIT;

    if (g->from.given)
        ref = g->from.given->sha;
    if (action_ref_is_commit(slice_of(ref))) {
        size_t n = strlen(ref);

        for (size_t i = 0; i <= n; i++)
            sha[i] = ref[i] >= 'A' && ref[i] <= 'F' ? (char)(ref[i] | 32) : ref[i];
        int r = admit(g, err);
        return r < 0 ? r : get_commit(g, sha, ret, err);
    }
    if (ask(g, sha, &why) < 0)
        return go_on_without(g, &why, ret, err);
    int r = store_check_lock(g->spec, g->ref, g->arena, sha, err);
    if (r == ERR_OK && !store_has(g->from.folder, sha, g->arena, ret))
        r = get_commit(g, sha, ret, err);
    return r == ERR_OK ? remember(g, sha, err) : r;
}

int store_get(const struct store_spec *spec, const struct action_ref *ref, struct arena *a,
              struct store_entry *ret, struct err *err)
{
    struct get g = {
        .spec = spec,
        .ref = ref,
        .arena = a,
        .git = spec->git,
        .lock = -1,
    };
    struct err why = ERR_INIT;
    int r = store_origin(spec, ref, a, &g.from, err);

    if (r < 0)
        return r;
    if (g.from.login || spec->stranger)
        g.git.more = with_login(&g);
    r = store_find(spec, ref, a, ret, &why);
    if (r == ERR_OK || why.code != ERR_NOT_FOUND ||
        (spec->offline && !g.from.local && !g.from.login)) {
        if (r < 0)
            *err = why;
        return r;
    }
    if (spec->offline && g.from.login)
        return get_offline(&g, ret, err);
    r = get(&g, ret, err);
    fd_closep(&g.lock);
    if (g.made)
        store_make_room(spec->folder, spec->budget ? spec->budget : STORE_BUDGET_DEFAULT);
    return r;
}
