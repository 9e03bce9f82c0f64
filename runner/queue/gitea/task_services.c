#include "queue/gitea/task_reading.h"

#include "base/base64.h"
#include "queue/gitea/connect.h"

#include <inttypes.h>

void task_take_secrets(struct task_reading *r, struct job *j)
{
    static const char *const tokens[] = {"FORGEJO_TOKEN", "GITEA_TOKEN", "GITHUB_TOKEN", NULL};
    static const char *const own[] = {"token", NULL};
    json_t *secrets = json_object_get(r->json, "secrets"), *value;
    struct slice token = task_first(secrets, tokens);
    const char *name;

    json_object_foreach (secrets, name, value)
        if (json_is_string(value))
            strmap_set(&j->secrets, slice_of(name),
                       slice_make(json_string_value(value), json_string_length(value)));
    strmap_set(&j->secrets, SLICE("GITHUB_TOKEN"), token.len ? token : task_first(r->context, own));
}

static void set_runtime(struct job *j, const char *name, struct slice value)
{
    if (value.len)
        strmap_set(&j->runtime, slice_of(name), value);
}

void task_take_services(struct task_reading *r, struct job *j)
{
    static const char *const tokens[] = {"forgejo_runtime_token", "gitea_runtime_token", "token",
                                         NULL};
    static const char *const oidc_urls[] = {"forgejo_actions_id_token_request_url",
                                            "actions_id_token_request_url", NULL};
    static const char *const oidc_tokens[] = {"forgejo_actions_id_token_request_token",
                                              "actions_id_token_request_token", NULL};
    const char *address = r->spec->settings->address;
    const char *caches = strmap_get(&r->spec->settings->env, "ACTIONS_CACHE_URL");
    struct arena *a = &r->task->arena;
    struct slice token = task_first(r->context, tokens);

    if (caches) /* others' than this machine's, or none */
        strmap_set(&j->runtime, SLICE("ACTIONS_CACHE_URL"), slice_of(caches));
    set_runtime(j, "ACTIONS_RUNTIME_URL",
                slice_of(arena_printf(a, "%s/api/actions_pipeline/", address)));
    set_runtime(j, "ACTIONS_RESULTS_URL", slice_of(address));
    set_runtime(j, "ACTIONS_RUNTIME_TOKEN", token);
    set_runtime(j, "ACTIONS_ID_TOKEN_REQUEST_URL", task_first(r->context, oidc_urls));
    set_runtime(j, "ACTIONS_ID_TOKEN_REQUEST_TOKEN", task_first(r->context, oidc_tokens));
    j->id_token = strmap_get(&j->runtime, "ACTIONS_ID_TOKEN_REQUEST_URL") != NULL;
    r->task->runtime_token = arena_str(a, token);
}

/* The job's number in the server's database is in its token alone: the claim JobID, or the end of "scp" (3.2). */
static int64_t job_number(struct slice token)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(64 << 10);
    struct err ignored = ERR_INIT;
    struct slice rest = token, part = SLICE("");
    json_t *claims = NULL;
    int64_t id = 0;

    if (!slice_split(&rest, '.', &part) || !slice_split(&rest, '.', &part) ||
        base64_decode(part, &text, &ignored) != ERR_OK ||
        connect_json(buf_slice(&text), &claims, &ignored) != ERR_OK)
        return 0;
    if (connect_int(claims, "JobID", &id, &ignored) != ERR_OK)
        id = 0;
    json_decref(claims);
    return id > 0 ? id : 0;
}

void task_find_summary(struct task_reading *r)
{
    struct slice stated = slice_of(r->spec->capabilities), run = task_text(r->context, "run_id");
    int64_t job = job_number(slice_of(r->task->runtime_token));

    for (size_t i = 0; i < run.len; i++)
        if (run.ptr[i] < '0' || run.ptr[i] > '9')
            return;
    if (run.len && job && slice_find(stated, SLICE("job-summary")) >= 0)
        r->task->summary = arena_printf(
            &r->task->arena,
            "%s/api/actions_pipeline/_apis/pipelines/workflows/%.*s/jobs/%" PRId64 "/steps/",
            r->spec->settings->address, SLICE_ARG(run), job);
}

void task_tell_server(struct task_reading *r, struct job *j)
{
    const char *v = r->spec->version;

    set_runtime(j, "GITEA_ACTIONS", SLICE("true"));
    set_runtime(j, "GITEA_ACTIONS_RUNNER_VERSION", slice_of(v));
    if (r->task->forgejo) {
        set_runtime(j, "FORGEJO_ACTIONS", SLICE("true"));
        set_runtime(j, "FORGEJO_ACTIONS_RUNNER_VERSION", slice_of(v));
    }
    if (r->spec->capabilities && *r->spec->capabilities) {
        set_runtime(j, "GITEA_ACTIONS_CAPABILITIES", slice_of(r->spec->capabilities));
        set_runtime(j, "GITEA_RUN_ID", task_text(r->context, "run_id"));
    }
}
