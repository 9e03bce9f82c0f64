#include "kit/scratch.h"
#include "serve/services.h"
#include "serve/site.h"
#include "serve/token.h"

#include "base/base64.h"

#include <criterion/criterion.h>
#include <unistd.h>

TestSuite(services, .init = scratch_enter, .fini = scratch_leave);

static struct loop *loop;

static struct services *begin(void)
{
    struct services_spec spec = {
        .run = "7", .run_dir = scratch_path, .caches = scratch_path, .state = scratch_path};
    struct services *s = services_new(&spec);
    struct err err = ERR_INIT;

    cr_assert_eq(loop_new(&loop, &err), ERR_OK);
    services_attach(s, loop);
    return s;
}

static void end(struct services *s)
{
    services_free(s);
    loop = loop_free(loop);
}

static void make_job(struct job *j, struct step *steps, size_t n)
{
    job_init(j);
    j->id = "build";
    j->key = "build (1)";
    j->steps = steps;
    j->n_steps = n;
    j->timeout_ms = 60000;
    j->contexts =
        json_pack("{s:{s:s, s:s, s:s, s:s, s:{s:{s:s}}}}", "github", "repository", "Acme/App",
                  "ref", "refs/pull/1/merge", "base_ref", "main", "event_name", "pull_request",
                  "event", "repository", "default_branch", "main");
}

/* The payload of the job's token. */
static json_t *claims_of(const struct job *j)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(10000);
    struct slice rest = slice_of(strmap_get(&j->runtime, "ACTIONS_RUNTIME_TOKEN")), part;
    struct err err = ERR_INIT;

    cr_assert(slice_split(&rest, '.', &part) && slice_split(&rest, '.', &part));
    cr_assert_eq(base64_decode(part, &text, &err), ERR_OK, "%s", err.text);
    return json_loadb(text.ptr, text.len, 0, NULL);
}

static const char *text_in(const json_t *json, const char *name)
{
    const char *text = json_string_value(json_object_get(json, name));
    return text ? text : "";
}

Test(services, nothing_is_made_for_jobs_that_cannot_call)
{
    struct step steps[] = {{.uses = "actions/checkout@v4"}, {.run = NULL}};
    struct services *s = begin();
    struct err err = ERR_INIT;
    struct job j;

    make_job(&j, steps, 2);
    cr_assert_eq(services_equip(s, &j, &err), ERR_OK);
    cr_assert_eq(j.runtime.len, 0);
    job_deinit(&j);
    end(s);
}

Test(services, actions_can_be_clients_and_so_can_those_in_parallel_steps)
{
    struct step inner[] = {{.uses = "a/b@v1"}};
    struct step rows[][1] = {{{.uses = "./local"}},
                             {{.uses = "actions/cache@v4"}},
                             {{.uses = "docker://alpine"}},
                             {{.steps = inner, .n_steps = 1}}};

    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        struct job j;

        make_job(&j, rows[i], 1);
        cr_assert(services_can_serve(&j), "row %zu", i);
        job_deinit(&j);
    }
}

