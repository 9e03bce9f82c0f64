#include "cases.h"

#include "base/buf.h"
#include "base/path.h"

#include <criterion/criterion.h>
#include <fcntl.h>

enum { TEXT_MAX = 4 << 20 };

static int hex(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1;
}

static struct slice unescape(struct arena *a, struct slice s)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(TEXT_MAX);

    for (size_t i = 0; i < s.len; i++) {
        char next = i + 1 < s.len ? s.ptr[i + 1] : '\0';

        if (s.ptr[i] != '\\' || !strchr("trx\\", next)) {
            buf_add_char(&out, s.ptr[i]);
            continue;
        }
        i++;
        if (next == 'x') {
            buf_add_char(&out, (char)(hex(s.ptr[i + 1]) * 16 + hex(s.ptr[i + 2])));
            i += 2;
        } else {
            buf_add_char(&out, next == 't' ? '\t' : next == 'r' ? '\r' : '\\');
        }
    }
    return arena_dup(a, buf_slice(&out));
}

static struct slice chomp(struct slice s)
{
    return slice_ends(s, SLICE("\n")) ? slice_head(s, s.len - 1) : s;
}

/* Takes what stands before the next line that begins with "=== " or "--- " off *REST. */
static struct slice take_part(struct slice *rest)
{
    const char *begin = rest->ptr;

    while (rest->len && !slice_starts(*rest, SLICE("=== ")) &&
           !slice_starts(*rest, SLICE("--- "))) {
        ssize_t end = slice_find_char(*rest, '\n');
        *rest = slice_from(*rest, end < 0 ? rest->len : (size_t)end + 1);
    }
    return slice_make(begin, (size_t)(rest->ptr - begin));
}

static struct doc_case take_case(struct arena *a, struct slice *rest)
{
    struct doc_case c = {.says = SLICE(""), .is = SLICE("")};
    struct slice line;

    slice_line(rest, &line);
    c.title = arena_str(a, slice_from(line, 4));
    c.document = take_part(rest);
    if (slice_ends(line, SLICE("(escaped)")))
        c.document = unescape(a, c.document);
    while (slice_starts(*rest, SLICE("--- "))) {
        slice_line(rest, &line);
        bool says = slice_eq(line, SLICE("--- says"));
        *(says ? &c.says : &c.is) = chomp(take_part(rest));
    }
    return c;
}

struct slice findings_text(struct arena *a, const struct diags *diags)
{
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(TEXT_MAX);

    VEC_EACH (d, &diags->list) {
        buf_printf(&out, "%s%s%d:%d: %.*s", out.len ? "\n" : "",
                   d->level == DIAG_WARNING ? "warning: " : "", d->line, d->col,
                   SLICE_ARG(d->message));
        if (d->hint)
            buf_printf(&out, " (%s)", d->hint);
    }
    return arena_dup(a, buf_slice(&out));
}

static bool run_case(const char *where, const struct doc_case *c, doc_read_fn *fn)
{
    struct arena arena = ARENA_INIT;
    struct diags diags = {.arena = &arena};
    struct slice is = fn(&arena, c->document, &diags), says = findings_text(&arena, &diags);
    bool good = slice_eq(is, c->is) && slice_eq(says, c->says);

    if (!good)
        cr_log_error("%s: %s\n--- says\n%.*s\n--- is\n%.*s", where, c->title, SLICE_ARG(says),
                     SLICE_ARG(is));
    diags_deinit(&diags);
    arena_deinit(&arena);
    return good;
}

void each_case(const char *folder, const char *name, doc_read_fn *fn)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(TEXT_MAX);
    struct arena a = ARENA_INIT;
    const char *path = arena_printf(&a, "%s/tests/data/%s/%s.txt", OSTLER_SOURCE_DIR, folder, name);
    struct err err = ERR_INIT;
    size_t n = 0, n_failed = 0;

    cr_assert_eq(path_read(AT_FDCWD, path, &text, &err), ERR_OK, "%s", err.text);
    struct slice rest = buf_slice(&text);
    for (take_part(&rest); rest.len; n++) {
        struct doc_case c = take_case(&a, &rest);

        n_failed += !run_case(name, &c, fn);
    }
    arena_deinit(&a);
    cr_assert(n > 0, "%s has no cases", name);
    cr_assert_eq(n_failed, 0, "%zu of %zu cases of %s came out differently", n_failed, n, name);
}
