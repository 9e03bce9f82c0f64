#include "store/source.h"

#include "base/buf.h"

static const char *const schemes[] = {"https://", "http://", "ssh://", "git://", "file:///"};

/* "git@example.org:" and "example.org:mirrors", as ssh has addresses. */
static bool is_short_ssh(struct slice text)
{
    ssize_t colon = slice_find_char(text, ':'), slash = slice_find_char(text, '/');

    return colon > 0 && (slash < 0 || slash > colon) && text.ptr[0] != '-' &&
           slice_find(text, SLICE("::")) < 0;
}

/* Where the part between "//" and "@" lies, that is nobody's business; false: there is none. */
static bool find_user(const char *source, size_t *ret_from, size_t *ret_to)
{
    const char *host = strstr(source, "://");

    if (!host)
        return false;
    host += 3;
    size_t n = strcspn(host, "/");
    const char *at = memrchr(host, '@', n);
    if (!at)
        return false;
    *ret_from = (size_t)(host - source);
    *ret_to = (size_t)(at + 1 - source);
    return true;
}

const char *source_without_user(struct arena *a, const char *source)
{
    size_t from, to;

    if (!find_user(source, &from, &to))
        return source;
    return arena_printf(a, "%.*s%s", (int)from, source, source + to);
}

/* A server has a name, and none that ssh or git would take for an option. */
static bool has_server(struct arena *a, const char *source)
{
    const char *bare = source_without_user(a, source), *server = strstr(bare, "://");

    server = server ? server + 3 : bare;
    return *server && !strchr("-/:", *server);
}

/* An address with places for what is wanted; see web.h. */
static bool is_form(struct slice s)
{
    struct slice path = slice_from(s, (size_t)slice_find(s, SLICE("//")) + 2);
    ssize_t slash = slice_find_char(path, '/');

    if (slash < 0 || !slice_starts(s, SLICE("http")) ||
        slice_find_char(slice_head(path, (size_t)slash), '{') >= 0)
        return false;
    return slice_find(path, SLICE("{owner}")) >= 0 && slice_find(path, SLICE("{repo}")) >= 0 &&
           slice_find(path, SLICE("{sha}")) >= 0;
}

int source_parse(struct arena *a, const char *text, const char **ret, struct err *err)
{
    struct slice s = slice_of(text);
    bool known = is_short_ssh(s) && slice_find(s, SLICE("://")) < 0;

    if (s.len > SOURCE_MAX)
        return err_set(err, ERR_LIMIT, "a source of actions is at most %d bytes long", SOURCE_MAX);
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)text[i] <= ' ' || text[i] == 0x7f)
            return err_set(err, ERR_INVALID, "a source of actions has no spaces in it");
    if (s.len && text[0] == '/') {
        *ret = arena_printf(a, "file://%s", text);
        return ERR_OK;
    }
    for (size_t i = 0; i < COUNT_OF(schemes); i++)
        known |= slice_starts(s, slice_of(schemes[i]));
    known &= slice_starts(s, SLICE("file:///")) || has_server(a, text);
    if (known && memchr(text, '{', s.len) && !is_form(s))
        return err_set(err, ERR_INVALID,
                       "'%.100s' is no form of addresses of archives: it is "
                       "http(s)://HOST/... with {owner}, {repo} and {sha} in its path",
                       source_without_user(a, text));
    if (!known)
        return err_set(err, ERR_INVALID,
                       "'%.100s' is no source of actions: name a server as " SOURCE_DEFAULT
                       ", or a folder with its full path",
                       source_without_user(a, text));
    *ret = arena_str(a, s);
    return ERR_OK;
}

int source_host(struct arena *a, const char *source, const char **ret, struct err *err)
{
    enum { NAME_LENGTH_MAX = 255 };
    CLEANUP(buf_deinit) struct buf name = BUF_INIT(NAME_LENGTH_MAX);
    const char *shown = source_without_user(a, source);
    struct slice rest = slice_of(shown);

    if (slice_starts(rest, SLICE("https://"))) /* the others are not to be mixed up with it */
        rest = slice_from(rest, 8);
    while (rest.len && rest.ptr[rest.len - 1] == '/')
        rest.len--;
    for (size_t i = 0; i < rest.len; i++) {
        char c = rest.ptr[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '-' || c == '_' || (c == '.' && i > 0);

        if (plain)
            buf_add_char(&name, c);
        else
            buf_printf(&name, "%%%02X", (unsigned)(unsigned char)c);
    }
    if (buf_check(&name, "the name of the source of actions", err) < 0)
        return err->code;
    *ret = arena_str(a, buf_slice(&name));
    return ERR_OK;
}

const char *source_address(struct arena *a, const char *source, const struct action_ref *ref)
{
    struct slice base = slice_of(source);
    bool bare = base.len && (base.ptr[base.len - 1] == '/' || base.ptr[base.len - 1] == ':');

    return arena_printf(a, "%s%s%s", source, bare ? "" : "/", ref->repository);
}

const char *source_shown(struct arena *a, const char *source, const struct action_ref *ref)
{
    return source_address(a, source_without_user(a, source), ref);
}
