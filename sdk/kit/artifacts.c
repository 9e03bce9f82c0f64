/* ostler.artifacts/1 for tests of plugins: kept in memory, from run to run. */
#include "kit/own.h"

#include "base/path.h"
#include "lib/json.h"
#include "plugin/transcript.h"

#include <fcntl.h>

struct kit_file {
    char *path, *content;
    size_t size;
};

struct kit_artifact {
    int64_t id, size;
    char *name, *digest, *came;
    bool raw, kept, gone; /* KEPT: of before the rounds of faults; GONE: removed since */
    VEC(struct kit_file) files;
};

static struct kit_artifact *find_artifact(const struct ost_test *t, const char *name, int64_t id)
{
    VEC_EACH (a, &t->artifacts)
        if (!(*a)->gone && (name ? strcmp((*a)->name, name) == 0 : (*a)->id == id))
            return *a;
    return NULL;
}

static void free_artifact(struct kit_artifact *a)
{
    VEC_EACH (file, &a->files) {
        free(file->path);
        free(file->content);
    }
    vec_deinit(&a->files);
    free(a->name);
    free(a->digest);
    free(a->came);
    free(a);
}

static void remove_at(struct ost_test *t, size_t i)
{
    free_artifact(t->artifacts.ptr[i]);
    vec_remove(&t->artifacts, i);
}

static struct kit_artifact *add_artifact(struct ost_test *t, const char *name, bool raw)
{
    struct kit_artifact *a = mem_new(sizeof *a);
    char digest[65];

    a->id = ++t->last_id;
    snprintf(digest, sizeof digest, "%064llx", (long long)a->id);
    a->name = kit_copy(name);
    a->digest = kit_copy(digest);
    a->came = kit_copy(digest);
    a->raw = raw;
    vec_push(&t->artifacts, a);
    return a;
}

static void add_file(struct kit_artifact *a, const char *path, struct slice content)
{
    vec_push(&a->files,
             (struct kit_file){kit_copy(path), mem_dup(content.ptr, content.len), content.len});
    a->size += (int64_t)content.len;
}

/* TO is filled in as far as the plugin knows it; NULL: it does not want to know. */
static void give(struct ost_test *t, const struct kit_artifact *a, const char *digest,
                 struct ost_artifact *to)
{
    if (!to)
        return;
    if (!to->struct_size)
        kit_broken(t, "an artifact's answer without a size");
    struct ost_artifact all = {
        .struct_size = to->struct_size,
        .zip = !a->raw,
        .id = a->id,
        .size = a->size,
        .created = 1767225600 + a->id, /* one second after the other, from 2026 on */
        .name = kit_keep_text(t, a->name),
        .digest = kit_keep_text(t, digest),
    };

    memcpy(to, &all, to->struct_size < sizeof all ? to->struct_size : sizeof all);
}

/* ---- what a transcript has of them ---- */

static struct ost_artifact played(const struct json *a)
{
    return (struct ost_artifact){
        .struct_size = sizeof(struct ost_artifact),
        .zip = (int32_t)kit_int(a, "zip"),
        .id = kit_int(a, "id"),
        .size = kit_int(a, "size"),
        .created = kit_int(a, "created"),
        .name = json_text(a, "name"),
        .digest = json_text(a, "digest"),
    };
}

/* ASK is taken. */
static ost_status play_one(struct ost_test *t, const char *call, struct buf *ask,
                           struct ost_artifact *ret)
{
    ost_status r = OST_OK;
    struct ost_artifact all = played(kit_play(t, call, ask, &r));

    if (ret && r == OST_OK) {
        all.struct_size = ret->struct_size;
        memcpy(ret, &all, ret->struct_size < sizeof all ? ret->struct_size : sizeof all);
    }
    return r;
}

static ost_status play_list(struct ost_test *t, const struct ost_artifact *const **items, size_t *n)
{
    struct buf ask = BUF_INIT(64);
    ost_status r = OST_OK;

    transcript_pair(&ask, NULL, NULL, NULL, NULL);
    const struct json *list = json_get(kit_play(t, "artifacts.list", &ask, &r), "items");
    (void)kit_texts(t, list, n);
    const struct ost_artifact **all = kit_keep(t, mem_new((*n + 1) * sizeof *all));
    *items = all;
    for (const struct json *a = list ? list->first : NULL; a; a = a->next) {
        struct ost_artifact *one = kit_keep(t, mem_new(sizeof *one));

        *one = played(a);
        *all++ = one;
    }
    return r;
}

