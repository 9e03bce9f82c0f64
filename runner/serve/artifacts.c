#include "serve/artifacts_state.h"

#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <time.h>
#include <unistd.h>

#define FOLDER "artifacts"
#define INDEX ".index"
#define STAGING ".staging"
#define ZIP "application/zip"

enum { ENTRY_MAX = 16 << 10, FILE_NAME_MAX = 240, COPIES_MAX = 1000 };

/* ---- one ---- */

static char *copy(const char *text)
{
    return text ? mem_dup(text, strlen(text)) : NULL;
}

static struct artifact *artifact_free(struct artifact *one)
{
    free(one->name);
    free(one->job);
    free(one->mime);
    free(one->file);
    free(one->created);
    free(one->digest);
    VEC_EACH (file, &one->files)
        free(file->path);
    vec_deinit(&one->files);
    free(one);
    return NULL;
}

static const char *member(const json_t *json, const char *name)
{
    return json_string_value(json_object_get(json, name));
}

const char *upload_about(const struct upload *u, const char *name)
{
    const char *text = member(u->about, name);
    return text ? text : "";
}

static json_t *artifact_json(const struct artifact *one)
{
    json_t *json = json_pack("{s:I, s:s, s:s, s:s, s:s, s:s, s:I}", "id", (json_int_t)one->id,
                             "name", one->name, "job", one->job, "mime", one->mime, "file",
                             one->file, "created", one->created, "size", (json_int_t)one->size);

    if (one->digest)
        json_object_set_new(json, "sha256", json_string(one->digest));
    if (one->folder) {
        json_object_set_new(json, "folder", json_true());
        json_object_set_new(json, "open", json_boolean(one->open));
    }
    return json;
}

/* NULL: JSON is not what artifact_json() makes. */
static struct artifact *artifact_of(const json_t *json)
{
    struct artifact *one = mem_new(sizeof *one);

    *one = (struct artifact){
        .id = json_integer_value(json_object_get(json, "id")),
        .name = copy(member(json, "name")),
        .job = copy(member(json, "job")),
        .mime = copy(member(json, "mime")),
        .file = copy(member(json, "file")),
        .created = copy(member(json, "created")),
        .digest = copy(member(json, "sha256")),
        .size = json_integer_value(json_object_get(json, "size")),
        .folder = json_is_true(json_object_get(json, "folder")),
        .open = json_is_true(json_object_get(json, "open")),
    };
    if (one->id < 1 || !one->name || !one->job || !one->mime || !one->file || !one->created ||
        one->folder == !!one->digest || strchr(one->file, '/') || one->file[0] == '.')
        return artifact_free(one);
    return one;
}

int artifact_check_name(struct slice name, struct err *err)
{
    static const char bad[] = "\":<>|*?\\/";

    if (!name.len || name.len > ARTIFACT_NAME_MAX)
        return err_set(err, ERR_INVALID, "an artifact's name has 1 to %d bytes", ARTIFACT_NAME_MAX);
    for (size_t i = 0; i < name.len; i++)
        if ((unsigned char)name.ptr[i] < ' ' || strchr(bad, name.ptr[i]))
            return err_set(err, ERR_INVALID,
                           "the artifact name '%.*s' holds a character that may not be in one: "
                           "\" : < > | * ? \\ / and line ends",
                           SLICE_ARG(slice_head(name, 80)));
    return ERR_OK;
}

/* ---- the folder ---- */

static int open_folder(int dir, const char *name, int *ret, struct err *err)
{
    *ret = openat(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return *ret < 0 ? err_sys(err, "cannot open '" FOLDER "/%s' of the run", name) : ERR_OK;
}

static void load_entry(struct artifacts *a, const char *name)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(ENTRY_MAX);
    struct err ignored = ERR_INIT; /* a broken entry is none */
    struct stat st;

    if (!slice_ends(slice_of(name), SLICE(".json")) || a->list.len >= ARTIFACTS_MAX ||
        path_read(a->index, name, &text, &ignored) < 0)
        return;
    json_t *json = json_loadb(text.ptr, text.len, 0, NULL);
    struct artifact *one = artifact_of(json);
    json_decref(json);
    if (!one)
        return;
    if (fstatat(a->dir, one->file, &st, AT_SYMLINK_NOFOLLOW) < 0 ||
        (one->digest && st.st_size != one->size)) {
        artifact_free(one);
        return;
    }
    if (one->folder)
        artifacts_load_files(a, one);
    if (one->id > a->last_id)
        a->last_id = one->id;
    vec_push(&a->list, one);
}

static int by_id(const void *x, const void *y)
{
    const struct artifact *a = *(struct artifact *const *)x, *b = *(struct artifact *const *)y;

    return a->id < b->id ? -1 : a->id > b->id;
}

