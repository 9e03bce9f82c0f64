/* What the disk has of actions of other repositories: for their inputs, and to pin them. Nobody is asked. */
#include "cli/check/files.h"

#include "base/fd.h"
#include "base/path.h"
#include "cli/settings.h"
#include "store/lock.h"
#include "store/source.h"
#include "store/store.h"

#include <fcntl.h>

enum { MANIFEST_SIZE_MAX = 1 << 20 };

/* The lock of the repository whose files have PREFIX in front, read once for files side by side. */
static const struct strmap *locks_of(struct check_run *r, const char *prefix)
{
    struct err ignored = ERR_INIT; /* a lock that can't be read pins nothing */

    if (r->lock_prefix && strcmp(r->lock_prefix, prefix) == 0)
        return &r->locks;
    strmap_deinit(&r->locks);
    r->locks = (struct strmap)STRMAP_INIT;
    r->lock_prefix = prefix;
    (void)!lock_load(*prefix ? prefix : ".", &r->locks, &ignored);
    return &r->locks;
}

static const char *source_of(struct check_run *r)
{
    struct err ignored = ERR_INIT;

    if (!r->action_source &&
        source_parse(&r->arena, settings_action_source(), &r->action_source, &ignored) < 0)
        r->action_source = SOURCE_DEFAULT;
    return r->action_source;
}

/* The manifest in PATH of TREE; empty: there is none that could be read. */
static void read_manifest(const char *tree, const char *path, struct buf *to)
{
    static const char *const names[] = {"action.yml", "action.yaml"};
    CLEANUP(fd_closep) int root = open(tree, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct err ignored = ERR_INIT; /* what can't be read is not at hand */

    for (size_t i = 0; i < COUNT_OF(names) && root >= 0; i++) {
        CLEANUP(free_ptr)
        char *file = *path ? path_join(path, names[i]) : mem_dup(names[i], strlen(names[i]));

        if (path_read(root, file, to, &ignored) == ERR_OK)
            return;
        buf_clear(to);
    }
}

/* The commit of USES, and its manifest when the store has it. NULL: it is not known. */
static const char *look_up(struct check_run *r, const struct strmap *locks, const char *uses,
                           struct arena *a, struct buf *manifest)
{
    struct store_spec spec = {.folder = settings_action_store(a),
                              .source = source_of(r),
                              .offline = true,
                              .locks = locks};
    struct action_ref ref;
    struct store_entry entry;
    struct err ignored = ERR_INIT; /* what is not here is not known */
    struct slice locked;

    if (uses_kind(slice_of(uses)) != USES_REMOTE ||
        action_ref_parse(a, slice_of(uses), &ref, &ignored) < 0)
        return NULL;
    if (store_find(&spec, &ref, a, &entry, &ignored) == ERR_OK) {
        read_manifest(entry.path, ref.path, manifest);
        return arena_str(a, slice_of(entry.sha));
    }
    if (strmap_find(locks, slice_of(lock_key(a, &ref)), &locked))
        return arena_str(a, locked);
    return NULL;
}

/* Files side by side use the same actions: an answer is kept as "COMMIT", a line feed and the manifest. */
const char *check_stored(struct check_run *r, const char *prefix, const char *uses,
                         struct slice *ret_manifest)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct slice key = slice_of(arena_printf(&a, "%s\n%s", prefix, uses)), known;

    if (!strmap_find(&r->stored, key, &known)) {
        CLEANUP(buf_deinit) struct buf manifest = BUF_INIT(MANIFEST_SIZE_MAX);
        CLEANUP(buf_deinit) struct buf answer = BUF_INIT(MANIFEST_SIZE_MAX + 200);
        const char *commit = look_up(r, locks_of(r, prefix), uses, &a, &manifest);

        if (commit)
            buf_printf(&answer, "%s\n", commit);
        buf_add(&answer, buf_slice(&manifest));
        strmap_set(&r->stored, key, buf_slice(&answer));
        (void)strmap_find(&r->stored, key, &known);
    }
    struct slice commit;
    if (!slice_line(&known, &commit) || !commit.len)
        return NULL;
    *ret_manifest = known;
    return arena_str(&r->arena, commit);
}
