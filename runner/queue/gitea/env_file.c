#include "queue/gitea/env_file.h"

#include "base/arena.h"
#include "base/buf.h"

#include <string.h>

static const char *unquoted(struct arena *a, struct slice text)
{
    char quote = text.len ? text.ptr[0] : '\0';
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(text.len + 1);

    if (quote != '"' && quote != '\'') {
        ssize_t comment = slice_find(text, SLICE(" #"));

        return arena_str(a, slice_trim(comment < 0 ? text : slice_head(text, (size_t)comment)));
    }
    for (size_t i = 1; i < text.len && text.ptr[i] != quote; i++) {
        bool escaped = quote == '"' && text.ptr[i] == '\\' && i + 1 < text.len;
        char c = text.ptr[escaped ? ++i : i];

        buf_add_char(&out, escaped && c == 'n' ? '\n' : escaped && c == 'r' ? '\r' : c);
    }
    return arena_str(a, buf_slice(&out));
}

int env_file_read(struct slice text, const char *file, json_t *to, struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct slice line;

    for (int n = 1; slice_line(&text, &line); n++) {
        line = slice_trim(line);
        if (!line.len || line.ptr[0] == '#')
            continue;
        if (slice_starts(line, SLICE("export ")))
            line = slice_trim(slice_from(line, 7));
        size_t at = 0;
        while (at < line.len && !strchr("=:", line.ptr[at]))
            at++;
        struct slice name = slice_trim(slice_head(line, at));
        if (!name.len || at == line.len || memchr(line.ptr, '\0', line.len))
            return err_set(err, ERR_INVALID, "%s:%d: this is no NAME=VALUE", file, n);
        const char *value = unquoted(&a, slice_trim(slice_from(line, at + 1)));
        json_t *said = json_string(value);
        if (!said || json_object_set_new(to, arena_str(&a, name), said) < 0)
            return err_set(err, ERR_INVALID, "%s:%d: this is no UTF-8", file, n);
    }
    return ERR_OK;
}
