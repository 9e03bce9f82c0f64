#include "job/files.h"

#include "base/fd.h"
#include "base/random.h"
#include "base/utf8.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct file_info infos[FILE_KINDS] = {
    [FILE_PATH] = {"GITHUB_PATH", "path", "add_path_"},
    [FILE_ENV] = {"GITHUB_ENV", "env", "set_env_"},
    [FILE_SUMMARY] = {"GITHUB_STEP_SUMMARY", "step_summary", "step_summary_"},
    [FILE_STATE] = {"GITHUB_STATE", "state", "save_state_"},
    [FILE_OUTPUT] = {"GITHUB_OUTPUT", "output", "set_output_"},
    [FILE_ARTIFACTS] = {"GITHUB_ARTIFACTS", "artifacts", "artifacts_"},
    [FILE_ARTIFACTS_LIST] = {"GITHUB_ARTIFACTS_LIST", "artifacts_list", "artifacts_list_"},
};

const struct file_info *file_info(enum file_kind kind)
{
    return &infos[kind];
}

/* ---- decoding ---- */

static void add_char(struct buf *out, uint32_t c)
{
    char utf8[4];
    size_t n = 0;

    if (c > 0x10ffff || (c >= 0xd800 && c < 0xe000))
        c = 0xfffd;
    if (c < 0x80) {
        utf8[n++] = (char)c;
    } else if (c < 0x800) {
        utf8[n++] = (char)(0xc0 | c >> 6);
    } else if (c < 0x10000) {
        utf8[n++] = (char)(0xe0 | c >> 12);
        utf8[n++] = (char)(0x80 | (c >> 6 & 0x3f));
    } else {
        utf8[n++] = (char)(0xf0 | c >> 18);
        utf8[n++] = (char)(0x80 | (c >> 12 & 0x3f));
        utf8[n++] = (char)(0x80 | (c >> 6 & 0x3f));
    }
    if (c >= 0x80)
        utf8[n++] = (char)(0x80 | (c & 0x3f));
    buf_add(out, slice_make(utf8, n));
}

/* One unit of SIZE bytes at P. */
static uint32_t unit(const char *p, size_t size, bool big)
{
    uint32_t v = 0;

    for (size_t i = 0; i < size; i++)
        v = v << 8 | (unsigned char)p[big ? i : size - 1 - i];
    return v;
}

static void decode_utf16(struct slice raw, bool big, struct buf *out)
{
    for (size_t i = 0; i < raw.len; i += 2) {
        uint32_t c = raw.len - i < 2 ? 0xfffd : unit(raw.ptr + i, 2, big);

        if (c >= 0xd800 && c < 0xdc00 && raw.len - i >= 4) {
            uint32_t low = unit(raw.ptr + i + 2, 2, big);

            if (low >= 0xdc00 && low < 0xe000) {
                c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
                i += 2;
            }
        }
        add_char(out, c);
    }
}

static void decode_utf32(struct slice raw, bool big, struct buf *out)
{
    for (size_t i = 0; i < raw.len; i += 4)
        add_char(out, raw.len - i < 4 ? 0xfffd : unit(raw.ptr + i, 4, big));
}

void files_decode(struct slice raw, struct buf *out)
{
    /* The mark of UTF-32 begins with that of UTF-16, so it is looked for first. */
    static const struct {
        struct slice mark;
        int bits;
        bool big;
    } rows[] = {
        {SLICE_INIT("\xef\xbb\xbf"), 8, false}, {SLICE_INIT("\xff\xfe\0\0"), 32, false},
        {SLICE_INIT("\0\0\xfe\xff"), 32, true}, {SLICE_INIT("\xff\xfe"), 16, false},
        {SLICE_INIT("\xfe\xff"), 16, true},
    };
    int bits = 8;
    bool big = false;

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (slice_starts(raw, rows[i].mark)) {
            raw = slice_from(raw, rows[i].mark.len);
            bits = rows[i].bits;
            big = rows[i].big;
            break;
        }
    }
    if (bits == 32)
        decode_utf32(raw, big, out);
    else if (bits == 16)
        decode_utf16(raw, big, out);
    else
        utf8_clean(raw, out);
}

/* ---- names and values ---- */

/* The text of a file, line by line. */
struct lines {
    struct slice text;
    size_t at;     /* of the next line */
    size_t number; /* of the last line read, from 1 */
    bool ended;    /* the last line read had a line end */
};