/* ---- list ---- */

/* The newest first. */
static void give_list(struct ost_test *t, const struct ost_artifact *const **items, size_t *n)
{
    const struct ost_artifact **list = kit_keep(t, mem_new((t->artifacts.len + 1) * sizeof *list));

    *items = list;
    *n = 0;
    for (size_t i = t->recording ? 0 : t->artifacts.len; i > 0; i--) {
        const struct kit_artifact *a = t->artifacts.ptr[i - 1];

        if (a->gone)
            continue;
        struct ost_artifact *one = kit_keep(t, mem_new(sizeof *one));
        one->struct_size = sizeof *one;
        give(t, a, a->digest, one);
        list[(*n)++] = one;
    }
}

static ost_status artifacts_list(struct ost_step *step, const struct ost_artifact *const **items,
                                 size_t *n)
{
    struct ost_test *t = kit_host(step);
    ost_status r = kit_begin(t, "artifacts.list", kit_copy("artifacts.list"));

    if (r == OST_OK && t->playing)
        r = play_list(t, items, n);
    else if (r == OST_OK)
        give_list(t, items, n);
    kit_leave(t);
    return r;
}

/* ---- upload ---- */

static char *ask_upload(const struct ost_artifact_upload *u)
{
    struct buf line = BUF_INIT(16 << 20);

    buf_printf(&line, "artifacts.upload %s root=%s", u->name, u->root);
    kit_add_list(&line, "files", u->files);
    buf_printf(&line, " days=%d level=%d%s", (int)u->days, (int)u->level,
               u->flags & OST_ARTIFACT_RAW ? " raw" : "");
    return buf_take(&line);
}

static ost_status take_files(struct ost_test *t, struct kit_artifact *a,
                             const struct ost_artifact_upload *u)
{
    for (size_t i = 0; u->files[i]; i++) {
        CLEANUP(buf_deinit) struct buf content = BUF_INIT(64 << 20);
        const char *name = path_below(u->files[i], u->root);
        struct err err = ERR_INIT;

        if (!name)
            return kit_refuse(t, OST_E_IO, "a file is not below the root");
        if (path_read(AT_FDCWD, u->files[i], &content, &err) < 0)
            return kit_refuse(t, OST_E_IO, err.text);
        add_file(a, name, buf_slice(&content));
    }
    return OST_OK;
}

static ost_status upload(struct ost_test *t, const struct ost_artifact_upload *u,
                         struct ost_artifact *ret)
{
    struct buf ask = BUF_INIT(2 * TRANSCRIPT_LINE_MAX);

    if (t->recording)
        return OST_OK;
    if (t->playing) {
        transcript_upload(&ask, u);
        return play_one(t, "artifacts.upload", &ask, ret);
    }
    if (find_artifact(t, u->name, 0))
        return kit_refuse(t, OST_E_DENIED, "an artifact with this name already exists");
    struct kit_artifact *a = add_artifact(t, u->name, u->flags & OST_ARTIFACT_RAW);
    ost_status r = take_files(t, a, u);
    if (r == OST_OK)
        give(t, a, a->digest, ret);
    a->gone = r < 0;
    return r;
}

static ost_status artifacts_upload(struct ost_step *step, const struct ost_artifact_upload *given,
                                   struct ost_artifact *ret)
{
    struct ost_test *t = kit_host(step);
    struct ost_artifact_upload u = {0};

    memcpy(&u, given, given->struct_size < sizeof u ? given->struct_size : sizeof u);
    ost_status r = kit_begin(t, "artifacts.upload", ask_upload(&u));
    if (!u.struct_size || !u.name || !u.root || !u.files || !u.files[0])
        kit_broken(t, "artifacts.upload without a size, a name, a root or a file");
    else if (r == OST_OK)
        r = upload(t, &u, ret);
    kit_leave(t);
    return r;
}

/* ---- download, remove ---- */

static ost_status write_files(struct ost_test *t, const struct kit_artifact *a, const char *dir)
{
    struct err err = ERR_INIT;

    VEC_EACH (file, &a->files) {
        CLEANUP(free_ptr) char *path = path_join(dir, file->path);
        char *slash = strrchr(path, '/');

        *slash = '\0';
        int r = path_mkdirs(AT_FDCWD, path, 0755, &err);
        *slash = '/';
        if (r == ERR_OK)
            r = path_write(AT_FDCWD, path, slice_make(file->content, file->size), 0644, &err);
        if (r < 0)
            return kit_refuse(t, OST_E_IO, err.text);
    }
    return OST_OK;
}

