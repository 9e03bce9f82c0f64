/* What .git tells without git: HEAD, refs and configuration are small text files. */
#include "io/git.h"
#include "io/git_config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"

enum {
    SMALL_FILE_MAX = 4096,       /* HEAD, a loose ref, a .git file */
    PACKED_REFS_MAX = 256 << 20, /* a few million refs */
    SYMREF_DEPTH_MAX = 5,        /* git's own */
};

void git_facts_init(struct git_facts *f)
{
    *f = (struct git_facts){0};
}

void git_facts_deinit(struct git_facts *f)
{
    arena_deinit(&f->arena);
    *f = (struct git_facts){0};
}

/* Reads DIR/NAME, trimmed, into the arena; NULL: no such file, or none that is ours to read. */
static const char *small_file(struct arena *a, const char *dir, const char *name)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(SMALL_FILE_MAX);
    CLEANUP(free_ptr) char *path = path_join(dir, name);
    struct err ignored = ERR_INIT;

    if (path_read(AT_FDCWD, path, &text, &ignored) != ERR_OK)
        return NULL;
    return arena_str(a, slice_trim(buf_slice(&text)));
}

static const char *resolve(struct arena *a, const char *dir, const char *path)
{
    CLEANUP(free_ptr) char *joined = path_join(dir, path);
    CLEANUP(free_ptr) char *normal = path_normal(joined);

    return arena_str(a, slice_of(normal));
}

static bool is_dir(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* The git folder behind ROOT/.git, which is a folder, or a file "gitdir: PATH" in linked worktrees and
 * submodules. NULL: there is none. */
static const char *git_dir_of(struct arena *a, const char *root)
{
    const char *dot = resolve(a, root, ".git"), *text;

    if (is_dir(dot))
        return small_file(a, dot, "HEAD") ? dot : NULL;
    text = small_file(a, root, ".git");
    if (!text || !slice_starts(slice_of(text), SLICE("gitdir: ")))
        return NULL;
    dot = resolve(a, root, text + sizeof "gitdir: " - 1);
    return small_file(a, dot, "HEAD") ? dot : NULL;
}

static void find_root(struct git_facts *f)
{
    char *at = arena_str(&f->arena, slice_of(f->dir));

    for (;;) {
        char *slash = strrchr(at, '/');
        const char *git_dir = git_dir_of(&f->arena, *at ? at : "/");

        if (git_dir) {
            const char *common = small_file(&f->arena, git_dir, "commondir");

            f->root = *at ? at : "/";
            f->git_dir = git_dir;
            f->common_dir = common ? resolve(&f->arena, git_dir, common) : git_dir;
            return;
        }
        if (!slash)
            return;
        *slash = '\0';
    }
}

/* ---- refs ---- */

static bool is_sha(struct slice s)
{
    if (s.len != 40 && s.len != 64)
        return false;
    for (size_t i = 0; i < s.len; i++) {
        if (!((s.ptr[i] >= '0' && s.ptr[i] <= '9') || (s.ptr[i] >= 'a' && s.ptr[i] <= 'f')))
            return false;
    }
    return true;
}

/* A name that becomes a path below the repository: it must not lead out. */
static bool is_ref_name(const char *ref)
{
    struct slice rest = slice_of(ref), part;

    if (!slice_starts(rest, SLICE("refs/")))
        return false;
    while (slice_split(&rest, '/', &part)) {
        if (!part.len || part.ptr[0] == '.')
            return false;
    }
    return true;
}

static void keep_sha(char ret[GIT_SHA_SIZE], struct slice sha)
{
    memcpy(ret, sha.ptr, sha.len);
    ret[sha.len] = '\0';
}

/* Lines of packed-refs: "SHA REF", "^SHA" (what a tag points at), "# ...". */
static bool packed_ref(const struct git_facts *f, const char *ref, char ret[GIT_SHA_SIZE])
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(PACKED_REFS_MAX);
    CLEANUP(free_ptr) char *path = path_join(f->common_dir, "packed-refs");
    struct slice rest, line, name = slice_of(ref);
    struct err ignored = ERR_INIT; /* no such file: no packed refs */

    if (path_read(AT_FDCWD, path, &text, &ignored) != ERR_OK)
        return false;
    rest = buf_slice(&text);
    while (slice_line(&rest, &line)) {
        ssize_t space = line.len > name.len ? (ssize_t)(line.len - name.len) - 1 : -1;

        if (space > 0 && line.ptr[space] == ' ' && slice_ends(line, name) &&
            is_sha(slice_head(line, (size_t)space))) {
            keep_sha(ret, slice_head(line, (size_t)space));
            return true;
        }
    }
    return false;
}

int git_ref_read(const struct git_facts *f, const char *ref, char ret[GIT_SHA_SIZE],
                 struct err *err)
{
    struct arena a = ARENA_INIT;
    const char *at = ref;
    int found = 0;

    for (int depth = 0; f->common_dir && depth < SYMREF_DEPTH_MAX && is_ref_name(at); depth++) {
        const char *text = small_file(&a, f->common_dir, at);

        if (text && slice_starts(slice_of(text), SLICE("ref: "))) {
            at = text + sizeof "ref: " - 1;
            continue;
        }
        if (text && is_sha(slice_of(text))) {
            keep_sha(ret, slice_of(text));
            found = 1;
        } else {
            found = packed_ref(f, at, ret);
        }
        break;
    }
    arena_deinit(&a);
    return found ? ERR_OK : err_set(err, ERR_NOT_FOUND, "no ref '%s'", ref);
}