static bool next_line(struct lines *l, struct slice *ret)
{
    struct slice rest = slice_from(l->text, l->at);

    if (rest.len == 0)
        return false;
    ssize_t end = slice_find_char(rest, '\n');
    *ret = end < 0 ? rest : slice_head(rest, (size_t)end);
    l->ended = end >= 0;
    l->at += ret->len + l->ended;
    l->number++;
    return true;
}

/* A text in quotes for an error, or nothing when it is long: half of a secret would not be masked. */
enum { SHOWN_MAX = 100 };
#define SHOWN(s)                                                                                   \
    (s).len <= SHOWN_MAX ? " '" : "", SLICE_ARG(slice_shown(s)), (s).len <= SHOWN_MAX ? "'" : ""

static struct slice slice_shown(struct slice s)
{
    return s.len <= SHOWN_MAX ? s : slice_make("", 0);
}

/* Reads the value of a heredoc that begins at the next line. */
static int heredoc(struct lines *l, struct slice delimiter, struct slice *ret, struct err *err)
{
    size_t number = l->number, start = l->at, end = l->at;
    struct slice line;

    while (next_line(l, &line)) {
        if (slice_eq(line, delimiter)) {
            *ret = slice_make(l->text.ptr + start, end - start);
            return ERR_OK;
        }
        if (!l->ended)
            return err_set(err, ERR_INVALID,
                           "Invalid value. Matching delimiter not found%s%.*s%s (of line %zu): the "
                           "file ends in line %zu, and without a line end",
                           SHOWN(delimiter), number, l->number);
        end = l->at - 1;
    }
    return err_set(err, ERR_INVALID,
                   "Invalid value. Matching delimiter not found%s%.*s%s (of line %zu)",
                   SHOWN(delimiter), number);
}

/* Takes LINE apart; a heredoc reads on. */
static int read_pair(struct lines *l, struct slice line, struct slice *ret_name,
                     struct slice *ret_value, struct err *err)
{
    ssize_t equals = slice_find_char(line, '='), here = slice_find(line, SLICE("<<"));
    bool is_heredoc = here >= 0 && (equals < 0 || here < equals);
    size_t at = (size_t)(is_heredoc ? here : equals);

    if (!is_heredoc && equals < 0)
        return err_set(err, ERR_INVALID,
                       "Invalid format%s%.*s%s in line %zu: neither NAME=VALUE nor NAME<<DELIMITER",
                       SHOWN(line), l->number);
    *ret_name = slice_head(line, at);
    *ret_value = slice_from(line, at + (is_heredoc ? 2 : 1));
    if (ret_name->len == 0)
        return err_set(err, ERR_INVALID, "Invalid format%s%.*s%s in line %zu: the name is empty",
                       SHOWN(line), l->number);
    if (is_heredoc && ret_value->len == 0)
        return err_set(err, ERR_INVALID,
                       "Invalid format%s%.*s%s in line %zu: the delimiter is empty", SHOWN(line),
                       l->number);
    return is_heredoc ? heredoc(l, *ret_value, ret_value, err) : ERR_OK;
}

int files_parse_pairs(struct slice text, files_pair_fn *fn, void *ctx, struct err *err)
{
    struct lines l = {.text = text};
    struct slice line, name, value;

    while (next_line(&l, &line)) {
        if (line.len == 0)
            continue;
        int r = read_pair(&l, line, &name, &value, err);
        if (r == ERR_OK)
            r = fn(ctx, name, value, err);
        if (r < 0)
            return r;
    }
    return ERR_OK;
}

/* ---- lines ---- */

/* The next line of *REST, which ends at LF, CRLF or CR. False at the end. */
static bool any_line(struct slice *rest, struct slice *ret)
{
    size_t n = 0;

    if (rest->len == 0)
        return false;
    while (n < rest->len && rest->ptr[n] != '\n' && rest->ptr[n] != '\r')
        n++;
    *ret = slice_head(*rest, n);
    *rest = slice_from(*rest, n);
    *rest = slice_from(*rest, slice_starts(*rest, SLICE("\r\n")) ? 2 : 1);
    return true;
}

int files_parse_paths(struct slice text, files_path_fn *fn, void *ctx, struct err *err)
{
    struct slice line;

    while (any_line(&text, &line)) {
        if (line.len == 0)
            continue;
        int r = fn(ctx, line, err);
        if (r < 0)
            return r;
    }
    return ERR_OK;
}

