#include "io/git_changes.h"

#include <stdlib.h>

#include "base/num.h"
#include "base/vec.h"

/* Three settings for each filter, the command and its end. */
enum { CHANGE_ARGS_MAX = 2 * 3 * GIT_FILTERS_MAX + 11 };

const char *git_empty_tree(const char *sha)
{
    /* git knows both without having them. */
    return strlen(sha) > 40 ? "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321"
                            : "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
}

static bool is_sha(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (!((s.ptr[i] >= '0' && s.ptr[i] <= '9') || (s.ptr[i] >= 'a' && s.ptr[i] <= 'f')))
            return false;
    return s.len >= 40 && s.len < GIT_SHA_SIZE;
}

static bool take_sha(struct slice text, char ret[GIT_SHA_SIZE])
{
    if (!is_sha(text))
        return false;
    memcpy(ret, text.ptr, text.len);
    ret[text.len] = '\0';
    return true;
}

/* git whose answer is one commit; "no" (it says so by failing) becomes ERR_NOT_FOUND. */
static int ask_commit(const struct git_env *env, const char *dir, const char *const *args,
                      char ret[GIT_SHA_SIZE], struct err *err)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(GIT_OUTPUT_MAX);
    int r = git_run(env, dir, args, &out, err);

    if (r == ERR_OK && !take_sha(slice_trim(buf_slice(&out)), ret))
        r = err_set(err, ERR_NOT_FOUND, "git names no commit");
    if (r == ERR_FAILED)
        err->code = r = ERR_NOT_FOUND;
    return r;
}

int git_commit_find(const struct git_env *env, const char *dir, const char *rev,
                    char ret[GIT_SHA_SIZE], struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    const char *commit = arena_printf(&a, "%s^{commit}", rev);
    int r = ask_commit(
        env, dir,
        (const char *const[]){"rev-parse", "--verify", "--quiet", "--end-of-options", commit, NULL},
        ret, err);

    return r == ERR_NOT_FOUND ? err_set(err, r, "there is no commit '%.100s' here", rev) : r;
}

int git_merge_base(const struct git_env *env, const char *dir, const char *a, const char *b,
                   char ret[GIT_SHA_SIZE], struct err *err)
{
    return ask_commit(env, dir, (const char *const[]){"merge-base", "--", a, b, NULL}, ret, err);
}

int git_count_commits(const struct git_env *env, const char *dir, const char *from, int64_t max,
                      int64_t *ret, struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(GIT_OUTPUT_MAX);
    const char *limit = arena_printf(&a, "--max-count=%lld", (long long)max);
    const char *not_from = arena_printf(&a, "^%s", from);
    int r = git_run(
        env, dir, (const char *const[]){"rev-list", "--count", limit, "HEAD", not_from, "--", NULL},
        &out, err);

    return r < 0 ? r : num_parse_i64(slice_trim(buf_slice(&out)), 0, max, ret, err);
}

int git_unpushed(const struct git_env *env, const char *dir, char ret[GIT_SHA_SIZE], int64_t *ret_n,
                 struct err *err)
{
    static const char *const args[] = {"rev-list", "--topo-order", "--parents", "HEAD",
                                       "--not",    "--remotes",    "--",        NULL};
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(GIT_OUTPUT_MAX);
    struct slice rest, line, last = SLICE(""), commit, parent;
    int64_t n = 0;
    int r = git_run(env, dir, args, &out, err);

    if (r < 0)
        return r;
    for (rest = buf_slice(&out); slice_line(&rest, &line); n++)
        last = line;
    if (n == 0)
        return err_set(err, ERR_NOT_FOUND, "all commits are pushed already");
    (void)slice_split(&last, ' ', &commit);
    if (!slice_split(&last, ' ', &parent))
        ret[0] = '\0';
    else if (!take_sha(parent, ret))
        return err_set(err, ERR_INVALID, "git lists commits in an unknown form");
    *ret_n = n;
    return ERR_OK;
}

/* ---- files ---- */

/* "filter.NAME.clean" and ".process": the NAME; empty: another setting. */
static struct slice filter_name(struct slice key)
{
    static const struct slice ends[] = {SLICE_INIT(".clean"), SLICE_INIT(".process")};

