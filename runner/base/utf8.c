#include "base/utf8.h"

#include <stdint.h>

static const struct slice replacement = SLICE_INIT("\xef\xbf\xbd");

enum kind { VALID, INVALID, PARTIAL };

/* The length of the character that LEAD begins, and the range its second byte must lie in; 0: none
 * begins so. The ranges keep out overlong forms, surrogates and what is beyond U+10FFFF. */
static size_t lead_len(unsigned char lead, unsigned char *ret_low, unsigned char *ret_high)
{
    *ret_low = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    *ret_high = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (lead < 0x80)
        return 1;
    if (lead >= 0xc2 && lead < 0xe0)
        return 2;
    if (lead >= 0xe0 && lead < 0xf0)
        return 3;
    return lead >= 0xf0 && lead < 0xf5 ? 4 : 0;
}

/* What S (not empty) begins with, and how long that is. PARTIAL: all of S is the begin of a
 * character. */
static enum kind look(struct slice s, size_t *ret_len)
{
    const unsigned char *p = (const unsigned char *)s.ptr;
    unsigned char low, high;
    size_t len = lead_len(p[0], &low, &high);

    for (size_t i = 1; i < len; i++) {
        if (i == s.len) {
            *ret_len = i;
            return PARTIAL;
        }
        if (p[i] < low || p[i] > high) {
            *ret_len = i;
            return INVALID;
        }
        low = 0x80;
        high = 0xbf;
    }
    *ret_len = len ? len : 1;
    return len ? VALID : INVALID;
}

/* Length of the ASCII text at the start of S, give or take a block. */
static size_t ascii(struct slice s)
{
    size_t i = 0;

    for (; s.len - i >= 32; i += 32) {
        uint64_t w[4];

        memcpy(w, s.ptr + i, sizeof w);
        if ((w[0] | w[1] | w[2] | w[3]) & UINT64_C(0x8080808080808080))
            break;
    }
    return i;
}

size_t utf8_valid(struct slice s)
{
    size_t at = ascii(s), len;

    while (at < s.len) {
        if ((unsigned char)s.ptr[at] < 0x80) {
            at++;
            continue;
        }
        if (look(slice_from(s, at), &len) != VALID)
            break;
        at += len;
        at += ascii(slice_from(s, at));
    }
    return at;
}

/* Appends TEXT; returns what is left of it: the begin of a character, or nothing. */
static struct slice add_certain(struct slice text, struct buf *out)
{
    while (text.len) {
        size_t len = utf8_valid(text);

        buf_add(out, slice_head(text, len));
        text = slice_from(text, len);
        if (text.len == 0 || look(text, &len) == PARTIAL)
            break;
        buf_add(out, replacement);
        text = slice_from(text, len);
    }
    return text;
}

static void hold(struct utf8 *u, struct slice rest)
{
    if (rest.len)
        memcpy(u->held, rest.ptr, rest.len);
    u->n_held = rest.len;
}

/* Completes the character that is held with the first bytes of *CHUNK, and takes them off. */
static void complete(struct utf8 *u, struct slice *chunk, struct buf *out)
{
    while (u->n_held && chunk->len) {
        size_t len;

        u->held[u->n_held] = chunk->ptr[0];
        enum kind kind = look(slice_make(u->held, u->n_held + 1), &len);
        if (kind == INVALID) { /* what was held is no character; the new byte may begin one */
            buf_add(out, replacement);
            u->n_held = 0;
            return;
        }
        *chunk = slice_from(*chunk, 1);
        u->n_held++;
        if (kind == VALID) {
            buf_add(out, slice_make(u->held, u->n_held));
            u->n_held = 0;
        }
    }
}

struct slice utf8_feed(struct utf8 *u, struct slice chunk, struct buf *scratch)
{
    if (!u->n_held) {
        size_t valid = utf8_valid(chunk), len;
        struct slice rest = slice_from(chunk, valid);

        if (rest.len == 0 || look(rest, &len) == PARTIAL) {
            hold(u, rest);
            return slice_head(chunk, valid);
        }
    }
    buf_clear(scratch);
    complete(u, &chunk, scratch);
    if (!u->n_held)
        hold(u, add_certain(chunk, scratch));
    return buf_slice(scratch);
}

struct slice utf8_end(struct utf8 *u)
{
    struct slice rest = u->n_held ? replacement : slice_make("", 0);

    u->n_held = 0;
    return rest;
}

void utf8_clean(struct slice text, struct buf *out)
{
    if (add_certain(text, out).len)
        buf_add(out, replacement);
}

const char *utf8_text(struct arena *a, const char *text)
{
    struct slice all = slice_of(text ? text : "");
    struct buf clean = BUF_INIT(3 * all.len + 1);

    if (utf8_valid(all) == all.len)
        return text;
    utf8_clean(all, &clean);
    text = arena_str(a, buf_slice(&clean));
    buf_deinit(&clean);
    return text;
}

struct slice utf8_head(struct slice text, size_t max)
{
    text = slice_head(text, max);
    return slice_head(text, utf8_valid(text));
}