void files_scrub(struct slice text, const struct mask *mask, struct buf *out)
{
    struct slice line;

    while (any_line(&text, &line)) {
        mask_apply_lines(mask, line, out);
        buf_add_char(out, '\n');
    }
}

/* ---- files ---- */

enum { NAME_SIZE = 64 };

struct files {
    int dir;
    char names[FILE_KINDS][NAME_SIZE];
};

int files_new(int dir, struct files **ret, struct err *err)
{
    char uuid[RANDOM_UUID_SIZE];

    random_uuid(uuid);
    struct files *f = mem_new(sizeof *f);
    f->dir = dir;
    for (size_t i = 0; i < FILE_KINDS; i++) {
        snprintf(f->names[i], sizeof f->names[i], "%s%s", infos[i].prefix, uuid);
        CLEANUP(fd_closep)
        int fd =
            openat(dir, f->names[i], O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0644);
        if (fd < 0) {
            (void)err_sys(err, "cannot create '%s'", f->names[i]);
            files_free(f);
            return err->code;
        }
    }
    *ret = f;
    return ERR_OK;
}

int files_share(const struct files *f, struct err *err)
{
    for (enum file_kind kind = 0; kind < FILE_KINDS; kind++)
        if (fchmodat(f->dir, f->names[kind], 0666, 0) < 0)
            return err_sys(err, "cannot open '%s' to all", f->names[kind]);
    return ERR_OK;
}

struct files *files_free(struct files *f)
{
    if (!f)
        return NULL;
    for (size_t i = 0; i < FILE_KINDS; i++)
        if (f->names[i][0])
            (void)unlinkat(f->dir, f->names[i], 0); /* the folder goes with the job anyway */
    free(f);
    return NULL;
}

const char *files_name(const struct files *f, enum file_kind kind)
{
    return f->names[kind];
}

/* Opens a file that the job may have replaced by anything. It is looked at before it is opened: opening
 * a device can do things, a FIFO blocks, and a link leads away. ERR_NOT_FOUND when it is gone. */
static int open_regular(const struct files *f, enum file_kind kind, int flags, int *ret,
                        struct err *err)
{
    CLEANUP(fd_closep)
    int place = openat(f->dir, f->names[kind], O_PATH | O_NOFOLLOW | O_CLOEXEC);
    struct stat st;
    char path[sizeof "/proc/self/fd/" + 11];

    if (place < 0 || fstat(place, &st) < 0)
        return err_sys(err, "cannot open $%s", infos[kind].variable);
    if (!S_ISREG(st.st_mode))
        return err_set(err, ERR_DENIED, "$%s is not a regular file any more: the step replaced it",
                       infos[kind].variable);
    snprintf(path, sizeof path, "/proc/self/fd/%d", place);
    int fd = open(path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd < 0) /* never "not found": the file is there */
        return err_set(err, ERR_SYS, "cannot open $%s: %s", infos[kind].variable, strerror(errno));
    *ret = fd;
    return ERR_OK;
}

int files_read(const struct files *f, enum file_kind kind, struct buf *to, struct err *err)
{
    CLEANUP(fd_closep) int fd = -1;
    CLEANUP(buf_deinit)
    struct buf raw = BUF_INIT(kind == FILE_SUMMARY ? FILES_SUMMARY_MAX : FILES_SIZE_MAX);
    struct err why = ERR_INIT;

    if (open_regular(f, kind, O_RDONLY, &fd, &why) < 0) {
        if (why.code == ERR_NOT_FOUND)
            return ERR_OK;
        *err = why;
        return err->code;
    }
    if (fd_read_all(fd, &raw, &why) < 0) {
        if (why.code == ERR_LIMIT)
            return err_set(err, ERR_LIMIT, "$%s is larger than %zu bytes", infos[kind].variable,
                           raw.max);
        *err = why;
        return err_in(err, "cannot read $%s", infos[kind].variable);
    }
    files_decode(buf_slice(&raw), to);
    return buf_check(to, infos[kind].variable, err);
}

int files_write(const struct files *f, enum file_kind kind, struct slice text, struct err *err)
{
    CLEANUP(fd_closep) int fd = -1;

    if (open_regular(f, kind, O_WRONLY | O_TRUNC, &fd, err) < 0)
        return err->code;
    return fd_write_all(fd, text, err);
}