static int load(struct artifacts *a, struct err *err)
{
    int list_fd = openat(a->index, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *list = list_fd < 0 ? NULL : fdopendir(list_fd);

    if (!list) {
        fd_closep(&list_fd);
        return err_sys(err, "cannot read '" FOLDER "/" INDEX "' of the run");
    }
    for (const struct dirent *e; (e = readdir(list));)
        load_entry(a, e->d_name);
    closedir(list);
    if (a->list.len)
        qsort(a->list.ptr, a->list.len, sizeof *a->list.ptr, by_id);
    return ERR_OK;
}

/* Makes and opens what is needed for a first artifact. */
static int make_folder(struct artifacts *a, struct err *err)
{
    int staging = -1;

    if (a->stage)
        return ERR_OK;
    int r = path_mkdirs(a->run, FOLDER "/" INDEX, 0700, err);
    if (r == ERR_OK)
        r = path_mkdirs(a->run, FOLDER "/" STAGING, 0700, err);
    if (r == ERR_OK && a->dir < 0)
        r = open_folder(a->run, FOLDER, &a->dir, err);
    if (r == ERR_OK && a->index < 0)
        r = open_folder(a->dir, INDEX, &a->index, err);
    if (r == ERR_OK)
        r = open_folder(a->dir, STAGING, &staging, err);
    if (r == ERR_OK && (r = stage_open(staging, &a->stage, err)) < 0)
        fd_closep(&staging);
    return r;
}

int artifacts_open(int take_dir, struct artifacts **ret, struct err *err)
{
    struct artifacts *a = mem_new(sizeof *a);
    struct stat st;
    int r = ERR_OK;

    *a = (struct artifacts){.run = take_dir, .dir = -1, .index = -1};
    if (fstatat(take_dir, FOLDER "/" INDEX, &st, AT_SYMLINK_NOFOLLOW) == 0) {
        r = make_folder(a, err);
        if (r == ERR_OK)
            r = load(a, err);
    }
    if (r < 0) {
        a->run = -1;
        artifacts_free(a);
        return r;
    }
    *ret = a;
    return ERR_OK;
}

struct artifacts *artifacts_free(struct artifacts *a)
{
    if (!a)
        return NULL;
    VEC_EACH (one, &a->list)
        artifact_free(*one);
    vec_deinit(&a->list);
    stage_free(a->stage);
    fd_closep(&a->index);
    fd_closep(&a->dir);
    fd_closep(&a->run);
    free(a);
    return NULL;
}

void artifacts_close(struct artifacts *a)
{
    struct err ignored = ERR_INIT; /* it is only in the way of nobody */

    if (!a->stage)
        return;
    a->stage = stage_free(a->stage);
    (void)!path_remove(a->dir, STAGING, &ignored);
}

/* ---- asking ---- */

size_t artifacts_count(const struct artifacts *a)
{
    return a->list.len;
}

const struct artifact *artifacts_at(const struct artifacts *a, size_t i)
{
    return a->list.ptr[i];
}

const struct artifact *artifacts_find(const struct artifacts *a, const char *name)
{
    VEC_EACH (one, &a->list) {
        if (strcmp((*one)->name, name) == 0)
            return *one;
    }
    return NULL;
}

const struct artifact *artifacts_find_id(const struct artifacts *a, int64_t id)
{
    VEC_EACH (one, &a->list) {
        if ((*one)->id == id)
            return *one;
    }
    return NULL;
}

/* ---- uploads ---- */

int artifacts_create(struct artifacts *a, const char *name, const char *job, const char *mime,
                     struct upload **ret, struct err *err)
{
    if (a->list.len >= ARTIFACTS_MAX)
        return err_set(err, ERR_LIMIT, "the run has %d artifacts already", ARTIFACTS_MAX);
    int r = make_folder(a, err);
    if (r < 0)
        return r;
    return stage_add(
        a->stage, a->last_id + 1,
        json_pack("{s:s, s:s, s:s}", "name", name, "job", job, "mime", mime ? mime : ZIP), ret,
        err);
}

struct upload *artifacts_upload(struct artifacts *a, int64_t id)
{
    return a->stage ? stage_find(a->stage, id) : NULL;
}

struct upload *artifacts_upload_named(struct artifacts *a, const char *name, const char *job)
{
    struct upload *newest = NULL;

    for (struct upload *u = a->stage ? stage_first(a->stage) : NULL; u; u = u->next)
        if (strcmp(upload_about(u, "name"), name) == 0 &&
            strcmp(upload_about(u, "job"), job) == 0 && (!newest || u->id > newest->id))
            newest = u;
    return newest;
}

void artifacts_drop_uploads(struct artifacts *a, const char *job)
{
    for (struct upload *u = a->stage ? stage_first(a->stage) : NULL, *next; u; u = next) {
        next = u->next;
        if (strcmp(upload_about(u, "job"), job) == 0)
            stage_drop(u);
    }
}

static bool is_zip(const char *mime)
{
    return strcmp(mime, ZIP) == 0 || strcmp(mime, "zip") == 0 ||
           strcmp(mime, "application/x-zip-compressed") == 0 ||
           strcmp(mime, "application/zip-compressed") == 0;
}

/* A name that no other file has: the artifact's own wherever that can be. */
static char *free_name(const struct artifacts *a, const char *name, const char *mime, int64_t id)
{
    bool zip = is_zip(mime) && !slice_ends(slice_of(name), SLICE(".zip"));
    char plain[32];
    struct stat st;

    snprintf(plain, sizeof plain, "artifact-%" PRId64, id);
    if (strlen(name) > FILE_NAME_MAX)
        name = plain;
    for (int n = 1; n <= COPIES_MAX; n++) {
        struct buf file = BUF_INIT(FILE_NAME_MAX + 16);

        if (name[0] == '.') /* the names of our own folders, and "..", begin so */
            buf_add_char(&file, '_');
        buf_add_str(&file, name);
        if (n > 1)
            buf_printf(&file, "-%d", n);
        buf_add_str(&file, zip ? ".zip" : "");
        if (fstatat(a->dir, file.ptr, &st, AT_SYMLINK_NOFOLLOW) < 0 && errno == ENOENT)
            return buf_take(&file);
        buf_deinit(&file);
    }
    return copy(plain);
}

static char *now_text(void)
{
    struct timespec now;
    struct tm tm;
    char text[32];

    clock_gettime(CLOCK_REALTIME, &now);
    gmtime_r(&now.tv_sec, &tm);
    strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &tm);
    return copy(text);
}

