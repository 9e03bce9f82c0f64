/* The texts of the action store: references, locks, what names were, sources, messages. */
#include "store/child.h"
#include "store/lock.h"
#include "store/refs.h"
#include "store/resolve.h"
#include "store/source.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What was accepted leads nowhere: no part of it goes upwards or looks like an option. */
static void check_parts(const struct action_ref *ref)
{
    struct slice rest = slice_of(ref->path), part;

    if (!strcmp(ref->owner, "..") || !strcmp(ref->repo, "..") || strchr(ref->owner, '/') ||
        strchr(ref->repo, '/') || ref->ref[0] == '-' || strstr(ref->ref, "..") ||
        ref->path[0] == '/')
        BUG("'%s' '%s' '%s'", ref->repository, ref->path, ref->ref);
    while (slice_split(&rest, '/', &part))
        if (slice_eq(part, SLICE("..")))
            BUG("'%s' leads upwards", ref->path);
}

static void try_source(struct arena *a, const char *text, const struct action_ref *ref)
{
    const char *source, *host;
    struct err err = ERR_INIT;

    if (source_parse(a, text, &source, &err) < 0)
        return;
    if (source[0] == '-')
        BUG("'%s' is an option", source);
    if (source_host(a, source, &host, &err) == ERR_OK &&
        (!*host || host[0] == '.' || strchr(host, '/')))
        BUG("'%s' is no name of a folder", host);
    (void)source_shown(a, source, ref);
}

static void try_lock(struct slice text)
{
    struct strmap lock = STRMAP_INIT;
    struct err err = ERR_INIT;

    if (lock_parse(text, "lock", &lock, &err) == ERR_OK)
        STRMAP_EACH (i, &lock)
            if (!action_ref_is_commit(strmap_value(i)))
                BUG("'%s' is locked to '%s'", i->name, i->value);
    strmap_deinit(&lock);
}

static void try_refs(struct slice text)
{
    CLEANUP(buf_deinit) struct buf to = BUF_INIT(REFS_SIZE_MAX);
    struct ref_known known = {.sha = "1111111111111111111111111111111111111111", .at = 7}, found;

    refs_update(text, SLICE("main"), &known, &to);
    if (!to.overflow && (!refs_find(buf_slice(&to), SLICE("main"), &found) || found.at != 7))
        BUG("what was remembered is forgotten");
}

/* What a service answers is fetched from an address of HTTP, and lies in one repository's folder. */
static void try_resolve(struct arena *a, struct slice text)
{
    struct action_ref refs[] = {
        {.repository = "a/b", .owner = "a", .repo = "b", .path = "", .ref = "v"}};
    struct resolve_ask ask = {
        .url = "http://h/", .token = "T", .archive_token = "O", .refs = refs, .n = 1};
    struct resolve_answer answer;
    struct err err = ERR_INIT;

    for (int service = 0; service < RESOLVE_SERVICES; service++) {
        ask.service = (enum resolve_service)service;
        if (resolve_read(&ask, 200, text, a, &answer, &err) == ERR_OK &&
            store_given_check(&answer.list[0].given, &err) < 0)
            BUG("%s", err.text);
        (void)!resolve_read(&ask, 422, text, a, &answer, &err);
    }
    if (resolve_answer_parse(text, a, &answer, &err) == ERR_OK)
        free(resolve_answer_format(ERR_OK, &answer, NULL));
    if (resolve_request_parse(text, a, &ask, &err) == ERR_OK) {
        free(resolve_body(&ask));
        free(resolve_request_format(&ask));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct slice text = slice_make((const char *)data, size);
    struct action_ref ref = {
        .repository = "a/b", .owner = "a", .repo = "b", .path = "", .ref = "v"};
    struct store_request request = {0};
    struct store_entry entry;
    struct err err = ERR_INIT;

    if (action_ref_parse(&a, text, &ref, &err) == ERR_OK)
        check_parts(&ref);
    try_source(&a, arena_str(&a, text), &ref);
    try_lock(text);
    try_resolve(&a, text);
    try_refs(text);
    (void)!store_answer_parse(text, &a, &entry, &err);
    if (store_request_parse(text, &request, &err) == ERR_OK)
        free(store_request_format(&request.spec, &ref));
    store_request_deinit(&request);
    return 0;
}
