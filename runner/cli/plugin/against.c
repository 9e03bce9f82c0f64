/* The action that a plugin is held against: from a file, an address, or the repository that a workflow names. */
#include "cli/plugin/check.h"

#include "base/fd.h"
#include "base/path.h"
#include "cli/settings.h"
#include "io/http.h"
#include "store/child.h"
#include "store/source.h"

#include <fcntl.h>
#include <sys/stat.h>

enum { MANIFEST_MAX = 1 << 20, TRIES = 3, RETRY_MS = 500 };

static int parse(struct slice text, const char *name, struct action *ret, struct err *err)
{
    CLEANUP(arena_deinit) struct arena arena = ARENA_INIT;
    CLEANUP(diags_deinit) struct diags diags = {.arena = &arena};

    if (action_parse(ret, text, name, &diags) == ERR_OK)
        return ERR_OK;
    return err_set(err, ERR_INVALID, "%.200s",
                   diags.list.len ? diag_text(&arena, &diags.list.ptr[0]) : name);
}

static int from_file(const char *file, struct action *ret, struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(MANIFEST_MAX);
    int r = path_read(AT_FDCWD, file, &text, err);

    return r < 0 ? r : parse(buf_slice(&text), file, ret, err);
}

static int from_folder(const char *folder, struct action *ret, struct err *err)
{
    static const char *const names[] = {"action.yml", "action.yaml"};

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        CLEANUP(free_ptr) char *file = path_join(folder, names[i]);
        struct stat st;

        if (stat(file, &st) == 0)
            return from_file(file, ret, err);
    }
    return err_set(err, ERR_NOT_FOUND, "there is no action.yml in '%s'", folder);
}

/* ---- from a server ---- */

static const char *either(const char *first, const char *second)
{
    const char *value = settings_env(first);

    return value ? value : settings_env(second);
}

static int ask(const char *url, struct loop *loop, struct http_answer *ret, struct err *err)
{
    const struct http_spec spec = {
        .http_proxy = settings_env("http_proxy"),
        .https_proxy = either("https_proxy", "HTTPS_PROXY"),
        .no_proxy = either("no_proxy", "NO_PROXY"),
        .ca_file = either("SSL_CERT_FILE", "CURL_CA_BUNDLE"),
        .retry_ms = RETRY_MS,
    };
    const struct http_request q = {.url = url, .tries = TRIES, .follow = true};
    struct http *http = NULL;
    int r = http_new(&spec, loop, &http, err);

    if (r == ERR_OK)
        r = http_do(http, &q, ret, err);
    http_free(http);
    return r;
}

static int from_address(const char *url, struct action *ret, struct err *err)
{
    CLEANUP(http_answer_deinit)
    struct http_answer answer = {.headers = BUF_INIT(0), .body = BUF_INIT(0)};
    struct loop *loop;
    int r = loop_new(&loop, err);

    if (r < 0)
        return r;
    r = ask(url, loop, &answer, err);
    loop_free(loop);
    if (r < 0)
        return r;
    if (answer.status != 200)
        return err_set(err, ERR_NOT_FOUND, "'%.150s' answers with status %d", url, answer.status);
    if (answer.body.len > MANIFEST_MAX)
        return err_set(err, ERR_LIMIT, "'%.150s' is larger than %d bytes", url, MANIFEST_MAX);
    return parse(buf_slice(&answer.body), url, ret, err);
}

/* ---- as a workflow names it ---- */

static int from_repository(const char *uses, struct action *ret, struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct store_spec spec = {
        .folder = settings_action_store(&a),
        .since = store_now(),
        .git = {.path = settings_env("PATH"),
                .home = settings_home(),
                .more = settings_fetch_environ(&a)},
    };
    struct action_ref ref;
    struct store_entry entry;
    int r = source_parse(&a, settings_action_source(), &spec.source, err);

    if (r < 0 || (r = action_ref_parse(&a, slice_of(uses), &ref, err)) < 0)
        return r;
    if (store_find(&spec, &ref, &a, &entry, err) < 0 &&
        (r = store_fetch(&spec, &ref, -1, &a, &entry, err)) < 0)
        return r;
    CLEANUP(free_ptr) char *folder = path_join(entry.path, ref.path);
    return from_folder(folder, ret, err);
}

int check_load_action(const char *what, struct action *ret, struct err *err)
{
    struct slice text = slice_of(what);
    struct stat st;

    if (slice_starts(text, SLICE("https://")) || slice_starts(text, SLICE("http://")))
        return from_address(what, ret, err);
    if (stat(what, &st) == 0)
        return S_ISDIR(st.st_mode) ? from_folder(what, ret, err) : from_file(what, ret, err);
    if (strchr(what, '@') && uses_kind(slice_of(what)) == USES_REMOTE)
        return from_repository(what, ret, err);
    return err_set(err, ERR_NOT_FOUND,
                   "'%.150s' is neither a file or folder nor 'owner/name@version'", what);
}
