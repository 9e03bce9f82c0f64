#include "store/lock.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "base/fd.h"
#include "base/path.h"

const char *lock_key(struct arena *a, const struct action_ref *ref)
{
    char *key = arena_printf(a, "%s@%s", ref->repository, ref->ref);

    for (char *c = key; *c != '@'; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c | 32);
    return key;
}

static struct slice next_word(struct slice *rest)
{
    size_t n = 0;

    *rest = slice_trim(*rest);
    while (n < rest->len && rest->ptr[n] != ' ' && rest->ptr[n] != '\t')
        n++;
    struct slice word = slice_head(*rest, n);
    *rest = slice_trim(slice_from(*rest, n));
    return word;
}

static int take_line(struct slice line, struct arena *a, struct strmap *ret, struct err *err)
{
    struct slice name = next_word(&line), commit = next_word(&line), before;
    struct action_ref ref;
    int r = action_ref_parse(a, name, &ref, err);

    if (r < 0)
        return r;
    if (*ref.path)
        return err_set(err, ERR_INVALID,
                       "a lock is for a whole repository: write '%s@%s' without the path",
                       ref.repository, ref.ref);
    if (!action_ref_is_commit(commit) || line.len)
        return err_set(err, ERR_INVALID,
                       "behind '%.*s' comes the commit with all of its digits and nothing else",
                       SLICE_ARG(slice_head(name, 100)));
    char *digits = arena_str(a, commit);
    for (char *c = digits; *c; c++)
        *c = (char)(*c | 32); /* digits stay what they are */
    struct slice key = slice_of(lock_key(a, &ref));
    if (strmap_find(ret, key, &before) && !slice_eq(before, slice_of(digits)))
        return err_set(err, ERR_INVALID, "'%.*s' stands here twice, with two commits",
                       SLICE_ARG(slice_head(name, 100)));
    strmap_set(ret, key, slice_of(digits));
    return ERR_OK;
}

int lock_parse(struct slice text, const char *file, struct strmap *ret, struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct slice line;

    for (int number = 1; slice_line(&text, &line); number++) {
        ssize_t comment = slice_find_char(line, '#');
        struct slice content = slice_trim(comment < 0 ? line : slice_head(line, (size_t)comment));

        if (number > LOCK_LINES_MAX)
            return err_set(err, ERR_LIMIT, "%s: more than %d lines", file, LOCK_LINES_MAX);
        if (content.len && take_line(content, &a, ret, err) < 0)
            return err_in(err, "%s:%d", file, number);
    }
    return ERR_OK;
}

int lock_load(const char *dir, struct strmap *ret, struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(LOCK_SIZE_MAX);
    CLEANUP(free_ptr) char *path = path_join(dir, LOCK_PATH);
    CLEANUP(fd_closep) int fd = -1;
    struct err why = ERR_INIT;
    struct stat st;

    int r = path_open(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &fd, &why);
    if (r == ERR_NOT_FOUND)
        return ERR_OK;
    if (r < 0) {
        *err = why;
        return r;
    }
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        return err_set(err, ERR_INVALID, "'%s' is no file", path);
    r = fd_read_all(fd, &text, err);
    return r < 0 ? err_in(err, "'%s'", path) : lock_parse(buf_slice(&text), LOCK_PATH, ret, err);
}
