/* Artifacts as version 3 of the client asks for them (runtime contract 13.5): containers that are filled file by
 * file. */
#include "serve/exchange.h"

#include "base/num.h"

#include <inttypes.h>

#define CONTAINERS "/_apis/resources/Containers/"
#define CONTENT "/_apis/resources/Files/"

static const char *address(struct exchange *x, const char *what, const struct artifact *folder)
{
    return arena_printf(&x->arena, "%s%s%" PRId64, x->request->base, what, folder->id);
}

static json_t *describe(struct exchange *x, const struct artifact *folder, int64_t size)
{
    const char *url = address(x, CONTAINERS, folder);

    return json_pack("{s:I, s:I, s:n, s:s, s:s, s:s, s:s}", "containerId", (json_int_t)folder->id,
                     "size", (json_int_t)size, "signedContent", "fileContainerResourceUrl", url,
                     "type", "actions_storage", "name", folder->name, "url", url);
}

static void create(struct exchange *x)
{
    const char *name = exchange_text(x, "Name");
    struct artifact *folder;
    struct err err = ERR_INIT;

    if (artifact_check_name(slice_of(name), &err) == ERR_OK)
        (void)!artifacts_folder(x->site->artifacts, name, exchange_claim(x, "job"), &folder, &err);
    if (err.code == ERR_DENIED)
        exchange_fail(x, 409, "already_exists", "%s", err.text);
    else if (err.code)
        exchange_fail_err(x, &err);
    else
        exchange_json(x, 201, describe(x, folder, -1));
}

static void list(struct exchange *x)
{
    json_t *all = json_array();

    for (size_t i = 0; i < artifacts_count(x->site->artifacts); i++) {
        const struct artifact *one = artifacts_at(x->site->artifacts, i);

        if (one->folder && !one->open)
            json_array_append_new(all, describe(x, one, one->size));
    }
    size_t n = json_array_size(all);
    exchange_json(x, 200, json_pack("{s:I, s:o}", "count", (json_int_t)n, "value", all));
}

static void finish(struct exchange *x)
{
    const char *name = exchange_query(x, "artifactName");
    const struct artifact *one = name ? artifacts_find(x->site->artifacts, name) : NULL;
    struct artifact *folder = one ? artifacts_folder_id(x->site->artifacts, one->id) : NULL;
    struct err err = ERR_INIT;

    if (!folder)
        exchange_fail(x, 404, "not_found", "nothing was uploaded under that name");
    else if (artifacts_folder_close(x->site->artifacts, folder, &err) < 0)
        exchange_fail_err(x, &err);
    else
        exchange_json(x, 200, json_pack("{s:s}", "message", "success"));
}

/* The container that the path names; NULL after a reply. */
static struct artifact *take_folder(struct exchange *x)
{
    struct artifact *folder = NULL;
    struct err err = ERR_INIT;
    int64_t id;

    if (num_parse_i64(slice_of(x->wild[0]), 1, INT64_MAX, &id, &err) == ERR_OK)
        folder = artifacts_folder_id(x->site->artifacts, id);
    if (!folder)
        exchange_fail(x, 404, "not_found", "there is no such container");
    return folder;
}

/* Below the folder: clients put its name in front. NULL: it is the folder itself. */
static const char *path_below(struct exchange *x, const struct artifact *folder)
{
    const char *wanted = exchange_query(x, "itemPath");
    size_t len = strlen(folder->name);

    if (!wanted)
        return NULL;
    char *path = arena_str(&x->arena, slice_of(wanted));
    for (char *c = path; (c = strchr(c, '\\'));) /* as Windows clients write them */
        *c = '/';
    if (strncmp(path, folder->name, len) == 0 && (path[len] == '/' || !path[len]))
        path += path[len] ? len + 1 : len;
    return *path ? path : NULL;
}

/* ---- uploading ---- */

