#include "base/num.h"
#include "listen/web.h"

static bool is_token(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (s.ptr[i] <= ' ' || s.ptr[i] > '~' || strchr("\"(),/:;<=>?@[\\]{}", s.ptr[i]))
            return false;
    return s.len > 0;
}

/* No control characters: bytes that two programs may read in two ways are refused. */
static bool is_clean(struct slice s)
{
    for (size_t i = 0; i < s.len; i++)
        if (((unsigned char)s.ptr[i] < ' ' && s.ptr[i] != '\t') || s.ptr[i] == 127)
            return false;
    return true;
}

/* "GET /path?query HTTP/1.1" */
static int parse_request_line(struct slice line, struct web_request *ret)
{
    struct slice method, target;

    if (!is_clean(line) || !slice_split(&line, ' ', &method) || !is_token(method) ||
        !slice_split(&line, ' ', &target) || !line.ptr)
        return 400;
    if (!slice_starts(line, SLICE("HTTP/")) || slice_find_char(line, ' ') >= 0)
        return 400;
    if (!slice_eq(line, SLICE("HTTP/1.1")) && !slice_eq(line, SLICE("HTTP/1.0")))
        return 505;
    if (!slice_eq(method, SLICE("GET")))
        return 405;
    if (!slice_starts(target, SLICE("/")))
        return 400;
    (void)slice_split(&target, '?', &ret->path);
    return 0;
}

static int parse_header(struct slice line, struct web_request *ret)
{
    struct slice name;

    if (!is_clean(line) || slice_find_char(line, ':') < 0 || !slice_split(&line, ':', &name) ||
        !is_token(name))
        return 400; /* a line that goes on the one before it begins with a space, and ends here too */
    if (!slice_eq_nocase(name, SLICE("Host")))
        return 0;
    if (ret->host.ptr)
        return 400;
    ret->host = slice_trim(line);
    return 0;
}

int web_parse(struct slice head, struct web_request *ret)
{
    struct web_request q = {0};
    struct slice line;
    int status = slice_line(&head, &line) ? parse_request_line(line, &q) : 400;

    while (!status && slice_line(&head, &line) && line.len)
        status = parse_header(line, &q);
    if (!status)
        *ret = q;
    return status;
}

/* Up to MAX, without a sign, and with no more digits than that has. */
static bool is_number(struct slice s, size_t digits, uint64_t max)
{
    struct err ignored = ERR_INIT; /* only whether it is one is asked */
    uint64_t n;

    return s.len <= digits && num_parse_u64(s, max, &n, &ignored) == ERR_OK;
}

/* "127." and three more numbers: all of it is the loopback network. */
static bool is_127(struct slice s)
{
    struct slice part;
    size_t n = 0;

    if (!slice_starts(s, SLICE("127.")))
        return false;
    for (; slice_split(&s, '.', &part); n++)
        if (!is_number(part, 3, 255))
            return false;
    return n == 4;
}

bool web_is_loopback(struct slice host)
{
    ssize_t colon =
        slice_starts(host, SLICE("[")) ? slice_find(host, SLICE("]:")) : slice_find_char(host, ':');
    size_t skip = slice_starts(host, SLICE("[")) ? 2 : 1;
    struct slice name = colon < 0 ? host : slice_head(host, (size_t)colon + skip - 1);

    if (colon >= 0 && !is_number(slice_from(host, (size_t)colon + skip), 5, 65535))
        return false;
    return slice_eq_nocase(name, SLICE("localhost")) || slice_eq(name, SLICE("[::1]")) ||
           is_127(name);
}
