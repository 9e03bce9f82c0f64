#include "memory.h"

#include "../lib/job.h"

#include <openssl/evp.h>
#include <ostler/ext.h>
#include <string.h>
#include <time.h>

/* Its content is of no use to anybody; its name below `path:` is a part of what tells caches apart. */
#define MEMORY_FILE "~/.cache/ostler-notify"

const char *memory_key(struct ost_step *step, const char *kind, const char *const *texts)
{
    enum { BYTES_KEPT = 12 };
    unsigned char sum[EVP_MAX_MD_SIZE] = {0};
    struct sink all = {.step = step}, k = {.step = step};

    for (; *texts; texts++)
        sink_addf(&all, "%zu:%s", strlen(*texts), *texts);
    (void)EVP_Digest(sink_text(&all), all.size, sum, NULL, EVP_sha256(), NULL);
    sink_addf(&k, "ostler-notify-%s-", kind);
    for (size_t i = 0; i < BYTES_KEPT; i++)
        sink_addf(&k, "%02x", sum[i]);
    sink_add(&k, SPAN("-"));
    return sink_text(&k);
}

static const struct ost_cache_v1 *service(struct ost_step *step)
{
    const struct ost_cache_v1 *cache = step->host->extension(step, OST_EXT_CACHE);

    if (!cache)
        ost_log(step, OST_WARNING,
                "this job has no cache, so that nobody knows what was said before: 'when: change' "
                "and 'every' count as if this were the first time");
    return cache;
}

static ost_status forgive(struct ost_step *step, ost_status r, const char *what)
{
    if (r < 0 && r != OST_E_CANCELLED) {
        ost_log(step, OST_WARNING, "%s: %s", what, step->host->last_error(step));
        return OST_OK;
    }
    return r;
}

/* "KEY<time>-VALUE": the time makes each name new. */
ost_status memory_recall(struct ost_step *step, const char *key, const char **ret)
{
    const struct ost_cache_v1 *cache = service(step);
    struct ost_cache_query q = {.struct_size = sizeof q,
                                .flags = OST_CACHE_LOOKUP,
                                .paths = OST_ARGV(MEMORY_FILE),
                                .keys = OST_ARGV(key)};
    struct ost_cache_entry found = {.struct_size = sizeof found};
    ost_status r;

    *ret = NULL;
    if (!cache)
        return OST_OK;
    r = cache->restore(step, &q, &found);
    if (r == OST_OK && found.key && strncmp(found.key, key, strlen(key)) == 0) {
        const char *dash = strchr(found.key + strlen(key), '-');

        *ret = dash ? dash + 1 : NULL;
    }
    return forgive(step, r, "cannot look up what was said before");
}

ost_status memory_keep(struct ost_step *step, const char *key, const char *value)
{
    const struct ost_cache_v1 *cache = step->host->extension(step, OST_EXT_CACHE);
    const char *home = step->host->dir(step, OST_DIR_HOME);
    const char *name = ost_fmt(step, "%s%lld-%s", key, (long long)time(NULL), value);
    struct ost_cache_query q = {
        .struct_size = sizeof q, .paths = OST_ARGV(MEMORY_FILE), .keys = OST_ARGV(name)};
    ost_status r;

    if (!cache)
        return OST_OK; /* it has been said */
    r = ost_exec(step, NULL, .flags = OST_EXEC_CHECK | OST_EXEC_QUIET,
                 .argv = OST_ARGV("mkdir", "-p", "--", ost_fmt(step, "%s/.cache", home)));
    if (r == OST_OK)
        r = job_write_file(step, ost_fmt(step, "%s/.cache/ostler-notify", home), name);
    if (r == OST_OK)
        r = cache->save(step, &q, NULL);
    return forgive(step, r, "cannot remember what was said");
}
