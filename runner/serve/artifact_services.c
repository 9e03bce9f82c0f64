/* Artifacts as version 4 of the client asks for them: twirp with JSON (runtime contract 13.2). */
#include "serve/exchange.h"

#include <inttypes.h>

#define METHOD(name) "/twirp/github.actions.results.api.v1.ArtifactService/" name

/* The requests carry the ids of run and job; the token says which are true. Those of another run are refused, and
 * another job's may be named when something of it is read. */
static bool check_run(struct exchange *x)
{
    const char *run = exchange_text(x, "workflow_run_backend_id");

    if (run && strcmp(run, exchange_claim(x, "run")) == 0)
        return true;
    exchange_fail(x, 403, "permission_denied", "the token is not for that run");
    return false;
}

/* The artifact's name in the request; NULL after a reply. */
static const char *take_name(struct exchange *x)
{
    const char *name = exchange_text(x, "name");
    struct err err = ERR_INIT;

    if (!check_run(x))
        return NULL;
    if (artifact_check_name(slice_of(name), &err) == ERR_OK)
        return name;
    exchange_fail_err(x, &err);
    return NULL;
}

static void conflict(struct exchange *x, const char *name)
{
    exchange_fail(x, 409, "already_exists",
                  "an artifact with this name already exists on the workflow run: '%s'", name);
}

/* It becomes a header's value. */
static bool is_type(const char *mime)
{
    return *mime && strlen(mime) <= 100 &&
           !mime[strspn(mime, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                              "/+-._;= ")];
}

static void create(struct exchange *x)
{
    const char *name = take_name(x), *mime = exchange_text(x, "mime_type");
    struct upload *u;
    struct err err = ERR_INIT;

    if (!name)
        return;
    if (mime && !is_type(mime)) {
        exchange_fail(x, 400, "invalid_argument", "'%.100s' is no media type", mime);
        return;
    }
    if (artifacts_find(x->site->artifacts, name)) {
        conflict(x, name);
        return;
    }
    /* before version 7 there was nothing but zips, and no type was told */
    if (artifacts_create(x->site->artifacts, name, exchange_claim(x, "job"), mime, &u, &err) < 0) {
        exchange_fail_err(x, &err);
        return;
    }
    const char *path = arena_printf(&x->arena, "/ostler/artifacts/%" PRId64, u->id);
    exchange_json(
        x, 200, json_pack("{s:b, s:s}", "ok", 1, "signed_upload_url", exchange_sign(x, "w", path)));
}

static void reply_id(struct exchange *x, const struct artifact *one)
{
    const char *id = arena_printf(&x->arena, "%" PRId64, one->id);

    exchange_json(x, 200, json_pack("{s:b, s:s}", "ok", 1, "artifact_id", id));
}

/* True if ONE is what X asks for: the answer to the first request was lost, and it is asked again. */
static bool is_finished(const struct exchange *x, const struct artifact *one, int64_t size,
                        const char *hash)
{
    return strcmp(one->job, exchange_claim(x, "job")) == 0 && one->digest && one->size == size &&
           (!hash || strcmp(hash, one->digest) == 0);
}

static void finish(struct exchange *x, struct upload *u, const char *name)
{
    const char *hash = exchange_text(x, "hash");
    int64_t size = exchange_number(x, "size");
    const struct artifact *one = artifacts_find(x->site->artifacts, name);
    struct err err = ERR_INIT;

    if (hash && strncmp(hash, "sha256:", 7) == 0)
        hash += 7;
    if (one && is_finished(x, one, size, hash))
        reply_id(x, one);
    else if (one)
        conflict(x, name);
    else if (!u)
        exchange_fail(x, 404, "not_found", "nothing is being uploaded under '%s'", name);
    else if (!u->whole)
        exchange_fail(x, 400, "failed_precondition", "the upload of '%s' is not complete", name);
    else if (size >= 0 && size != u->size)
        exchange_fail(x, 400, "invalid_argument",
                      "of '%s' %" PRId64 " bytes have arrived and %" PRId64 " were announced", name,
                      u->size, size);
    else if (hash && strcmp(hash, u->digest) != 0)
        exchange_fail(x, 400, "data_loss", "'%s' has changed on its way: its SHA-256 is %s", name,
                      u->digest);
    else if (artifacts_finish(x->site->artifacts, u, &one, &err) < 0)
        exchange_fail_err(x, &err);
    else
        reply_id(x, one);
}

