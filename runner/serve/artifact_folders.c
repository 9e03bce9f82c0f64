/* Folders: the artifacts of version 3 of the client, which uploads file by file and merges several uploads under one
 * name. */
#include "serve/artifacts_state.h"

#include "base/fd.h"
#include "base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <unistd.h>

enum { LIST_MAX = 512 << 20, LINE_MAX_SIZE = 8 * ARTIFACT_PATH_MAX };

static char *list_name(const struct artifact *folder)
{
    struct buf name = BUF_INIT(40);

    buf_printf(&name, "%" PRId64 ".files", folder->id);
    return buf_take(&name);
}

/* ---- the list of files ---- */

static struct artifact_file *find(const struct artifact *folder, const char *path)
{
    VEC_EACH (file, &folder->files) {
        if (strcmp(file->path, path) == 0)
            return file;
    }
    return NULL;
}

const struct artifact_file *artifact_file_find(const struct artifact *folder, const char *path)
{
    return find(folder, path);
}

static void set_file(struct artifact *folder, const char *path, int64_t size, bool gzip)
{
    struct artifact_file *known = find(folder, path);

    if (known) {
        folder->size -= known->size;
        known->size = size;
        known->gzip = gzip;
    } else {
        vec_push(&folder->files, (struct artifact_file){mem_dup(path, strlen(path)), size, gzip});
    }
    folder->size += size;
}

/* The last line may be half of one: its file was not told to be there. */
void artifacts_load_files(const struct artifacts *a, struct artifact *one)
{
    CLEANUP(free_ptr) char *name = list_name(one);
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(LIST_MAX);
    struct err ignored = ERR_INIT; /* without a list it is empty */
    struct slice rest, line;

    one->size = 0;
    if (path_read(a->index, name, &text, &ignored) < 0)
        return;
    rest = buf_slice(&text);
    while (slice_line(&rest, &line) && one->files.len < ARTIFACT_FILES_MAX) {
        json_t *file = json_loadb(line.ptr ? line.ptr : "", line.len, 0, NULL);
        const char *path = json_string_value(json_object_get(file, "path"));

        if (path)
            set_file(one, path, json_integer_value(json_object_get(file, "size")),
                     json_is_true(json_object_get(file, "gzip")));
        json_decref(file);
    }
}

