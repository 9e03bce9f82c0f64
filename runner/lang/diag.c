#include "lang/diag.h"

#include <stdarg.h>

void diags_deinit(struct diags *d)
{
    vec_deinit(&d->list);
    d->n_errors = 0;
}

bool diags_is_full(const struct diags *d)
{
    return d->list.len >= DIAG_MAX;
}

/* The first DIAG_MESSAGE_SIZE characters, "[...]" behind them where something was cut. */
static struct slice cut(struct arena *a, struct slice message)
{
    size_t n_chars = 0;

    for (size_t i = 0; i < message.len; i++) {
        unsigned char c = (unsigned char)message.ptr[i];

        if ((c & 0xC0) != 0x80)
            n_chars += c >= 0xF0 ? 2 : 1; /* of UTF-16, as GitHub counts */
        if (n_chars > DIAG_MESSAGE_SIZE)
            return slice_of(arena_printf(a, "%.*s[...]", (int)i, message.ptr));
    }
    return arena_dup(a, message);
}

struct diag *diag_add_text(struct diags *d, enum diag_level level, const char *file, int line,
                           int col, struct slice message)
{
    struct diag one = {
        .level = level,
        .file = file ? arena_str(d->arena, slice_of(file)) : NULL,
        .line = line,
        .col = col,
        .message = cut(d->arena, message),
    };

    if (level == DIAG_ERROR)
        d->n_errors++;
    if (diags_is_full(d)) { /* the caller gets a place to write its hint to all the same */
        struct diag *lost = ARENA_NEW(d->arena, struct diag);

        *lost = one;
        return lost;
    }
    vec_push(&d->list, one);
    return &d->list.ptr[d->list.len - 1];
}

struct diag *diag_add(struct diags *d, enum diag_level level, const char *file, int line, int col,
                      const char *fmt, ...)
{
    char text[4 * DIAG_MESSAGE_SIZE + 8]; /* enough for the longest that is kept, in UTF-8 */
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    size_t len = n < 0 ? 0 : (size_t)n;
    return diag_add_text(d, level, file, line, col,
                         slice_make(text, len < sizeof text ? len : sizeof text - 1));
}

static char *own_text(struct arena *a, const struct diag *d)
{
    if (!d->file || d->unplaced)
        return arena_str(a, d->message);
    if (!d->line || d->bare)
        return arena_printf(a, "%s: %.*s", d->file, SLICE_ARG(d->message));
    return arena_printf(a, "%s (Line: %d, Col: %d): %.*s", d->file, d->line, d->col,
                        SLICE_ARG(d->message));
}

char *diag_text(struct arena *a, const struct diag *d)
{
    const char *text = cut(a, slice_of(own_text(a, d))).ptr; /* GitHub cuts it as a whole */

    if (!d->caller)
        return arena_str(a, slice_of(text));
    return arena_printf(a, "In %s (Line: %d, Col: %d): Error from called workflow %s", d->caller,
                        d->caller_line, d->caller_col, text);
}