/* Runtime contract 13.1: three fields behind "Actions.Results", and the scopes of caches as JSON in a text. */
Test(services, a_token_holds_what_clients_read_out_of_it)
{
    struct step steps[] = {{.uses = "./local"}};
    struct services *s = begin();
    struct err err = ERR_INIT;
    struct job j, k;

    make_job(&j, steps, 1);
    make_job(&k, steps, 1);
    cr_assert_eq(services_equip(s, &j, &err), ERR_OK, "%s", err.text);
    cr_assert_eq(services_equip(s, &k, &err), ERR_OK, "%s", err.text);
    json_t *one = claims_of(&j), *two = claims_of(&k);
    CLEANUP(buf_deinit) struct buf scp = BUF_INIT(1000);
    buf_printf(&scp, "Actions.Results:%s:%s ", text_in(one, "run"), text_in(one, "job"));
    cr_assert(slice_starts(slice_of(text_in(one, "scp")), buf_slice(&scp)), "%s",
              text_in(one, "scp"));
    cr_assert_str_eq(text_in(one, "run"), text_in(two, "run"));
    cr_assert_str_neq(text_in(one, "job"), text_in(two, "job"));
    cr_assert_str_eq(text_in(one, "ac"), "[{\"Scope\":\"refs/pull/1/merge\",\"Permission\":3},"
                                         "{\"Scope\":\"refs/heads/main\",\"Permission\":1}]");
    cr_assert_null(json_object_get(one, "oidc"));
    cr_assert_null(strmap_get(&j.runtime, "ACTIONS_ID_TOKEN_REQUEST_URL"));
    cr_assert_str_eq(strmap_get(&j.runtime, "ACTIONS_CACHE_SERVICE_V2"), "True");
    cr_assert(slice_ends(slice_of(strmap_get(&j.runtime, "ACTIONS_RUNTIME_URL")), SLICE("/")));
    json_decref(one);
    json_decref(two);
    job_deinit(&j);
    job_deinit(&k);
    end(s);
    cr_assert_eq(scratch_count(), 0, "the server is not started before somebody calls");
}

Test(services, with_the_permission_scripts_can_ask_for_id_tokens_too)
{
    struct services *s = begin();
    struct err err = ERR_INIT;
    struct job j;

    make_job(&j, NULL, 0);
    j.id_token = true;
    cr_assert_eq(services_equip(s, &j, &err), ERR_OK, "%s", err.text);
    json_t *claims = claims_of(&j);
    cr_assert_str_eq(text_in(json_object_get(claims, "oidc"), "sub"), "repo:Acme/App:pull_request");
    cr_assert(strstr(strmap_get(&j.runtime, "ACTIONS_ID_TOKEN_REQUEST_URL"), "?"));
    cr_assert_null(json_object_get(json_object_get(claims, "oidc"), "environment"));
    json_decref(claims);
    j.environment = "live: eu";
    cr_assert_eq(services_equip(s, &j, &err), ERR_OK, "%s", err.text);
    claims = claims_of(&j);
    const json_t *oidc = json_object_get(claims, "oidc");
    cr_assert_str_eq(text_in(oidc, "sub"), "repo:Acme/App:environment:live%3A eu");
    cr_assert_str_eq(text_in(oidc, "environment"), "live: eu");
    json_decref(claims);
    job_deinit(&j);
    end(s);
}

Test(services, caches_beside_services_of_others_have_the_token_in_their_address)
{
    struct step steps[] = {{.uses = "actions/cache@v4"}};
    struct services *s = begin();
    struct err err = ERR_INIT;
    struct job j;

    make_job(&j, steps, 1);
    strmap_set(&j.runtime, SLICE("ACTIONS_RESULTS_URL"), SLICE("https://git.example"));
    strmap_set(&j.runtime, SLICE("ACTIONS_RUNTIME_TOKEN"), SLICE("theirs"));
    cr_assert_eq(services_equip_caches(s, &j, &err), ERR_OK, "%s", err.text);
    cr_assert_str_eq(strmap_get(&j.runtime, "ACTIONS_RESULTS_URL"), "https://git.example");
    cr_assert_str_eq(strmap_get(&j.runtime, "ACTIONS_RUNTIME_TOKEN"), "theirs");
    cr_assert_null(strmap_get(&j.runtime, "ACTIONS_CACHE_SERVICE_V2"));
    CLEANUP(buf_deinit) struct buf url = BUF_INIT(100000);
    buf_printf(&url, "%s" SERVICES_TOKEN_PATH "%s/", strmap_get(&j.runtime, "OSTLER_CACHE_URL"),
               strmap_get(&j.runtime, "OSTLER_CACHE_TOKEN"));
    cr_assert_str_eq(strmap_get(&j.runtime, "ACTIONS_CACHE_URL"), url.ptr);
    job_deinit(&j);
    end(s);
}
