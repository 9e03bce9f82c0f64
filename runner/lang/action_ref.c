#include "lang/action_ref.h"

bool action_ref_is_name(struct slice name)
{
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '-' || c == '_' || c == '.'))
            return false;
    }
    return name.len > 0 && name.len <= ACTION_NAME_MAX && !slice_eq(name, SLICE(".")) &&
           !slice_eq(name, SLICE(".."));
}

/* git check-ref-format; a few names that git allows and nobody uses are refused, too. */
bool action_ref_is_version(struct slice ref)
{
    struct slice rest = ref, part;

    for (size_t i = 0; i < ref.len; i++)
        if ((unsigned char)ref.ptr[i] <= ' ' || ref.ptr[i] == 0x7f ||
            strchr("~^:?*[\\", ref.ptr[i]))
            return false;
    if (!ref.len || ref.len > ACTION_VERSION_MAX || ref.ptr[0] == '-' ||
        slice_find(ref, SLICE("..")) >= 0 || slice_find(ref, SLICE("@{")) >= 0 ||
        slice_eq(ref, SLICE("@")) || slice_ends(ref, SLICE(".")))
        return false;
    while (slice_split(&rest, '/', &part))
        if (!part.len || part.ptr[0] == '.' || slice_ends(part, SLICE(".lock")))
            return false;
    return true;
}

bool action_ref_is_commit(struct slice ref)
{
    for (size_t i = 0; i < ref.len; i++)
        if (!((ref.ptr[i] >= '0' && ref.ptr[i] <= '9') ||
              (ref.ptr[i] >= 'a' && ref.ptr[i] <= 'f') || (ref.ptr[i] >= 'A' && ref.ptr[i] <= 'F')))
            return false;
    return ref.len == 40 || ref.len == 64;
}

enum uses_kind uses_kind(struct slice uses)
{
    return slice_starts(uses, SLICE("./")) || slice_starts(uses, SLICE(".\\")) ? USES_LOCAL
           : slice_starts(uses, SLICE("$/"))                                   ? USES_SELF
           : slice_starts(uses, SLICE("docker://"))                            ? USES_IMAGE
                                                                               : USES_REMOTE;
}

/* The parts of PATH without "." and empty ones; NULL: it leads upwards, or is none at all. */
static const char *clean_path(struct arena *a, struct slice path)
{
    char *clean = arena_alloc(a, path.len + 1);
    size_t len = 0;
    struct slice part;

    if (path.len > ACTION_PATH_MAX || slice_find_char(path, '\0') >= 0)
        return NULL;
    while (slice_split(&path, '/', &part)) {
        if (!part.len || slice_eq(part, SLICE(".")))
            continue;
        if (slice_eq(part, SLICE("..")))
            return NULL;
        if (len)
            clean[len++] = '/';
        memcpy(clean + len, part.ptr, part.len);
        len += part.len;
    }
    return clean;
}

int action_ref_parse(struct arena *a, struct slice text, struct action_ref *ret, struct err *err)
{
    ssize_t at = slice_find_char(text, '@');
    struct slice rest = slice_head(text, at < 0 ? text.len : (size_t)at), owner, repo;
    struct slice ref = at < 0 ? SLICE("") : slice_from(text, (size_t)at + 1);
    struct slice shown = slice_head(text, 100);

    if (!slice_split(&rest, '/', &owner) || !action_ref_is_name(owner))
        return err_set(err, ERR_INVALID, "'%.*s' names no owner: write owner/repo@version",
                       SLICE_ARG(shown));
    if (!slice_split(&rest, '/', &repo) || !action_ref_is_name(repo))
        return err_set(err, ERR_INVALID, "'%.*s' names no repository: write owner/repo@version",
                       SLICE_ARG(shown));
    if (!ref.len)
        return err_set(err, ERR_INVALID, "'%.*s' names no version: write owner/repo@version",
                       SLICE_ARG(shown));
    if (!action_ref_is_version(ref))
        return err_set(
            err, ERR_INVALID,
            "in '%.*s' is no version behind the '@': no branch, tag or commit has such a "
            "name",
            SLICE_ARG(shown));
    const char *path = clean_path(a, rest);
    if (!path)
        return err_set(err, ERR_INVALID, "the path in '%.*s' leads out of the repository",
                       SLICE_ARG(shown));
    *ret = (struct action_ref){
        .repository = arena_printf(a, "%.*s/%.*s", SLICE_ARG(owner), SLICE_ARG(repo)),
        .owner = arena_str(a, owner),
        .repo = arena_str(a, repo),
        .path = path,
        .ref = arena_str(a, ref),
    };
    return ERR_OK;
}

/* The length of "https://HOST" at the beginning of TEXT; 0: no server is named there. */
static size_t server_length(struct slice text)
{
    static const struct slice schemes[] = {SLICE_INIT("https://"), SLICE_INIT("http://")};

    for (size_t i = 0; i < COUNT_OF(schemes); i++) {
        ssize_t slash = slice_find_char(slice_from(text, schemes[i].len), '/');

        if (slice_starts(text, schemes[i]))
            return slash < 0 ? text.len : schemes[i].len + (size_t)slash;
    }
    return 0;
}

/* What a host and a port are made of; a user in front would be somebody's password in a workflow. */
static bool is_server(struct slice server)
{
    struct slice host = slice_from(server, (size_t)slice_find(server, SLICE("//")) + 2);

    for (size_t i = 0; i < host.len; i++) {
        char c = host.ptr[i];

        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
              c == '.' || c == ':' || c == '[' || c == ']' || (c == '-' && i > 0)))
            return false;
    }
    return host.len > 0 && host.len <= ACTION_SERVER_MAX && host.ptr[0] != ':';
}

int action_ref_parse_from(struct arena *a, struct slice text, struct action_ref *ret,
                          struct err *err)
{
    size_t n = server_length(text);

    if (!n)
        return action_ref_parse(a, text, ret, err);
    if (!is_server(slice_head(text, n)))
        return err_set(err, ERR_INVALID,
                       "'%.*s' begins with no server's address: write "
                       "https://HOST/owner/repo@version",
                       SLICE_ARG(slice_head(text, 100)));
    int r = action_ref_parse(a, slice_from(text, n < text.len ? n + 1 : n), ret, err);
    if (r == ERR_OK)
        ret->source = arena_str(a, slice_head(text, n));
    return r;
}
