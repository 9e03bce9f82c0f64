#include "queue/local/files.h"

#include "base/fd.h"
#include "base/path.h"
#include "store/child.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <strings.h>

static int read_own(const struct local_files *f, const char *path, struct buf *to, struct err *err)
{
    CLEANUP(fd_closep) int root = open(f->root, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct err why = ERR_INIT;

    if (root < 0)
        return err_sys(err, "cannot open '%s'", f->root);
    if (path_read(root, path, to, &why) == ERR_OK)
        return ERR_OK;
    return err_set(err, why.code, "cannot read the called workflow: %s", why.text);
}

static const char *clone_of(const struct local_files *f, const char *repository)
{
    const char *folder = strmap_get(f->repositories, repository);

    if (!folder && f->repository && strcasecmp(f->repository, repository) == 0)
        return f->root;
    return folder;
}

/* The commit that REF names in FOLDER: a branch (also one that only the remote has), a tag, a commit. */
static int find_commit(const struct local_files *f, const char *folder, const char *ref,
                       struct arena *a, const char **ret, struct err *err)
{
    /* as git itself would look, but branches first, as GitHub does; last refs/x/y and commits */
    static const char *const below[] = {"refs/heads/", "refs/tags/", "refs/remotes/origin/", ""};
    int r = ERR_NOT_FOUND;

    for (size_t i = 0; r != ERR_OK && i < COUNT_OF(below); i++) {
        CLEANUP(buf_deinit) struct buf out = BUF_INIT(GIT_OUTPUT_MAX);
        bool last = i + 1 == COUNT_OF(below);
        const char *name = arena_printf(a, "%s%s^{commit}", below[i], ref);
        const char *const args[] = {"rev-parse",        "--verify", "--quiet",
                                    "--end-of-options", name,       NULL};
        struct err why = ERR_INIT;

        r = git_run(f->git_env, folder, args, &out, &why);
        if (r == ERR_OK)
            *ret = arena_str(a, slice_trim(buf_slice(&out)));
        else if (last || r != ERR_FAILED)
            return err_set(err, r == ERR_FAILED ? ERR_NOT_FOUND : r,
                           "'%s' has no branch, tag or commit '%s'%s%s", folder, ref,
                           r == ERR_FAILED ? "" : ": ", r == ERR_FAILED ? "" : why.text);
    }
    return r;
}

/* Out of the tree that the store has of that commit. */
static int read_stored(const struct local_files *f, const struct call_ref *ref, struct arena *a,
                       struct buf *to, const char **ret_sha, struct err *err)
{
    CLEANUP(fd_closep) int root = -1;
    struct store_entry entry;
    struct action_ref wanted;
    struct err why = ERR_INIT;
    const char *uses = arena_printf(a, "%s@%s", ref->repository, ref->ref);

    if (!f->store)
        return err_set(
            err, ERR_NOT_FOUND,
            "there is no local clone of '%s': name one with --local-repository %s=FOLDER",
            ref->repository, ref->repository);
    if (action_ref_parse(a, slice_of(uses), &wanted, err) < 0)
        return err->code;
    if (store_fetch(f->store, &wanted, f->stop, a, &entry, &why) < 0)
        return err_set(err, why.code,
                       "'%s@%s': %s. A clone would do, too: --local-repository %s=FOLDER",
                       ref->repository, ref->ref, why.text, ref->repository);
    if (path_open(AT_FDCWD, entry.path, O_PATH | O_DIRECTORY, 0, &root, err) < 0)
        return err->code;
    if (path_read(root, ref->path, to, &why) < 0)
        return err_set(err, why.code, "there is no '%s' at '%s' in '%s'", ref->path, ref->ref,
                       ref->repository);
    if (entry.note && f->notes)
        json_array_append_new(f->notes, json_string(arena_printf(a, "%s: %s", uses, entry.note)));
    *ret_sha = arena_str(a, slice_of(entry.sha));
    return ERR_OK;
}

static int read_clone(const struct local_files *f, const struct call_ref *ref, struct arena *a,
                      struct buf *to, const char **ret_sha, struct err *err)
{
    const char *folder = clone_of(f, ref->repository), *sha = NULL;
    struct err why = ERR_INIT;

    if (!folder)
        return read_stored(f, ref, a, to, ret_sha, err);
    if (find_commit(f, folder, ref->ref, a, &sha, err) != ERR_OK)
        return err->code;
    const char *const args[] = {"cat-file", "blob", arena_printf(a, "%s:%s", sha, ref->path), NULL};
    if (git_run(f->git_env, folder, args, to, &why) != ERR_OK)
        return err_set(err, why.code, "there is no '%s' at '%s' in '%s'", ref->path, ref->ref,
                       folder);
    *ret_sha = sha;
    return ERR_OK;
}

static int read_file(void *ctx, const struct call_ref *ref, struct arena *a, struct buf *to,
                     const char **ret_sha, struct err *err)
{
    const struct local_files *f = ctx;

    return ref->repository ? read_clone(f, ref, a, to, ret_sha, err)
                           : read_own(f, ref->path, to, err);
}

struct call_source local_files_source(struct local_files *f)
{
    return (struct call_source){.read = read_file, .ctx = f};
}
