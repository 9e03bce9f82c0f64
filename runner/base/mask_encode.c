#include "base/mask_encode.h"

#include <stdint.h>
#include <stdio.h>

/* The widest form: each byte of the value becomes at most six, plus padding. */
enum { GROWTH = 6, BASE64_CORE_MIN = 8, SECTION_MIN = 6, QUOTED_MIN = 8 };

struct encoder {
    struct slice value;
    struct buf out; /* reserved once, so that no copy of a secret stays behind in freed memory */
    mask_form_fn *fn;
    void *ctx;
};

static void emit(struct encoder *e, struct slice form)
{
    if (form.len && !slice_eq(form, e->value))
        e->fn(e->ctx, form);
}

static void emit_out(struct encoder *e)
{
    emit(e, buf_slice(&e->out));
    buf_clear(&e->out);
}

/* Length in UTF-16 units, in which GitHub's runner counts. */
static size_t utf16_len(struct slice s)
{
    size_t n = 0;

    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.ptr[i];

        n += (c & 0xc0) != 0x80;
        n += c >= 0xf0;
    }
    return n;
}

static void base64(struct encoder *e, struct slice bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    const unsigned char *p = (const unsigned char *)bytes.ptr;

    for (size_t i = 0; i < bytes.len; i += 3) {
        size_t n = bytes.len - i < 3 ? bytes.len - i : 3;
        uint32_t v = (uint32_t)p[i] << 16;

        v |= n > 1 ? (uint32_t)p[i + 1] << 8 : 0;
        v |= n > 2 ? p[i + 2] : 0;
        buf_add_char(&e->out, digits[v >> 18]);
        buf_add_char(&e->out, digits[v >> 12 & 63]);
        buf_add_char(&e->out, n > 1 ? digits[v >> 6 & 63] : '=');
        buf_add_char(&e->out, n > 2 ? digits[v & 63] : '=');
    }
    size_t core = bytes.len / 3 * 4;
    if (core < e->out.len && core >= BASE64_CORE_MIN)
        emit(e, slice_head(buf_slice(&e->out), core));
    emit_out(e);
}

static void base64_all(struct encoder *e)
{
    for (size_t shift = 0; shift < 3; shift++)
        base64(e, e->value.len > shift ? slice_from(e->value, shift) : e->value);
}

/* The value with each of the bytes in FROM replaced by the text at the same place of TO. */
static void replace(struct encoder *e, const char *from, const char *const *to)
{
    for (size_t i = 0; i < e->value.len; i++) {
        char c = e->value.ptr[i];
        const char *at = c ? strchr(from, c) : NULL;

        if (at)
            buf_add_str(&e->out, to[at - from]);
        else
            buf_add_char(&e->out, c);
    }
    emit_out(e);
}

static void command_line(struct encoder *e)
{
    replace(e, "\"", (const char *const[]){"\\\""});
}

static void expression(struct encoder *e)
{
    replace(e, "'", (const char *const[]){"''"});
}

static void xml(struct encoder *e)
{
    replace(e, "<>\"'&", (const char *const[]){"&lt;", "&gt;", "&quot;", "&apos;", "&amp;"});
}

/* A line separator that JSON writers escape although they need not: its length, 0 for none. */
static size_t json_separator(struct slice s, const char **ret)
{
    static const struct {
        struct slice utf8;
        const char *escape;
    } rows[] = {
        {SLICE_INIT("\xc2\x85"), "\\u0085"},
        {SLICE_INIT("\xe2\x80\xa8"), "\\u2028"},
        {SLICE_INIT("\xe2\x80\xa9"), "\\u2029"},
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        if (slice_starts(s, rows[i].utf8)) {
            *ret = rows[i].escape;
            return rows[i].utf8.len;
        }
    }
    return 0;
}

static void json_control(struct buf *out, unsigned char c)
{
    static const char names[] = "\b\f\n\r\t", escapes[] = "bfnrt";
    const char *at = c ? strchr(names, c) : NULL;

    if (at) {
        buf_add_char(out, '\\');
        buf_add_char(out, escapes[at - names]);
    } else {
        buf_printf(out, "\\u%04x", c);
    }
}

static void json(struct encoder *e)
{
    for (size_t i = 0; i < e->value.len; i++) {
        unsigned char c = (unsigned char)e->value.ptr[i];
        const char *escape = NULL;
        size_t n = c >= 0xc2 ? json_separator(slice_from(e->value, i), &escape) : 0;

        if (n) {
            buf_add_str(&e->out, escape);
            i += n - 1;
        } else if (c < ' ') {
            json_control(&e->out, c);
        } else {
            if (c == '"' || c == '\\')
                buf_add_char(&e->out, '\\');
            buf_add_char(&e->out, (char)c);
        }
    }
    emit_out(e);
}

static bool uri_plain(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
           (c && strchr("-._~", c));
}

static void uri(struct encoder *e)
{
    for (size_t i = 0; i < e->value.len; i++) {
        unsigned char c = (unsigned char)e->value.ptr[i];

        if (uri_plain(c))
            buf_add_char(&e->out, (char)c);
        else
            buf_printf(&e->out, "%%%02X", c);
    }
    emit_out(e);
}

static void trim_quotes(struct encoder *e)
{
    struct slice v = e->value;

    if (utf16_len(v) > QUOTED_MIN && v.ptr[0] == '"' && v.ptr[v.len - 1] == '"')
        emit(e, slice_make(v.ptr + 1, v.len - 2));
}

static void emit_section(struct encoder *e, struct slice s)
{
    if (utf16_len(s) >= SECTION_MIN)
        emit(e, s);
}

/* PowerShell reports an error in a command line around its ampersands, in pieces with colours between
 * them: the text up to the operator, and what follows it. */
static void powershell(struct encoder *e)
{
    struct slice v = e->value;
    ssize_t plus = slice_find(v, SLICE("&+"));
    const char *last = v.len ? memrchr(v.ptr, '&', v.len) : NULL;

    if (plus >= 0) {
        size_t after = (size_t)plus + 2, skip = after < v.len;

        while (skip && after + skip < v.len && (v.ptr[after + skip] & 0xc0) == 0x80)
            skip++; /* one further character, not byte */
        emit_section(e, slice_head(v, after));
        emit_section(e, slice_from(v, after + skip));
    } else if (last) {
        size_t after = (size_t)(last - v.ptr) + 1;

        emit_section(e, slice_head(v, after));
        emit_section(e, slice_from(v, after));
    }
}

void mask_encodings(struct slice value, mask_form_fn *fn, void *ctx)
{
    static void (*const forms[])(struct encoder *) = {
        base64_all, command_line, expression, json, uri, xml, trim_quotes, powershell,
    };
    size_t room = value.len * GROWTH + GROWTH;
    struct encoder e = {.value = value, .out = BUF_INIT(room), .fn = fn, .ctx = ctx};

    (void)buf_reserve(&e.out, room); /* all of it now: it is within its own limit */
    for (size_t i = 0; i < COUNT_OF(forms); i++)
        forms[i](&e);
    explicit_bzero(e.out.ptr, room);
    buf_deinit(&e.out);
}
