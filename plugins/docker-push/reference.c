#include "reference.h"

#include <string.h>
#include <strings.h>

static bool is_lower(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_word(char c)
{
    return is_lower(c) || (c >= 'A' && c <= 'Z') || c == '_';
}

/* [a-z0-9]+((\.|_|__|-+)[a-z0-9]+)* */
static bool is_component(struct span s)
{
    size_t i = 0;

    while (i < s.size) {
        size_t start = i, gap;

        while (i < s.size && is_lower(s.at[i]))
            i++;
        if (i == start)
            return false;
        if (i == s.size)
            return true;
        for (gap = i; i < s.size && !is_lower(s.at[i]); i++)
            if (s.at[i] != s.at[gap] || !strchr("._-", s.at[i]))
                return false;
        if ((s.at[gap] == '.' && i - gap > 1) || (s.at[gap] == '_' && i - gap > 2))
            return false;
    }
    return false; /* empty, or it ends in a separator */
}

static bool is_name(struct span s)
{
    struct span part;

    if (s.size > REFERENCE_NAME_MAX)
        return false;
    while (span_eat_until(&s, '/', &part))
        if (!is_component(part))
            return false;
    return is_component(s);
}

bool reference_is_tag(struct span s)
{
    if (s.size == 0 || s.size > REFERENCE_TAG_MAX || !is_word(s.at[0]))
        return false;
    for (size_t i = 1; i < s.size; i++)
        if (!is_word(s.at[i]) && s.at[i] != '.' && s.at[i] != '-')
            return false;
    return true;
}

bool reference_is_digest(struct span s)
{
    size_t wanted = span_eat(&s, "sha256:") ? 64 : span_eat(&s, "sha512:") ? 128 : 0;

    for (size_t i = 0; i < s.size; i++)
        if (!((s.at[i] >= '0' && s.at[i] <= '9') || (s.at[i] >= 'a' && s.at[i] <= 'f')))
            return false;
    return wanted && s.size == wanted;
}

/* HOST, HOST:PORT or [IPv6]:PORT. */
static bool is_host(struct span s)
{
    struct span rest = s, digits;
    size_t n = 0;

    if (s.size == 0 || s.size > REFERENCE_HOST_MAX)
        return false;
    if (span_eat(&rest, "[")) {
        while (n < rest.size && rest.at[n] && strchr("0123456789abcdefABCDEF:.", rest.at[n]))
            n++;
        if (n == 0 || n == rest.size || rest.at[n] != ']')
            return false;
        n++;
    } else {
        while (n < rest.size && (is_word(rest.at[n]) || rest.at[n] == '.' || rest.at[n] == '-'))
            n++;
        if (n == 0)
            return false;
    }
    rest = (struct span){rest.at + n, rest.size - n};
    if (rest.size == 0)
        return true;
    digits = (struct span){rest.at + 1, rest.size - 1};
    for (size_t i = 0; i < digits.size; i++)
        if (digits.at[i] < '0' || digits.at[i] > '9')
            return false;
    return rest.at[0] == ':' && digits.size > 0 && digits.size <= 5;
}

/* The first component is a host only if it cannot be a name: it has a dot or a colon, or is localhost. */
static bool eat_host(struct span *rest, struct span *ret)
{
    struct span tail = *rest, first;

    if (!span_eat_until(&tail, '/', &first) ||
        (!memchr(first.at, '.', first.size) && !memchr(first.at, ':', first.size) &&
         !span_is(first, "localhost")))
        return false;
    *rest = tail;
    *ret = first;
    return true;
}

static struct span cut(struct span *s, size_t at)
{
    struct span tail = {s->at + at + 1, s->size - at - 1};

    s->size = at;
    return tail;
}

static size_t last_colon(struct span s)
{
    for (size_t i = s.size; i > 0 && s.at[i - 1] != '/'; i--)
        if (s.at[i - 1] == ':')
            return i - 1;
    return SIZE_MAX;
}

static bool has_capital(struct span s)
{
    for (size_t i = 0; i < s.size; i++)
        if (s.at[i] >= 'A' && s.at[i] <= 'Z')
            return true;
    return false;
}

const char *reference_parse(struct ost_step *step, const char *text, struct reference *ret)
{
    struct span rest = span_of(text), host = SPAN("docker.io");
    struct reference r = {0};
    size_t at = span_find(rest, "@");

    if (at != SIZE_MAX) {
        struct span digest = cut(&rest, at);

        if (!reference_is_digest(digest))
            return "behind the '@' stands no digest such as sha256:HEX";
        r.digest = span_dup(step, digest);
    }
    if ((at = last_colon(rest)) != SIZE_MAX && at > 0) {
        struct span tag = cut(&rest, at);

        if (!reference_is_tag(tag))
            return "behind the ':' stands no tag: letters, digits, '_', '.' and '-', 128 at most, "
                   "and neither '.' nor '-' in front";
        r.tag = span_dup(step, tag);
    }
    if (eat_host(&rest, &host) && !is_host(host))
        return "what stands in front of the first '/' is no host";
    if (!is_name(rest))
        return has_capital(rest) ? "names of images have no capital letters"
                                 : "a name is made of lower-case letters and digits, with '.', "
                                   "'_', '__' or '-' between them, and '/'";
    r.host = reference_host(span_dup(step, host));
    r.name = strcmp(r.host, "docker.io") == 0 && !memchr(rest.at, '/', rest.size)
                 ? ost_fmt(step, "library/%s", span_dup(step, rest))
                 : span_dup(step, rest);
    if (strlen(r.name) > REFERENCE_NAME_MAX) /* of all that is asked for, as engines count */
        return "the name is longer than 255 characters, 'library/' included";
    *ret = r;
    return NULL;
}

/* ---- hosts ---- */

const char *reference_host(const char *host)
{
    static const char *const hub[] = {"", "docker.io", "index.docker.io", "registry-1.docker.io",
                                      "https://index.docker.io/v1/"};

    for (size_t i = 0; i < OST_COUNT(hub); i++)
        if (strcasecmp(host, hub[i]) == 0)
            return "docker.io";
    return host;
}

const char *reference_api_host(const char *host)
{
    return strcmp(host, "docker.io") == 0 ? "registry-1.docker.io" : host;
}

const char *reference_auth_key(const char *host)
{
    return strcmp(host, "docker.io") == 0 ? "https://index.docker.io/v1/" : host;
}

bool reference_is_loopback(const char *host)
{
    struct span s = span_of(host);
    uint32_t n;

    if (span_starts(s, "[::1]"))
        return true;
    if (span_eat(&s, "localhost"))
        return s.size == 0 || s.at[0] == ':';
    /* 127.0.0.0/8 as four numbers: "127.evil.test" is somebody else. */
    for (int i = 0; i < 4; i++)
        if (!span_eat_number(&s, &n) || n > 255 || (i == 0 && n != 127) ||
            (i < 3 && !span_eat(&s, ".")))
            return false;
    return s.size == 0 || s.at[0] == ':';
}