static void put_begin(struct exchange *x)
{
    struct artifact *folder = take_folder(x);
    const char *encoding = exchange_header(x, "Content-Encoding");
    const char *plain = exchange_header(x, "x-tfs-filelength");
    bool gzip = encoding && strcmp(encoding, "gzip") == 0;
    struct err err = ERR_INIT;
    struct upload *u;
    int64_t size;

    if (!folder)
        return;
    const char *path = path_below(x, folder);
    if (range_parse_content(slice_of(exchange_header(x, "Content-Range")), &x->start, &x->size,
                            &x->total, &err) < 0 ||
        (x->total < 0 &&
         err_set(&err, ERR_INVALID, "the Content-Range has to tell the file's size"))) {
        exchange_fail_err(x, &err);
        return;
    }
    if (!gzip || !plain || num_parse_i64(slice_of(plain), 0, RANGE_SIZE_MAX, &size, &err) < 0)
        size = x->total;
    err = (struct err)ERR_INIT;
    const char *name = arena_printf(&x->arena, "%020" PRId64, x->start);
    if (artifacts_file_upload(x->site->artifacts, folder, exchange_claim(x, "job"),
                              path ? path : "", size, gzip, &u, &err) < 0 ||
        piece_new(u, slice_of(name), &x->piece, &err) < 0)
        exchange_fail_err(x, &err);
    else
        x->received = u->id;
}

static void put_end(struct exchange *x)
{
    struct upload *u = artifacts_upload(x->site->artifacts, x->received);
    struct err err = ERR_INIT;
    struct slice *names;
    int64_t have;
    size_t n;

    if (!u)
        exchange_fail(x, 404, "not_found", "the upload was given up");
    else if (piece_size(x->piece) != x->size)
        exchange_fail(x, 400, "invalid_argument",
                      "%" PRId64 " bytes have arrived and the Content-Range names %" PRId64,
                      piece_size(x->piece), x->size);
    else if (piece_keep(x->piece, &err) < 0)
        exchange_fail_err(x, &err);
    else if (upload_order(u, &x->arena, &names, &n, &have) && have == x->total)
        exchange_assemble(x, u, false, names, n);
    else /* more of it follows */
        exchange_json(x, 200, json_pack("{s:s}", "message", "success"));
}

static void put_done(struct exchange *x)
{
    struct upload *u = exchange_upload(x);
    struct err err = ERR_INIT;

    if (artifacts_file_finish(x->site->artifacts, u, &err) < 0)
        exchange_fail_err(x, &err);
    else
        exchange_json(x, 200, json_pack("{s:s}", "message", "success"));
}

/* ---- downloading ---- */

static void list_files(struct exchange *x)
{
    struct artifact *folder = take_folder(x);

    if (!folder)
        return;
    json_t *all = json_array();
    const char *url = address(x, CONTENT, folder);
    VEC_EACH (file, &folder->files) {
        const char *place =
            arena_printf(&x->arena, "%s?itemPath=%s", url, exchange_quote(x, file->path));

        json_array_append_new(
            all, json_pack("{s:I, s:o, s:s, s:s, s:I, s:s}", "containerId", (json_int_t)folder->id,
                           "path",
                           json_string(arena_printf(&x->arena, "%s/%s", folder->name, file->path)),
                           "itemType", "file", "status", "created", "fileLength",
                           (json_int_t)file->size, "contentLocation", place));
    }
    exchange_json(x, 200,
                  json_pack("{s:I, s:o}", "count", (json_int_t)folder->files.len, "value", all));
}

static void get_file(struct exchange *x)
{
    struct artifact *folder = take_folder(x);
    const char *path = folder ? exchange_query(x, "itemPath") : NULL;
    const struct artifact_file *file = path ? artifact_file_find(folder, path) : NULL;
    struct err err = ERR_INIT;
    int fd;

    if (!folder)
        return;
    if (!file) {
        exchange_fail(x, 404, "not_found", "the artifact has no such file");
    } else if (artifact_file_read(x->site->artifacts, folder, file, &fd, &err) < 0) {
        exchange_fail_err(x, &err);
    } else {
        exchange_file(x, fd, "application/octet-stream");
        if (file->gzip && x->reply.status == 200)
            strmap_set(&x->reply.headers, SLICE("Content-Encoding"), SLICE("gzip"));
    }
}

#define ARTIFACTS "/_apis/pipelines/workflows/*/artifacts"

const struct service folder_services[] = {
    {"POST", ARTIFACTS, AUTH_TOKEN, BODY_OBJECT, .end = create},
    {"PATCH", ARTIFACTS, AUTH_TOKEN, BODY_OBJECT, .end = finish},
    {"GET", ARTIFACTS, AUTH_TOKEN, BODY_NONE, .end = list},
    {"PUT", CONTAINERS "*", AUTH_TOKEN, BODY_BLOB, .begin = put_begin, .end = put_end,
     .done = put_done},
    {"GET", CONTAINERS "*", AUTH_TOKEN, BODY_NONE, .end = list_files},
    {"GET", CONTENT "*", AUTH_TOKEN, BODY_NONE, .end = get_file},
    {0},
};