static ost_status download(struct ost_test *t, const struct ost_artifact_download *d,
                           struct ost_artifact *ret)
{
    const struct kit_artifact *a = find_artifact(t, NULL, d->id);
    struct buf ask = BUF_INIT(1 << 20);

    if (t->recording)
        return OST_OK;
    if (t->playing) {
        transcript_download(&ask, d);
        return play_one(t, "artifacts.download", &ask, ret);
    }
    if (!a)
        return kit_refuse(t, OST_E_NOT_FOUND, "there is no such artifact");
    ost_status r = write_files(t, a, d->dir);
    if (r == OST_OK)
        give(t, a, a->came, ret);
    return r;
}

static ost_status artifacts_download(struct ost_step *step,
                                     const struct ost_artifact_download *given,
                                     struct ost_artifact *ret)
{
    struct ost_test *t = kit_host(step);
    struct ost_artifact_download d = {0};
    struct buf line = BUF_INIT(1 << 16);

    memcpy(&d, given, given->struct_size < sizeof d ? given->struct_size : sizeof d);
    buf_printf(&line, "artifacts.download %lld dir=%s%s", (long long)d.id, d.dir,
               d.flags & OST_ARTIFACT_RAW ? " raw" : "");
    ost_status r = kit_begin(t, "artifacts.download", buf_take(&line));
    if (!d.struct_size || !d.dir)
        kit_broken(t, "artifacts.download without a size or a folder");
    else if (r == OST_OK)
        r = download(t, &d, ret);
    kit_leave(t);
    return r;
}

static ost_status artifacts_remove(struct ost_step *step, const char *name)
{
    struct ost_test *t = kit_host(step);
    struct buf line = BUF_INIT(1 << 16);

    buf_printf(&line, "artifacts.remove %s", name);
    ost_status r = kit_begin(t, "artifacts.remove", buf_take(&line));
    struct kit_artifact *a = t->recording || t->playing ? NULL : find_artifact(t, name, 0);
    struct buf ask = BUF_INIT(1 << 20);

    if (r == OST_OK && t->playing) {
        transcript_pair(&ask, "name", name, NULL, NULL);
        r = play_one(t, "artifacts.remove", &ask, NULL);
    } else if (r == OST_OK && !a && !t->recording)
        r = kit_refuse(t, OST_E_NOT_FOUND, "there is no such artifact");
    if (r == OST_OK && a)
        a->gone = true;
    kit_leave(t);
    return r;
}

const struct ost_artifacts_v1 kit_artifacts = {
    .struct_size = sizeof kit_artifacts,
    .list = artifacts_list,
    .upload = artifacts_upload,
    .download = artifacts_download,
    .remove = artifacts_remove,
};

/* ---- the test's side ---- */

int64_t ost_test_artifact(struct ost_test *t, const struct ost_test_upload *given)
{
    struct kit_artifact *a = add_artifact(t, given->name, given->raw);

    for (size_t i = 0; given->files && given->files[i]; i += 2)
        add_file(a, given->files[i], slice_of(given->files[i + 1]));
    if (given->digest) {
        free(a->digest);
        a->digest = kit_copy(given->digest);
    }
    if (given->came) {
        free(a->came);
        a->came = kit_copy(given->came);
    }
    return a->id;
}

bool ost_test_has_artifact(const struct ost_test *t, const char *name)
{
    return find_artifact(t, name, 0);
}

const char *ost_test_artifact_file(const struct ost_test *t, const char *name, const char *file)
{
    const struct kit_artifact *a = find_artifact(t, name, 0);

    if (a)
        VEC_EACH (f, &a->files)
            if (strcmp(f->path, file) == 0)
                return f->content;
    return NULL;
}

void kit_artifacts_mark(struct ost_test *t)
{
    VEC_EACH (a, &t->artifacts)
        (*a)->kept = !(*a)->gone;
}

void kit_artifacts_reset(struct ost_test *t)
{
    for (size_t i = t->artifacts.len; i > 0; i--) {
        struct kit_artifact *a = t->artifacts.ptr[i - 1];

        a->gone = false;
        if (!a->kept)
            remove_at(t, i - 1);
    }
}

void kit_artifacts_deinit(struct ost_test *t)
{
    while (t->artifacts.len)
        remove_at(t, t->artifacts.len - 1);
    vec_deinit(&t->artifacts);
}
