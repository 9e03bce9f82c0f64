#include "lang/reading.h"

#include "base/utf8.h"

int reading_wrong(const struct reading *r, const struct token *at, const char *text)
{
    return err_set(r->err, ERR_INVALID, "%s:%d:%d: %s", r->file, at->line, at->col, text);
}

int reading_unknown(const struct reading *r, const struct token *key, const char *where,
                    const struct near_best *best)
{
    const char *hint = near_hint(r->arena, best);

    return reading_wrong(r, key,
                         arena_printf(r->arena, "'%.*s' is nothing that %s says%s%s",
                                      SLICE_ARG(slice_head(best->word, 60)), where,
                                      hint ? ": " : "", hint ? hint : ""));
}

struct slice reading_text(const struct reading *r, const struct token *at, const char *what)
{
    struct slice text = at->kind == TOKEN_NULL ? (struct slice){0} : token_text(r->arena, at);

    if (text.ptr && text.len && !memchr(text.ptr, '\0', text.len) && utf8_valid(text) == text.len)
        return text;
    (void)reading_wrong(r, at, arena_printf(r->arena, "%s is a text here", what));
    return (struct slice){0};
}