/* Refs in a reftable: HEAD is a stand-in there, and only git can read the rest. */
static int read_head_by_git(const struct git_env *env, struct git_facts *f, struct err *err)
{
    static const char *const name[] = {"symbolic-ref", "-q", "HEAD", NULL};
    static const char *const commit[] = {"rev-parse", "-q", "--verify", "HEAD", NULL};
    CLEANUP(buf_deinit) struct buf ref = BUF_INIT(SMALL_FILE_MAX);
    CLEANUP(buf_deinit) struct buf sha = BUF_INIT(SMALL_FILE_MAX);
    struct err ignored = ERR_INIT;
    struct slice text;

    if (git_run(env, f->dir, name, &ref, err) != ERR_OK && err->code != ERR_FAILED)
        return err->code;
    text = slice_trim(buf_slice(&ref));
    f->head_ref = text.len ? arena_str(&f->arena, text) : NULL;
    f->detached = !text.len;
    if (git_run(env, f->dir, commit, &sha, &ignored) == ERR_OK && /* else: no commit yet */
        is_sha(slice_trim(buf_slice(&sha))))
        keep_sha(f->sha, slice_trim(buf_slice(&sha)));
    return ERR_OK;
}

static int read_head(const struct git_env *env, struct git_facts *f, struct err *err)
{
    const char *text = small_file(&f->arena, f->git_dir, "HEAD");
    struct slice head = slice_of(text);
    struct err ignored = ERR_INIT;

    if (slice_eq(head, SLICE("ref: refs/heads/.invalid")))
        return read_head_by_git(env, f, err);
    if (is_sha(head)) {
        f->detached = true;
        keep_sha(f->sha, head);
        return ERR_OK;
    }
    if (!slice_starts(head, SLICE("ref: ")) || !is_ref_name(text + 5))
        return err_set(err, ERR_INVALID, "'%s/HEAD' names neither a branch nor a commit",
                       f->git_dir);
    f->head_ref = text + 5;
    if (git_ref_read(f, f->head_ref, f->sha, &ignored) != ERR_OK)
        f->sha[0] = '\0'; /* a branch without a commit */
    return ERR_OK;
}

static bool has_branch(const struct git_facts *f, const char *name)
{
    CLEANUP(buf_deinit) struct buf ref = BUF_INIT(SMALL_FILE_MAX);
    struct err ignored = ERR_INIT;
    char sha[GIT_SHA_SIZE];

    buf_printf(&ref, "refs/heads/%s", name);
    return git_ref_read(f, ref.ptr, sha, &ignored) == ERR_OK;
}

static void find_default_branch(struct git_facts *f, const char *configured)
{
    static const char prefix[] = "ref: refs/remotes/origin/";
    const char *head = small_file(&f->arena, f->common_dir, "refs/remotes/origin/HEAD");

    if (head && strncmp(head, prefix, sizeof prefix - 1) == 0)
        f->default_branch = head + sizeof prefix - 1;
    else if (configured && has_branch(f, configured))
        f->default_branch = configured;
    else if (has_branch(f, "main"))
        f->default_branch = "main";
    else if (has_branch(f, "master"))
        f->default_branch = "master";
}

/* "https://user:token@host/x" without what is before the '@'; the user of an ssh address stays. */
static const char *without_credentials(struct arena *a, const char *url)
{
    const char *host, *at, *slash;

    if (!url || (strncmp(url, "https://", 8) != 0 && strncmp(url, "http://", 7) != 0))
        return url;
    host = strstr(url, "://") + 3;
    slash = strchr(host, '/');
    at = memrchr(host, '@', slash ? (size_t)(slash - host) : strlen(host));
    return at ? arena_printf(a, "%.*s%s", (int)(host - url), url, at + 1) : url;
}

/* By the usual refspec; "." is this repository. */
static const char *upstream(struct arena *a, const struct git_config *c)
{
    if (!c->branch || !c->remote || !c->merge || strncmp(c->merge, "refs/heads/", 11) != 0)
        return NULL;
    if (strcmp(c->remote, ".") == 0)
        return c->merge;
    return arena_printf(a, "refs/remotes/%s/%s", c->remote, c->merge + 11);
}

int git_facts_read(const struct git_env *env, const char *dir, struct git_facts *ret,
                   struct err *err)
{
    struct git_facts f = {0};
    struct git_config c = {.arena = &f.arena};
    CLEANUP(free_ptr) char *real = realpath(dir, NULL);

    if (!real)
        return err_sys(err, "cannot find '%s'", dir);
    f.dir = arena_str(&f.arena, slice_of(strcmp(real, "/") == 0 ? "" : real));
    find_root(&f);
    if (!*f.dir)
        f.dir = "/";
    git_config_user(&c, env);
    if (f.git_dir) {
        if (read_head(env, &f, err) != ERR_OK) {
            arena_deinit(&f.arena);
            return err->code;
        }
        if (f.head_ref && strncmp(f.head_ref, "refs/heads/", 11) == 0)
            c.branch = f.head_ref + 11;
        git_config_repository(&c, f.git_dir, f.common_dir);
        f.upstream = upstream(&f.arena, &c);
        find_default_branch(&f, c.default_branch);
    }
    f.origin = without_credentials(&f.arena, c.origin);
    f.user_name = c.user_name;
    f.user_email = c.user_email;
    *ret = f;
    return ERR_OK;
}