static void finalize(struct exchange *x)
{
    const char *name = take_name(x);

    if (name)
        finish(x, artifacts_upload_named(x->site->artifacts, name, exchange_claim(x, "job")), name);
}

static json_t *describe(struct exchange *x, const struct artifact *one)
{
    json_t *json =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "workflow_run_backend_id",
                  exchange_claim(x, "run"), "workflow_job_run_backend_id", one->job, "database_id",
                  arena_printf(&x->arena, "%" PRId64, one->id), "name", one->name, "size",
                  arena_printf(&x->arena, "%" PRId64, one->size), "created_at", one->created);

    json_object_set_new(json, "digest",
                        json_string(arena_printf(&x->arena, "sha256:%s", one->digest)));
    return json;
}

static void list(struct exchange *x)
{
    const char *name = exchange_text(x, "name_filter");
    int64_t id = exchange_number(x, "id_filter");
    json_t *all = json_array();

    if (!check_run(x)) {
        json_decref(all);
        return;
    }
    for (size_t i = 0; i < artifacts_count(x->site->artifacts); i++) {
        const struct artifact *one = artifacts_at(x->site->artifacts, i);

        /* folders are of the older service: this one's clients could not read them */
        if (one->digest && (!name || strcmp(name, one->name) == 0) && (id < 0 || id == one->id))
            json_array_append_new(all, describe(x, one));
    }
    exchange_json(x, 200, json_pack("{s:o}", "artifacts", all));
}

/* The artifact that is named; NULL after a reply. */
static const struct artifact *take_artifact(struct exchange *x)
{
    const char *name = take_name(x);
    const struct artifact *one = name ? artifacts_find(x->site->artifacts, name) : NULL;

    if (name && !one)
        exchange_fail(x, 404, "not_found", "the run has no artifact '%s'", name);
    return one;
}

static void sign(struct exchange *x)
{
    const struct artifact *one = take_artifact(x);

    if (one && !one->digest) {
        exchange_fail(x, 404, "not_found",
                      "'%s' was uploaded by version 3 of the client: it can be "
                      "downloaded by that one only",
                      one->name);
    } else if (one) {
        const char *path = arena_printf(&x->arena, "/ostler/artifacts/%" PRId64, one->id);

        exchange_json(x, 200, json_pack("{s:s}", "signed_url", exchange_sign(x, "r", path)));
    }
}

static void drop(struct exchange *x)
{
    const struct artifact *one = take_artifact(x);
    struct err err = ERR_INIT;

    if (!one)
        return;
    const char *id = arena_printf(&x->arena, "%" PRId64, one->id);
    if (artifacts_delete(x->site->artifacts, one, &err) < 0)
        exchange_fail_err(x, &err);
    else
        exchange_json(x, 200, json_pack("{s:b, s:s}", "ok", 1, "artifact_id", id));
}

const struct service artifact_services[] = {
    {"POST", METHOD("CreateArtifact"), AUTH_TOKEN, BODY_OBJECT, .end = create},
    {"POST", METHOD("FinalizeArtifact"), AUTH_TOKEN, BODY_OBJECT, .end = finalize},
    {"POST", METHOD("ListArtifacts"), AUTH_TOKEN, BODY_OBJECT, .end = list},
    {"POST", METHOD("GetSignedArtifactURL"), AUTH_TOKEN, BODY_OBJECT, .end = sign},
    {"POST", METHOD("DeleteArtifact"), AUTH_TOKEN, BODY_OBJECT, .end = drop},
    {0},
};
