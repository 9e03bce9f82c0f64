#include "json_put.h"

/* How many bytes at S are one well-formed UTF-8 character; 0: none. */
static size_t utf8_size(const char *s)
{
    unsigned char lead = (unsigned char)s[0];
    size_t n = lead < 0x80   ? 1
               : lead < 0xc2 ? 0
               : lead < 0xe0 ? 2
               : lead < 0xf0 ? 3
               : lead < 0xf5 ? 4
                             : 0;

    for (size_t i = 1; i < n; i++)
        if (((unsigned char)s[i] & 0xc0) != 0x80)
            return 0;
    if (n == 3 && ((lead == 0xe0 && (unsigned char)s[1] < 0xa0) ||
                   (lead == 0xed && (unsigned char)s[1] > 0x9f)))
        return 0; /* overlong, or half a surrogate pair */
    if (n == 4 && ((lead == 0xf0 && (unsigned char)s[1] < 0x90) ||
                   (lead == 0xf4 && (unsigned char)s[1] > 0x8f)))
        return 0;
    return n;
}

void json_put_text(struct sink *k, const char *text)
{
    sink_add(k, SPAN("\""));
    while (*text) {
        size_t plain = 0, n;

        while ((n = utf8_size(text + plain)) > 0 && (unsigned char)text[plain] >= 0x20 &&
               text[plain] != '"' && text[plain] != '\\')
            plain += n;
        sink_add(k, (struct span){text, plain});
        text += plain;
        if (!*text)
            break;
        if (*text == '"' || *text == '\\')
            sink_addf(k, "\\%c", *text);
        else if (*text == '\n')
            sink_add(k, SPAN("\\n"));
        else if ((unsigned char)*text < 0x20)
            sink_addf(k, "\\u%04x", (unsigned)(unsigned char)*text);
        else
            sink_add(k, SPAN("\\ufffd"));
        text++;
    }
    sink_add(k, SPAN("\""));
}
