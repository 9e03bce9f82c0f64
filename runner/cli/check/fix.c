/* Mends in place: misspelt keys that can only have been meant as one other, versions whose commit is known. */
#include "base/path.h"
#include "cli/check/files.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where line LINE begins in TEXT, and column COL of it; false: there is no such place. */
static bool offset_of(struct slice text, int line, int col, size_t *ret)
{
    size_t at = 0;

    for (int i = 1; i < line; i++) {
        ssize_t end = slice_find_char(slice_from(text, at), '\n');

        if (end < 0)
            return false;
        at += (size_t)end + 1;
    }
    for (int i = 1; i < col && at < text.len; i++) {
        at++;
        while (at < text.len && ((unsigned char)text.ptr[at] & 0xC0) == 0x80)
            at++; /* columns count characters */
    }
    *ret = at;
    return at < text.len;
}

static bool is_word(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_';
}

/* Whether the word stands at AT as a key of its own, in quotes or not. Anything else (an escape in it, an
 * alias) is left alone. */
static bool stands_at(struct slice text, size_t *at, struct slice word)
{
    if (text.ptr[*at] == '"' || text.ptr[*at] == '\'')
        ++*at;
    struct slice rest = slice_from(text, *at);
    return slice_starts(rest, word) && (rest.len == word.len || !is_word(rest.ptr[word.len]));
}

/* Where a comment may stand behind what ends at AT: the line has nothing else, but for a quote that closes. */
static bool has_room(struct slice text, size_t at, size_t *ret_end)
{
    if (at < text.len && (text.ptr[at] == '"' || text.ptr[at] == '\''))
        at++;
    *ret_end = at;
    while (at < text.len && (text.ptr[at] == ' ' || text.ptr[at] == '\t' || text.ptr[at] == '\r'))
        at++;
    return at == text.len || text.ptr[at] == '\n';
}

/* The text of F with its findings mended; how many. */
static size_t mend(const struct checked *f, struct buf *to)
{
    struct slice text = buf_slice(&f->text);
    size_t done = 0, n = 0;

    VEC_EACH (d, &f->diags.list) { /* in the order of their places */
        size_t at;

        if (!d->fix.len || !offset_of(text, d->line, d->col, &at) || at < done ||
            !stands_at(text, &at, d->misspelt))
            continue;
        buf_add(to, slice_make(text.ptr + done, at - done));
        buf_add(to, d->fix);
        done = at + d->misspelt.len;
        if (d->remark.len && has_room(text, done, &at)) {
            buf_add(to, slice_make(text.ptr + done, at - done));
            buf_printf(to, " # %.*s", SLICE_ARG(d->remark));
            done = at;
        }
        n++;
        fprintf(stderr, "%s:%d:%d: fixed: '%.*s' is now '%.*s'\n", f->path, d->line, d->col,
                SLICE_ARG(d->misspelt), SLICE_ARG(d->fix));
    }
    buf_add(to, slice_from(text, done));
    return n;
}

static int fix_file(struct checked *f, size_t *ret_n, struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(2 * CHECK_FILE_SIZE_MAX);
    CLEANUP(free_ptr) char *real = realpath(f->path, NULL); /* a link stays one */
    struct stat st;
    size_t n = mend(f, &text);

    if (!n)
        return ERR_OK;
    if (!real || stat(real, &st) < 0)
        return err_sys(err, "cannot look at '%s'", f->path);
    int r = path_write(AT_FDCWD, real, buf_slice(&text), st.st_mode & 07777, err);
    if (r < 0)
        return r;
    *ret_n += n;
    return ERR_OK;
}

int check_fix(struct check_run *r, size_t *ret_n, struct err *err)
{
    *ret_n = 0;
    VEC_EACH (f, &r->files) {
        int result = (*f)->named ? fix_file(*f, ret_n, err) : ERR_OK;

        if (result < 0)
            return result;
    }
    return ERR_OK;
}
