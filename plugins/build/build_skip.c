#include "build_skip.h"

#include "../lib/cache.h"
#include "../lib/job.h"
#include "../lib/sha256.h"

#include <string.h>

enum { ID_SHOWN = 16 };

const char *skip_id(struct ost_step *step, const char *const *what)
{
    struct sink k = {.step = step};

    for (; *what; what++)
        sink_addf(&k, "%zu:%s\n", strlen(*what), *what);
    return sha256_text(step, span_of(sink_text(&k)));
}

/* Notes lie in the workspace only while the cache takes or gives them. */
static const char *notes_path(const struct skip *s)
{
    return ost_fmt(s->step, ".ostler-build/%.*s", ID_SHOWN, s->id);
}

static const char *key_of(const struct skip *s, const char *what, const char *digest)
{
    return ost_fmt(s->step, "ostler-build-%.*s-%s-%s", ID_SHOWN, s->id, what, digest);
}

/* Those of others that are still there go, too, with the folder: nothing else belongs in it. */
static ost_status remove_notes(const struct skip *s)
{
    ost_status r = ost_exec(s->step, NULL, .flags = OST_EXEC_QUIET, .cwd = s->workspace,
                            .argv = OST_ARGV("rm", "-rf", "--", ".ostler-build"));

    return r == OST_E_CANCELLED ? r : OST_OK;
}

static void read_notes(const struct skip *s, struct facts *ret)
{
    size_t size;
    char *text =
        file_read(s->step, rel_join(s->step, s->workspace, notes_path(s)), FACTS_SIZE_MAX, &size);

    *ret = (struct facts){0};
    if (text)
        facts_parse(s->step, (struct span){text, size}, ret);
}

static const char *const *kept_paths(const struct skip *s, const char *notes)
{
    struct strings paths = {0};

    strings_add(s->step, &paths, notes);
    for (const char *const *p = s->results; *p; p++)
        strings_add(s->step, &paths, *p);
    return strings_list(&paths);
}

ost_status skip_restore(const struct skip *s, struct facts *ret)
{
    const struct cache_ask ask = {.paths = kept_paths(s, notes_path(s)),
                                  .key = key_of(s, "result", s->digest)};
    struct cache_done done;
    ost_status r = cache_restore(s->step, &ask, &done);

    *ret = (struct facts){0};
    if (r < 0 || !done.key)
        return r;
    read_notes(s, ret);
    return remove_notes(s);
}

/* The notes of the newest result before this one are enough to tell. */
ost_status skip_why(const struct skip *s, const char **ret)
{
    const struct cache_ask ask = {.paths = OST_ARGV(notes_path(s)),
                                  .key = key_of(s, "notes", s->digest),
                                  .others = OST_ARGV(key_of(s, "notes", ""))};
    struct facts old = {0};
    struct cache_done done;
    ost_status r = cache_restore(s->step, &ask, &done);

    if (r < 0)
        return r;
    *ret = "nothing like it has been built before, as far as this job's cache knows";
    if (!done.key)
        return OST_OK;
    read_notes(s, &old);
    *ret = facts_difference(s->step, &old, s->facts);
    if (!*ret)
        *ret = "nothing changed, but what was built is no longer kept";
    return remove_notes(s);
}

static ost_status save(const struct skip *s, const char *what, const char *const *paths)
{
    const struct cache_ask ask = {.paths = paths, .key = key_of(s, what, s->digest)};
    struct cache_done done;
    ost_status r = cache_save(s->step, &ask, &done);

    if (r == OST_OK && done.refused)
        ost_log(s->step, OST_WARNING, "what was built is not kept: %s", done.refused);
    return r;
}

ost_status skip_save(const struct skip *s, const struct facts *with_results)
{
    ost_status r =
        job_replace_file(s->step, s->workspace, notes_path(s), facts_format(s->step, with_results));

    if (r < 0 && r != OST_E_CANCELLED)
        return r;
    if (r == OST_OK && s->results[0])
        r = save(s, "result", kept_paths(s, notes_path(s)));
    if (r == OST_OK)
        r = save(s, "notes", OST_ARGV(notes_path(s)));
    return r == OST_OK ? remove_notes(s) : r;
}