static int append_file(const struct artifacts *a, const struct artifact *folder, const char *path,
                       int64_t size, bool gzip, struct err *err)
{
    CLEANUP(buf_deinit) struct buf line = BUF_INIT(LINE_MAX_SIZE);
    CLEANUP(free_ptr) char *name = list_name(folder);
    json_t *json =
        json_pack("{s:s, s:I, s:b}", "path", path, "size", (json_int_t)size, "gzip", gzip);
    CLEANUP(free_ptr) char *text = json_dumps(json, JSON_COMPACT);

    json_decref(json);
    buf_printf(&line, "%s\n", text);
    CLEANUP(fd_closep)
    int fd = openat(a->index, name, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_sys(err, "cannot write the list of '%s'", folder->name);
    return fd_write_all(fd, buf_slice(&line), err);
}

/* ---- folders ---- */

int artifacts_folder(struct artifacts *a, const char *name, const char *job, struct artifact **ret,
                     struct err *err)
{
    VEC_EACH (one, &a->list) {
        if (strcmp((*one)->name, name) != 0)
            continue;
        if (!(*one)->folder)
            return err_set(err, ERR_DENIED,
                           "the run has an artifact '%s' already, of a newer client", name);
        *ret = *one;
        return ERR_OK;
    }
    int r = artifacts_add(a, name, job, "inode/directory", ret, err);
    if (r < 0)
        return r;
    (*ret)->folder = (*ret)->open = true;
    r = path_mkdirs(a->dir, (*ret)->file, 0700, err);
    return r == ERR_OK ? artifacts_write_entry(a, *ret, err) : r;
}

struct artifact *artifacts_folder_id(struct artifacts *a, int64_t id)
{
    VEC_EACH (one, &a->list) {
        if ((*one)->id == id && (*one)->folder)
            return *one;
    }
    return NULL;
}

int artifacts_folder_close(struct artifacts *a, struct artifact *folder, struct err *err)
{
    folder->open = false;
    return artifacts_write_entry(a, folder, err);
}

/* ---- files ---- */

static int check_path(const char *path, struct err *err)
{
    struct slice rest = slice_of(path), part;

    if (!rest.len || rest.len > ARTIFACT_PATH_MAX)
        return err_set(err, ERR_INVALID, "a file's path has 1 to %d bytes", ARTIFACT_PATH_MAX);
    while (slice_split(&rest, '/', &part))
        if (!part.len || part.len > 250 || slice_eq(part, SLICE(".")) ||
            slice_eq(part, SLICE("..")))
            return err_set(err, ERR_INVALID, "'%.200s' is no path below an artifact", path);
    return ERR_OK;
}

static int64_t number(const struct upload *u, const char *name)
{
    return json_integer_value(json_object_get(u->about, name));
}

int artifacts_file_upload(struct artifacts *a, const struct artifact *folder, const char *job,
                          const char *path, int64_t size, bool gzip, struct upload **ret,
                          struct err *err)
{
    int r = check_path(path, err);

    if (r < 0)
        return r;
    for (struct upload *u = stage_first(a->stage); u; u = u->next) {
        if (number(u, "folder") != folder->id || strcmp(upload_about(u, "path"), path) != 0)
            continue;
        json_object_set_new(u->about, "size", json_integer(size));
        *ret = u;
        return ERR_OK;
    }
    if (folder->files.len >= ARTIFACT_FILES_MAX)
        return err_set(err, ERR_LIMIT, "the artifact has %d files already", ARTIFACT_FILES_MAX);
    json_t *about = json_pack("{s:I, s:s, s:s, s:I, s:b}", "folder", (json_int_t)folder->id, "job",
                              job, "path", path, "size", (json_int_t)size, "gzip", gzip);
    if (!about)
        return err_set(err, ERR_INVALID, "a file's path is not UTF-8");
    return stage_add(a->stage, a->last_id + 1, about, ret, err);
}

/* Where FILE lies below the artifacts' folder. */
static char *place_of(const struct artifact *folder, const char *path, bool gzip)
{
    struct buf place = BUF_INIT(ARTIFACT_PATH_MAX + 300);

    buf_printf(&place, "%s/%s%s", folder->file, path, gzip ? ".gz" : "");
    return buf_take(&place);
}

int artifacts_file_finish(struct artifacts *a, struct upload *u, struct err *err)
{
    struct artifact *folder = artifacts_folder_id(a, number(u, "folder"));
    const char *path = upload_about(u, "path");
    bool gzip = json_is_true(json_object_get(u->about, "gzip"));

    if (!folder)
        return err_set(err, ERR_NOT_FOUND, "the artifact is not there any more");
    CLEANUP(free_ptr) char *place = place_of(folder, path, gzip);
    CLEANUP(free_ptr) char *parent = mem_dup(place, strlen(place));
    *strrchr(parent, '/') = '\0';
    int r = path_mkdirs(a->dir, parent, 0700, err);
    if (r == ERR_OK)
        r = upload_move(u, a->dir, place, err);
    if (r == ERR_OK)
        r = append_file(a, folder, path, number(u, "size"), gzip, err);
    if (r < 0)
        return r;
    set_file(folder, path, number(u, "size"), gzip);
    stage_drop(u);
    return ERR_OK;
}

int artifact_file_read(const struct artifacts *a, const struct artifact *folder,
                       const struct artifact_file *file, int *ret, struct err *err)
{
    CLEANUP(free_ptr) char *place = place_of(folder, file->path, file->gzip);

    return path_open(a->dir, place, O_RDONLY | O_NOFOLLOW, 0, ret, err);
}
