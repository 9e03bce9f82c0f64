#include "store/store.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>

#include "base/base64.h"
#include "base/path.h"
#include "store/lock.h"
#include "store/refs.h"
#include "store/source.h"
#include "store/web.h"

int64_t store_now(void)
{
    struct timespec now;

    clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

void store_login_header(struct slice token, struct buf *to)
{
    CLEANUP(buf_deinit) struct buf user = BUF_INIT(64 << 10);

    buf_printf(&user, "x-access-token:%.*s", SLICE_ARG(token));
    buf_printf(to, "Authorization: Basic ");
    base64_add(to, buf_slice(&user));
    explicit_bzero(user.ptr, user.len);
}

static const char *lower(struct arena *a, const char *name)
{
    char *copy = arena_str(a, slice_of(name));

    for (char *c = copy; *c; c++)
        if (*c >= 'A' && *c <= 'Z')
            *c = (char)(*c | 32);
    return copy;
}

/* What stands in a header or an address must not begin another one. */
static bool is_line(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    return true;
}

int store_given_check(const struct store_given *given, struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct slice url = slice_of(given->url);
    struct action_ref ref;

    if (!slice_starts(url, SLICE("https://")) && !slice_starts(url, SLICE("http://")))
        return err_set(err, ERR_INVALID, "an archive without an address of HTTP");
    if (!given->sha || !action_ref_is_commit(slice_of(given->sha)))
        return err_set(err, ERR_INVALID, "an archive of no commit");
    if (!is_line(given->url) || (given->header && !is_line(given->header)))
        return err_set(err, ERR_INVALID, "an archive's address has control characters in it");
    const char *name = arena_printf(&a, "%s@x", given->repository ? given->repository : "");
    int r = action_ref_parse(&a, slice_of(name), &ref, err);
    return r == ERR_OK && *ref.path
               ? err_set(err, ERR_INVALID, "'%.100s' is no repository", given->repository)
               : r;
}

/* Where an archive that was named for us comes from: "https://codeload.github.com". */
static int given_origin(const struct store_spec *spec, const struct store_given *given,
                        struct arena *a, struct store_origin *ret, struct err *err)
{
    const char *begin = strstr(given->url, "://") + 3, *host;
    const char *server =
        arena_str(a, slice_make(given->url, (size_t)(begin - given->url) + strcspn(begin, "/?#")));
    int r = source_host(a, server, &host, err);

    if (r < 0)
        return r;
    *ret = (struct store_origin){
        .address = given->url,
        .shown = source_without_user(a, server),
        .folder = arena_printf(a, "%s/%s/%s", spec->folder, host, lower(a, given->repository)),
        .web = server,
        .given = given,
    };
    return ERR_OK;
}

int store_origin(const struct store_spec *spec, const struct action_ref *ref, struct arena *a,
                 struct store_origin *ret, struct err *err)
{
    const char *clone =
        spec->clones && !ref->source ? strmap_get(spec->clones, ref->repository) : NULL;
    const char *named = ref->source ? ref->source : spec->source, *host;
    const char *source = clone ? arena_printf(a, "file://%s", clone) : named;

    if (spec->given && spec->given->url)
        return given_origin(spec, spec->given, a, ret, err);
    int r = source_host(a, source, &host, err);
    if (r < 0)
        return r;
    *ret = (struct store_origin){
        .address = clone ? source : source_address(a, source, ref),
        .shown = clone            ? clone
                 : web_is(source) ? source_without_user(a, source)
                                  : source_shown(a, source, ref),
        .folder = arena_printf(a, "%s/%s/%s/%s", spec->folder, host, lower(a, ref->owner),
                               lower(a, ref->repo)),
        .web = web_is(source) ? source : NULL,
        .local = strncmp(source, "file://", 7) == 0,
        .login = spec->login && strcmp(source, spec->login) == 0,
    };
    return ERR_OK;
}

bool store_has(const char *folder, const char *sha, struct arena *a, struct store_entry *ret)
{
    const char *path = arena_printf(a, "%s/%s", folder, sha);
    struct stat st;

    if (lstat(path, &st) < 0 || !S_ISDIR(st.st_mode))
        return false;
    *ret = (struct store_entry){.path = path};
    snprintf(ret->sha, sizeof ret->sha, "%s", sha);
    return true;
}

static const char *locked_commit(const struct store_spec *spec, const struct action_ref *ref,
                                 struct arena *a)
{
    return spec->locks ? strmap_get(spec->locks, lock_key(a, ref)) : NULL;
}

int store_check_lock(const struct store_spec *spec, const struct action_ref *ref, struct arena *a,
                     const char *sha, struct err *err)
{
    const char *locked = locked_commit(spec, ref, a);

    if (!locked || strcmp(locked, sha) == 0)
        return ERR_OK;
    return err_set(err, ERR_DENIED,
                   "it is now the commit %s, and " LOCK_PATH
                   " says %s: somebody moved it. Look at what changed, then write the new commit "
                   "there",
                   sha, locked);
}

static bool known_ref(const char *folder, const char *ref, struct ref_known *ret)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(REFS_SIZE_MAX);
    CLEANUP(free_ptr) char *path = path_join(folder, "refs");
    struct err ignored = ERR_INIT; /* nothing is known then */

    return path_read(AT_FDCWD, path, &text, &ignored) == ERR_OK &&
           refs_find(buf_slice(&text), slice_of(ref), ret);
}

int store_find(const struct store_spec *spec, const struct action_ref *ref, struct arena *a,
               struct store_entry *ret, struct err *err)
{
    struct ref_known known = {0};
    const char *locked = locked_commit(spec, ref, a), *sha = NULL;
    struct store_origin origin;
    int r = store_origin(spec, ref, a, &origin, err);

    if (r < 0)
        return r;
    if (origin.given)
        sha = lower(a, origin.given->sha);
    else if (action_ref_is_commit(slice_of(ref->ref)))
        sha = lower(a, ref->ref);
    else if (spec->offline && locked)
        sha = locked;
    else if (known_ref(origin.folder, ref->ref, &known) &&
             (spec->offline || known.at >= spec->since))
        sha = known.sha;
    if (sha) {
        r = store_check_lock(spec, ref, a, sha, err);
        if (r < 0)
            return r;
        if (!origin.login && store_has(origin.folder, sha, a, ret))
            return ERR_OK;
    }
    return err_set(err, ERR_NOT_FOUND,
                   "%s%s is not in the action store, and nothing is fetched now ('ostler run' "
                   "without --offline does)",
                   sha ? "its commit " : "it", sha ? sha : "");
}
