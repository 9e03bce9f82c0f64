/* What lies behind the signed addresses: uploads as to an Azure block blob, and downloads (runtime contract 13.3 and
 * 13.4). */
#include "serve/exchange.h"

#include "base/num.h"

/* The one piece of a blob that comes whole. No block has this id: it is no Base64. */
#define WHOLE "(whole)"

static bool is_cache(const struct exchange *x)
{
    return strncmp(x->request->path, "/ostler/caches/", 15) == 0;
}

/* NULL after a reply. */
static struct upload *take_upload(struct exchange *x)
{
    struct upload *u = NULL;
    struct err err = ERR_INIT;
    int64_t id;

    if (num_parse_i64(slice_of(x->wild[0]), 1, INT64_MAX, &id, &err) == ERR_OK)
        u = is_cache(x) ? caches_upload(x->site->caches, id)
                        : artifacts_upload(x->site->artifacts, id);
    if (!u)
        exchange_fail(x, 404, "BlobNotFound", "nothing is being uploaded here any more");
    return u;
}

static bool has_comp(const struct exchange *x, const char *wanted)
{
    const char *comp = exchange_query(x, "comp");

    return wanted ? comp && strcmp(comp, wanted) == 0 : !comp;
}

/* Three requests share a method and a path; the list of blocks is a piece that is read instead of kept. */
static void put_begin(struct exchange *x)
{
    const char *id = has_comp(x, "block") ? exchange_query(x, "blockid") : WHOLE;
    const char *type = exchange_header(x, "x-ms-blob-type");
    struct upload *u = take_upload(x);
    struct err err = ERR_INIT;

    if (!u || has_comp(x, "blocklist"))
        return;
    if (!has_comp(x, "block") && !has_comp(x, NULL))
        exchange_fail(x, 400, "InvalidQueryParameterValue", "'%.50s' cannot be done with a blob",
                      exchange_query(x, "comp"));
    else if (!id || !*id)
        exchange_fail(x, 400, "MissingRequiredQueryParameter", "a block has a 'blockid'");
    else if (has_comp(x, NULL) && type && strcmp(type, "BlockBlob") != 0)
        exchange_fail(x, 400, "InvalidBlobType", "blobs of the type '%.50s' are not kept here",
                      type);
    else if (piece_new(u, slice_of(id), &x->piece, &err) < 0)
        exchange_fail_err(x, &err);
}

static void put_list(struct exchange *x, struct upload *u)
{
    struct err err = ERR_INIT;
    struct slice *names;
    size_t n;

    if (blocks_parse(&x->arena, buf_slice(&x->body), &names, &n, &err) < 0)
        exchange_fail(x, 400, "InvalidXmlDocument", "%s", err.text);
    else
        exchange_assemble(x, u, is_cache(x), names, n);
}

static void put_end(struct exchange *x)
{
    struct upload *u = take_upload(x);
    const struct slice whole = SLICE(WHOLE);
    struct err err = ERR_INIT;

    if (!u)
        return;
    if (has_comp(x, "blocklist")) {
        put_list(x, u);
        return;
    }
    if (piece_keep(x->piece, &err) < 0)
        exchange_fail_err(x, &err);
    else if (has_comp(x, "block"))
        exchange_empty(x, 201);
    else
        exchange_assemble(x, u, is_cache(x), &whole, 1);
}

static void put_done(struct exchange *x)
{
    exchange_empty(x, 201);
}

static void get_artifact(struct exchange *x)
{
    const struct artifact *one = NULL;
    struct err err = ERR_INIT;
    int64_t id;
    int fd;

    if (num_parse_i64(slice_of(x->wild[0]), 1, INT64_MAX, &id, &err) == ERR_OK)
        one = artifacts_find_id(x->site->artifacts, id);
    if (!one || !one->digest) {
        exchange_fail(x, 404, "BlobNotFound", "the artifact is not there any more");
        return;
    }
    if (artifacts_read(x->site->artifacts, one, &fd, &err) < 0) {
        exchange_fail_err(x, &err);
        return;
    }
    /* "zip" is what the first clients called it */
    exchange_file(x, fd, strcmp(one->mime, "zip") == 0 ? "application/zip" : one->mime);
    exchange_set_file_name(x, one->file);
}

static void get_cache(struct exchange *x)
{
    struct err err = ERR_INIT;
    int fd;

    if (caches_read(x->site->caches, x->wild[0], &fd, &err) < 0)
        exchange_fail(x, 404, "BlobNotFound", "%s", err.text);
    else
        exchange_file(x, fd, "application/octet-stream");
}

#define UPLOAD .body = BODY_BLOB, .begin = put_begin, .end = put_end, .done = put_done, .xml = true

const struct service blob_services[] = {
    {"PUT", "/ostler/artifacts/*", AUTH_WRITE, UPLOAD},
    {"PUT", "/ostler/caches/*", AUTH_WRITE, UPLOAD},
    {"GET", "/ostler/artifacts/*", AUTH_READ, BODY_NONE, .end = get_artifact, .xml = true},
    {"GET", "/ostler/blobs/*", AUTH_READ, BODY_NONE, .end = get_cache, .xml = true},
    {0},
};