    for (size_t i = 0; i < COUNT_OF(ends); i++)
        if (slice_starts(key, SLICE("filter.")) && slice_ends(key, ends[i]) &&
            key.len > 7 + ends[i].len)
            return slice_make(key.ptr + 7, key.len - 7 - ends[i].len);
    return SLICE("");
}

struct git_args {
    const char *list[CHANGE_ARGS_MAX];
    size_t n;
};

/* Switches the filter NAME off, unless it is already. */
static int switch_off(struct git_args *args, struct arena *a, struct slice name, struct err *err)
{
    static const char *const settings[] = {"clean=", "process=", "required=false"};
    const char *first = arena_printf(a, "filter.%.*s.clean=", SLICE_ARG(name));

    for (size_t i = 0; i < args->n; i++)
        if (strcmp(args->list[i], first) == 0)
            return ERR_OK;
    if (slice_find_char(name, '=') >= 0 || args->n >= 2 * COUNT_OF(settings) * GIT_FILTERS_MAX)
        return err_set(err, ERR_UNSUPPORTED,
                       "the content filter '%.*s' of git's configuration cannot be switched off",
                       SLICE_ARG(slice_head(name, 40)));
    for (size_t i = 0; i < COUNT_OF(settings); i++) {
        args->list[args->n++] = "-c";
        args->list[args->n++] = arena_printf(a, "filter.%.*s.%s", SLICE_ARG(name), settings[i]);
    }
    return ERR_OK;
}

static int switch_filters_off(struct git_args *args, const struct git_env *env, const char *dir,
                              struct arena *a, struct err *err)
{
    static const char *const list[] = {"config", "--list", "--name-only", "-z", NULL};
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(GIT_OUTPUT_MAX);
    struct slice rest, key;
    int r = git_run(env, dir, list, &out, err);

    for (rest = buf_slice(&out); r == ERR_OK && slice_split(&rest, '\0', &key);) {
        struct slice name = filter_name(key);

        if (name.len)
            r = switch_off(args, a, name, err);
    }
    return r;
}

static int by_bytes(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

/* A file that was taken out of the index and is still there is listed twice. */
static size_t unique(struct slice *list, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++)
        if (kept == 0 || !slice_eq(list[kept - 1], list[i]))
            list[kept++] = list[i];
    return kept;
}

int git_changed_files(const struct git_env *env, const char *dir, const char *tree, struct arena *a,
                      struct slice **ret, size_t *ret_n, struct err *err)
{
    const char *const diff[] = {"diff",
                                "--name-only",
                                "-z",
                                "--no-renames",
                                "--no-ext-diff",
                                "--no-textconv",
                                "--ignore-submodules=dirty",
                                "--relative",
                                tree,
                                "--"};
    static const char *const unknown[] = {"ls-files", "--others", "--exclude-standard", "-z", NULL};
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(GIT_OUTPUT_MAX);
    struct git_args args = {0};
    struct slice rest, path, *list;
    size_t n = 0, cap = 0;
    int r = switch_filters_off(&args, env, dir, a, err);

    _Static_assert(COUNT_OF(diff) < CHANGE_ARGS_MAX - 2 * 3 * GIT_FILTERS_MAX, "room for all");
    for (size_t i = 0; i < COUNT_OF(diff); i++)
        args.list[args.n++] = diff[i];
    args.list[args.n] = NULL;
    if (r == ERR_OK)
        r = git_run(env, dir, args.list, &out, err);
    if (r == ERR_OK)
        r = git_run(env, dir, unknown, &out, err);
    if (r < 0)
        return r;
    for (size_t i = 0; i < out.len; i++)
        cap += out.ptr[i] == '\0';
    list = arena_array(a, cap + 1, sizeof *list);
    for (rest = arena_dup(a, buf_slice(&out)); slice_split(&rest, '\0', &path);)
        if (path.len)
            list[n++] = path;
    qsort(list, n, sizeof *list, by_bytes);
    *ret = list;
    *ret_n = unique(list, n);
    return ERR_OK;
}