int artifacts_write_entry(const struct artifacts *a, const struct artifact *one, struct err *err)
{
    json_t *json = artifact_json(one);
    CLEANUP(free_ptr) char *text = json_dumps(json, JSON_INDENT(2));
    char name[40];

    json_decref(json);
    snprintf(name, sizeof name, "%" PRId64 ".json", one->id);
    return path_write(a->index, name, slice_of(text), 0600, err);
}

static struct artifact *artifact_new(const struct artifacts *a, int64_t id, const char *name,
                                     const char *job, const char *mime)
{
    struct artifact *one = mem_new(sizeof *one);

    *one = (struct artifact){
        .id = id,
        .name = copy(name),
        .job = copy(job),
        .mime = copy(mime),
        .file = free_name(a, name, mime, id),
        .created = now_text(),
    };
    return one;
}

static void add(struct artifacts *a, struct artifact *one)
{
    vec_push(&a->list, one);
    if (one->id > a->last_id)
        a->last_id = one->id;
}

int artifacts_finish(struct artifacts *a, struct upload *u, const struct artifact **ret,
                     struct err *err)
{
    struct artifact *one = artifact_new(a, u->id, upload_about(u, "name"), upload_about(u, "job"),
                                        upload_about(u, "mime"));

    one->digest = copy(u->digest);
    one->size = u->size;
    int r = upload_move(u, a->dir, one->file, err);
    if (r == ERR_OK)
        r = artifacts_write_entry(a, one, err);
    if (r < 0) {
        artifact_free(one);
        return r;
    }
    stage_drop(u);
    add(a, one);
    *ret = one;
    return ERR_OK;
}

int artifacts_add(struct artifacts *a, const char *name, const char *job, const char *mime,
                  struct artifact **ret, struct err *err)
{
    if (a->list.len >= ARTIFACTS_MAX)
        return err_set(err, ERR_LIMIT, "the run has %d artifacts already", ARTIFACTS_MAX);
    int r = make_folder(a, err);
    if (r < 0)
        return r;
    *ret = artifact_new(a, stage_next_id(a->stage, a->last_id + 1), name, job, mime);
    add(a, *ret);
    return ERR_OK;
}

int artifacts_read(const struct artifacts *a, const struct artifact *one, int *ret, struct err *err)
{
    int fd = openat(a->dir, one->file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (fd < 0)
        return err_sys(err, "cannot open the artifact '%s'", one->name);
    *ret = fd;
    return ERR_OK;
}

int artifacts_delete(struct artifacts *a, const struct artifact *one, struct err *err)
{
    char name[40];

    snprintf(name, sizeof name, "%" PRId64 ".json", one->id);
    if (unlinkat(a->index, name, 0) < 0 && errno != ENOENT)
        return err_sys(err, "cannot delete the artifact '%s'", one->name);
    struct err ignored = ERR_INIT; /* without its entry it is no artifact any more */
    (void)!path_remove(a->dir, one->file, &ignored);
    for (size_t i = 0; i < a->list.len; i++) {
        if (a->list.ptr[i] == one) {
            artifact_free(a->list.ptr[i]);
            vec_remove(&a->list, i);
            break;
        }
    }
    return ERR_OK;
}
