#include "base/base64.h"

static void add(struct buf *to, struct slice bytes, const char digits[64])
{
    unsigned bits = 0, n = 0;

    for (size_t i = 0; i < bytes.len; i++) {
        bits = (bits << 8) | (unsigned char)bytes.ptr[i];
        for (n += 8; n >= 6; n -= 6)
            buf_add_char(to, digits[(bits >> (n - 6)) & 63]);
    }
    if (n)
        buf_add_char(to, digits[(bits << (6 - n)) & 63]);
}

void base64_url(struct buf *to, struct slice bytes)
{
    add(to, bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_");
}

void base64_add(struct buf *to, struct slice bytes)
{
    add(to, bytes, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/");
    for (size_t i = bytes.len; i % 3; i++)
        buf_add_char(to, '=');
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' || c == '-' ? 62 : c == '/' || c == '_' ? 63 : -1;
}

int base64_decode(struct slice text, struct buf *to, struct err *err)
{
    unsigned bits = 0, n = 0;
    size_t len = text.len;

    for (int padding = 0; padding < 2 && len && text.ptr[len - 1] == '='; padding++)
        len--;
    if (len % 4 == 1 || (len < text.len && text.len % 4))
        return err_set(err, ERR_INVALID, "this is no Base64: its length is wrong");
    for (size_t i = 0; i < len; i++) {
        int value = value_of(text.ptr[i]);

        if (value < 0)
            return err_set(err, ERR_INVALID, "this is no Base64: character %zu is not in it",
                           i + 1);
        bits = (bits << 6) | (unsigned)value;
        n += 6;
        if (n >= 8) {
            n -= 8;
            buf_add_char(to, (char)((bits >> n) & 255));
        }
    }
    return buf_check(to, "decoded Base64", err);
}
