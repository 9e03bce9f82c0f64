#include "plugin/transcript.h"

#include "base/utf8.h"

/* ---- writing ---- */

void transcript_name(struct buf *to, const char *name)
{
    if (to->len && to->ptr[to->len - 1] != '{')
        buf_add_char(to, ',');
    buf_printf(to, "\"%s\":", name);
}

void transcript_quote(struct buf *to, struct slice text)
{
    CLEANUP(buf_deinit) struct buf clean = BUF_INIT(4 * TRANSCRIPT_LINE_MAX);

    if (utf8_valid(text) != text.len) {
        utf8_clean(text, &clean);
        text = buf_slice(&clean);
    }
    buf_add_char(to, '"');
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (c == '\0')
            buf_add_str(to, "\xef\xbf\xbd");
        else if (c == '"' || c == '\\')
            buf_printf(to, "\\%c", c);
        else if (c == '\n')
            buf_add_str(to, "\\n");
        else if (c < ' ' || c == 0x7f)
            buf_printf(to, "\\u%04x", c);
        else
            buf_add_char(to, (char)c);
    }
    buf_add_char(to, '"');
}

void transcript_bytes(struct buf *to, const char *name, const void *bytes, size_t size)
{
    if (!bytes)
        return;
    transcript_name(to, name);
    transcript_quote(to, slice_make(bytes, size));
}

void transcript_text(struct buf *to, const char *name, const char *text)
{
    transcript_bytes(to, name, text, text ? strlen(text) : 0);
}

void transcript_int(struct buf *to, const char *name, int64_t n)
{
    if (n == 0)
        return;
    transcript_name(to, name);
    buf_printf(to, "%lld", (long long)n);
}

void transcript_list(struct buf *to, const char *name, const char *const *list)
{
    if (!list)
        return;
    transcript_name(to, name);
    buf_add_char(to, '[');
    for (size_t i = 0; list[i]; i++) {
        if (i)
            buf_add_char(to, ',');
        transcript_quote(to, slice_of(list[i]));
    }
    buf_add_char(to, ']');
}

/* ---- what is asked ---- */

void transcript_exec(struct buf *to, const struct ost_exec *e)
{
    buf_add_char(to, '{');
    transcript_list(to, "argv", e->argv);
    transcript_list(to, "env", e->env);
    transcript_text(to, "cwd", e->cwd);
    transcript_bytes(to, "input", e->input, e->input_size);
    transcript_int(to, "flags", e->flags);
    transcript_int(to, "timeout_ms", e->timeout_ms);
    buf_add_char(to, '}');
}

void transcript_http(struct buf *to, const struct ost_http_request *q)
{
    buf_add_char(to, '{');
    transcript_text(to, "method", q->method ? q->method : "GET");
    transcript_text(to, "url", q->url);
    transcript_list(to, "headers", q->headers);
    transcript_bytes(to, "body", q->body, q->body_size);
    transcript_text(to, "save_to", q->save_to);
    transcript_int(to, "retries", q->retries);
    transcript_int(to, "timeout_ms", q->timeout_ms);
    buf_add_char(to, '}');
}

void transcript_cache(struct buf *to, const struct ost_cache_query *q)
{
    buf_add_char(to, '{');
    transcript_list(to, "paths", q->paths);
    transcript_list(to, "keys", q->keys);
    transcript_int(to, "flags", q->flags);
    buf_add_char(to, '}');
}

void transcript_upload(struct buf *to, const struct ost_artifact_upload *u)
{
    buf_add_char(to, '{');
    transcript_text(to, "name", u->name);
    transcript_text(to, "root", u->root);
    transcript_list(to, "files", u->files);
    transcript_int(to, "days", u->days);
    transcript_int(to, "level", u->level);
    transcript_int(to, "flags", u->flags);
    buf_add_char(to, '}');
}

void transcript_download(struct buf *to, const struct ost_artifact_download *d)
{
    buf_add_char(to, '{');
    transcript_int(to, "id", d->id);
    transcript_text(to, "dir", d->dir);
    transcript_int(to, "flags", d->flags);
    buf_add_char(to, '}');
}

void transcript_files(struct buf *to, const char *const *patterns, uint32_t flags)
{
    buf_add_char(to, '{');
    transcript_list(to, "patterns", patterns);
    transcript_int(to, "flags", flags);
    buf_add_char(to, '}');
}

void transcript_source(struct buf *to, const struct ost_source_query *q)
{
    buf_add_char(to, '{');
    transcript_text(to, "repository", q->repository);
    transcript_text(to, "ref", q->ref);
    transcript_text(to, "path", q->path);
    transcript_int(to, "flags", q->flags);
    buf_add_char(to, '}');
}

void transcript_mirror(struct buf *to, const struct ost_mirror_query *q)
{
    buf_add_char(to, '{');
    transcript_text(to, "url", q->url);
    transcript_int(to, "flags", q->flags);
    buf_add_char(to, '}');
}

void transcript_pair(struct buf *to, const char *name1, const char *text1, const char *name2,
                     const char *text2)
{
    buf_add_char(to, '{');
    if (name1)
        transcript_text(to, name1, text1);
    if (name2)
        transcript_text(to, name2, text2);
    buf_add_char(to, '}');
}
