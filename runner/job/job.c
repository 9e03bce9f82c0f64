#include "job/job.h"

#include "base/vec.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/utsname.h>

/* What a job is made of, by kind: one table for both directions. */
struct member {
    const char *name;
    size_t offset;
};

#define MEMBER(field)                                                                              \
    {                                                                                              \
#field, offsetof(struct job, field)                                                        \
    }

static const struct member texts[] = {
    MEMBER(id),          MEMBER(key),         MEMBER(name),         MEMBER(file),
    MEMBER(dir),         MEMBER(isolation),   MEMBER(work_root),    MEMBER(source),
    MEMBER(tool_cache),  MEMBER(store),       MEMBER(store_source), MEMBER(store_login),
    MEMBER(node),        MEMBER(environment), MEMBER(runner_name),  MEMBER(runner_group),
    MEMBER(permissions), MEMBER(resolver),    MEMBER(resolver_url), MEMBER(engine),
};

static const struct member flags[] = {
    MEMBER(isolation_required),
    MEMBER(source_ignored),
    MEMBER(keep),
    MEMBER(id_token),
    MEMBER(offline),
    MEMBER(pull),
    MEMBER(codeload_bearer),
    MEMBER(resolver_redirects),
};

static const struct member times[] = {MEMBER(timeout_ms),          MEMBER(cancel_timeout_ms),
                                      MEMBER(store_since),         MEMBER(store_budget),
                                      MEMBER(limits.memory_bytes), MEMBER(limits.processes),
                                      MEMBER(limits.cpu_milli),    MEMBER(limits.disk_bytes)};

static const struct member tokens[] = {
    MEMBER(default_shell), MEMBER(default_working_directory),
    MEMBER(outputs),       MEMBER(environment_url),
    MEMBER(container),     MEMBER(services),
};

static const struct member maps[] = {
    MEMBER(secrets),     MEMBER(variables),     MEMBER(runtime), MEMBER(repositories),
    MEMBER(store_locks), MEMBER(plugin_prefer), MEMBER(masks),   MEMBER(mask_patterns)};

static const struct member lists[] = {MEMBER(plugin_path), MEMBER(fetch_env), MEMBER(resolver_pins),
                                      MEMBER(hidden)};

/* Lists of what this machine's configurations say, as they are. */
static const struct member policies[] = {MEMBER(plugin_policies), MEMBER(container_policies)};

/* Without these nothing can run. */
static const struct member required[] = {MEMBER(id), MEMBER(key), MEMBER(name), MEMBER(dir),
                                         MEMBER(work_root)};

static const void *field(const struct job *j, const struct member *m)
{
    return (const char *)j + m->offset;
}

static void *field_of(struct job *j, const struct member *m)
{
    return (char *)j + m->offset;
}

void job_init(struct job *j)
{
    *j = (struct job){
        .secrets = STRMAP_INIT_NOCASE,
        .variables = STRMAP_INIT_NOCASE,
        .repositories = STRMAP_INIT_NOCASE,
        .plugin_prefer = STRMAP_INIT_NOCASE,
    };
}

void job_deinit(struct job *j)
{
    for (size_t i = 0; i < COUNT_OF(maps); i++)
        strmap_deinit(field_of(j, &maps[i]));
    for (size_t i = 0; i < COUNT_OF(policies); i++)
        json_decref(*(json_t **)field_of(j, &policies[i]));
    json_decref(j->contexts);
    arena_deinit(&j->arena);
    job_init(j);
}

/* ---- writing ---- */

/* A text as JSON. One that is not UTF-8, as secrets and paths may be, becomes {"hex": "..."}. */
static json_t *text_json(struct slice s)
{
    static const char digits[] = "0123456789abcdef";
    json_t *text = json_stringn(s.len ? s.ptr : "", s.len);

    if (text)
        return text;
    char *hex = mem_new(s.len * 2 + 1);
    for (size_t i = 0; i < s.len; i++) {
        hex[2 * i] = digits[(unsigned char)s.ptr[i] >> 4];
        hex[2 * i + 1] = digits[(unsigned char)s.ptr[i] & 15];
    }
    json_t *object = json_object();
    json_object_set_new(object, "hex", json_string(hex));
    explicit_bzero(hex, s.len * 2);
    free(hex);
    return object;
}

/* A list of [name, value], for an object would lose the order and could not hold every name. */
static json_t *map_json(const struct strmap *map)
{
    json_t *list = json_array();

    STRMAP_EACH (item, map) {
        json_t *pair = json_array();

        json_array_append_new(pair, text_json(strmap_name(item)));
        json_array_append_new(pair, text_json(strmap_value(item)));
        json_array_append_new(list, pair);
    }
    return list;
}

static json_t *tokens_json(const struct token *const *list, size_t n)
{
    json_t *json = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(json, token_to_json(list[i]));
    return json;
}

static json_t *list_json(const char *const *list)
{
    json_t *json = json_array();

    for (; list && *list; list++)
        json_array_append_new(json, text_json(slice_of(*list)));
    return json;
}

static json_t *steps_json(const struct step *steps, size_t n)
{
    json_t *json = json_array();

    for (size_t i = 0; i < n; i++)
        json_array_append_new(json, step_to_json(&steps[i]));
    return json;
}

static json_t *job_json(const struct job *j)
{
    json_t *o = json_object();

    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        const char *const *text = field(j, &texts[i]);

        if (*text)
            json_object_set_new(o, texts[i].name, text_json(slice_of(*text)));
    }
    for (size_t i = 0; i < COUNT_OF(flags); i++)
        json_object_set_new(o, flags[i].name, json_boolean(*(const bool *)field(j, &flags[i])));
    for (size_t i = 0; i < COUNT_OF(times); i++)
        json_object_set_new(o, times[i].name, json_integer(*(const int64_t *)field(j, &times[i])));
    for (size_t i = 0; i < COUNT_OF(tokens); i++) {
        const struct token *const *tok = field(j, &tokens[i]);

        if (*tok)
            json_object_set_new(o, tokens[i].name, token_to_json(*tok));
    }
    for (size_t i = 0; i < COUNT_OF(maps); i++)
        json_object_set_new(o, maps[i].name, map_json(field(j, &maps[i])));
    json_object_set_new(o, "env", tokens_json(j->env, j->n_env));
    json_object_set_new(o, "steps", steps_json(j->steps, j->n_steps));
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        json_object_set_new(o, lists[i].name,
                            list_json(*(const char *const *const *)field(j, &lists[i])));
    if (j->contexts)
        json_object_set(o, "contexts", j->contexts);
    for (size_t i = 0; i < COUNT_OF(policies); i++) {
        json_t *const *policy = field(j, &policies[i]);

        if (*policy)
            json_object_set(o, policies[i].name, *policy);
    }
    return o;
}

char *job_format(const struct job *j, size_t *ret_size)
{
    json_t *json = job_json(j);
    size_t size = json_dumpb(json, NULL, 0, JSON_COMPACT);
    char *text = mem_new(size + 1); /* in one piece: no half of a secret stays in a smaller one */

    if (size == 0 || json_dumpb(json, text, size, JSON_COMPACT) != size)
        BUG("a job whose contexts are no JSON");
    json_decref(json);
    *ret_size = size;
    return text;
}

/* ---- reading ---- */

struct reader {
    struct job *job;
    const json_t *json;
    struct err *err;
};

/* Member NAME when it is there and not null, else NULL; its type is checked by the caller. */
static json_t *member(const struct reader *r, const char *name)
{
    json_t *json = json_object_get(r->json, name);

    return json_is_null(json) ? NULL : json;
}

static int wrong(const struct reader *r, const char *name, const char *wanted)
{
    return err_set(r->err, ERR_INVALID, "member '%s' of the job must be %s", name, wanted);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What text_json() wrote, into the arena; false: it is something else. */
static bool read_text(struct arena *a, const json_t *json, struct slice *ret)
{
    const json_t *hex = json_object_get(json, "hex");
    struct slice digits = slice_make(json_string_value(hex), json_string_length(hex));

    if (json_is_string(json)) {
        *ret = arena_dup(a, slice_make(json_string_value(json), json_string_length(json)));
        return true;
    }
    if (!hex || !digits.ptr || digits.len % 2)
        return false;
    char *bytes = arena_alloc(a, digits.len / 2 + 1);
    for (size_t i = 0; i < digits.len / 2; i++) {
        int high = hex_digit(digits.ptr[2 * i]), low = hex_digit(digits.ptr[2 * i + 1]);

        if (high < 0 || low < 0)
            return false;
        bytes[i] = (char)(high << 4 | low);
    }
    *ret = slice_make(bytes, digits.len / 2);
    return true;
}

/* For texts that are C strings here: one with a NUL in it would be read as another text. */
static bool read_string(struct arena *a, const json_t *json, const char **ret)
{
    struct slice text;

    if (!read_text(a, json, &text) || memchr(text.ptr, '\0', text.len))
        return false;
    *ret = text.ptr;
    return true;
}

static int read_texts(struct reader *r)
{
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        json_t *json = member(r, texts[i].name);
        const char **to = field_of(r->job, &texts[i]);

        if (json && !read_string(&r->job->arena, json, to))
            return wrong(r, texts[i].name, "a text");
    }
    for (size_t i = 0; i < COUNT_OF(required); i++)
        if (!*(const char *const *)field(r->job, &required[i]))
            return err_set(r->err, ERR_INVALID, "the job has no member '%s'", required[i].name);
    if (r->job->dir[0] != '/')
        return wrong(r, "dir", "an absolute path");
    return ERR_OK;
}

static int read_numbers(struct reader *r)
{
    for (size_t i = 0; i < COUNT_OF(flags); i++) {
        json_t *json = member(r, flags[i].name);

        if (json && !json_is_boolean(json))
            return wrong(r, flags[i].name, "true or false");
        *(bool *)field_of(r->job, &flags[i]) = json_is_true(json);
    }
    for (size_t i = 0; i < COUNT_OF(times); i++) {
        json_t *json = member(r, times[i].name);

        if (json && (!json_is_integer(json) || json_integer_value(json) < 0))
            return wrong(r, times[i].name, "a number that is not negative");
        *(int64_t *)field_of(r->job, &times[i]) = json_integer_value(json);
    }
    return ERR_OK;
}

/* A token that says "null" is none, too: there is one way to leave something out. */
static int read_token(struct reader *r, const char *name, const json_t *json,
                      const struct token **ret)
{
    struct token *tok = NULL;

    if (token_from_json(&r->job->arena, json, &tok, r->err) < 0)
        return err_in(r->err, "member '%s' of the job", name);
    *ret = tok && tok->kind != TOKEN_NULL ? tok : NULL;
    return ERR_OK;
}

static int read_tokens(struct reader *r)
{
    for (size_t i = 0; i < COUNT_OF(tokens); i++)
        if (read_token(r, tokens[i].name, member(r, tokens[i].name), field_of(r->job, &tokens[i])) <
            0)
            return r->err->code;
    return ERR_OK;
}

/* Values go through an arena of their own, as they may be secrets and this one is wiped with the map. */
static int read_map(struct reader *r, const struct member *m)
{
    struct strmap *to = field_of(r->job, m);
    json_t *list = member(r, m->name), *pair;
    size_t i;

    if (list && !json_is_array(list))
        return wrong(r, m->name, "a list of names and values");
    json_array_foreach (list, i, pair) {
        CLEANUP(arena_deinit) struct arena scratch = ARENA_INIT;
        struct slice name, value;

        if (json_array_size(pair) != 2 || !read_text(&scratch, json_array_get(pair, 0), &name) ||
            !read_text(&scratch, json_array_get(pair, 1), &value))
            return wrong(r, m->name, "a list of names and values");
        strmap_set(to, name, value);
        char *copy = (char *)(uintptr_t)value.ptr;
        explicit_bzero(copy, value.len);
    }
    return ERR_OK;
}

static int read_env(struct reader *r)
{
    json_t *list = member(r, "env"), *one;
    size_t i, n = json_array_size(list);

    if (list && !json_is_array(list))
        return wrong(r, "env", "a list of mappings");
    r->job->env = arena_array(&r->job->arena, n, sizeof *r->job->env);
    json_array_foreach (list, i, one) {
        const struct token *tok = NULL;

        if (read_token(r, "env", one, &tok) < 0)
            return r->err->code;
        if (tok)
            r->job->env[r->job->n_env++] = tok;
    }
    return ERR_OK;
}

static int read_steps(struct reader *r)
{
    json_t *list = member(r, "steps"), *one;
    size_t i, n = json_array_size(list);

    if (list && !json_is_array(list))
        return wrong(r, "steps", "a list of steps");
    r->job->steps = arena_array(&r->job->arena, n, sizeof *r->job->steps);
    json_array_foreach (list, i, one) {
        if (step_from_json(&r->job->arena, one, &r->job->steps[i], r->err) < 0)
            return err_in(r->err, "step %zu of the job", i + 1);
        r->job->n_steps++;
    }
    return ERR_OK;
}

static int read_list(struct reader *r, const struct member *m)
{
    json_t *list = member(r, m->name), *one;
    size_t i, n = json_array_size(list);

    if (list && !json_is_array(list))
        return wrong(r, m->name, "a list of texts");
    const char **texts_read = arena_array(&r->job->arena, n + 1, sizeof *texts_read);
    json_array_foreach (list, i, one)
        if (!read_string(&r->job->arena, one, &texts_read[i]))
            return wrong(r, m->name, "a list of texts");
    *(const char *const **)field_of(r->job, m) = texts_read;
    return ERR_OK;
}

static int read_lists(struct reader *r)
{
    for (size_t i = 0; i < COUNT_OF(lists); i++)
        if (read_list(r, &lists[i]) < 0)
            return r->err->code;
    return ERR_OK;
}

static int read_contexts(struct reader *r)
{
    json_t *contexts = member(r, "contexts");

    if (contexts && !json_is_object(contexts))
        return wrong(r, "contexts", "an object");
    r->job->contexts = contexts ? json_incref(contexts) : json_object();
    return ERR_OK;
}

static int read_policies(struct reader *r)
{
    for (size_t i = 0; i < COUNT_OF(policies); i++) {
        json_t *list = member(r, policies[i].name);

        if (list && !json_is_array(list))
            return wrong(r, policies[i].name, "a list");
        *(json_t **)field_of(r->job, &policies[i]) = json_incref(list);
    }
    return ERR_OK;
}

static int read_maps(struct reader *r)
{
    for (size_t i = 0; i < COUNT_OF(maps); i++)
        if (read_map(r, &maps[i]) < 0)
            return r->err->code;
    return ERR_OK;
}

int job_parse(struct job *j, struct slice text, struct err *err)
{
    static int (*const parts[])(struct reader *) = {
        read_texts, read_numbers, read_tokens,   read_maps,     read_env,
        read_steps, read_lists,   read_contexts, read_policies,
    };
    struct job made;
    json_error_t where;

    if (text.len > JOB_MESSAGE_MAX)
        return err_set(err, ERR_LIMIT, "a job of %zu bytes: at most %d are allowed", text.len,
                       (int)JOB_MESSAGE_MAX);
    CLEANUP(json_decrefp)
    json_t *json = json_loadb(text.ptr ? text.ptr : "", text.len,
                              JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &where);
    if (!json)
        return err_set(err, ERR_INVALID, "the job is no valid JSON: %s (line %d, column %d)",
                       where.text, where.line, where.column);
    if (!json_is_object(json))
        return err_set(err, ERR_INVALID, "the job must be a JSON object");
    job_init(&made);
    struct reader r = {.job = &made, .json = json, .err = err};
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        if (parts[i](&r) < 0) {
            job_deinit(&made);
            return err->code;
        }
    }
    job_deinit(j);
    *j = made;
    return ERR_OK;
}

const char *job_arch(void)
{
    struct utsname u;

    if (uname(&u) < 0)
        return "X64";
    return strcmp(u.machine, "aarch64") == 0  ? "ARM64"
           : strcmp(u.machine, "x86_64") == 0 ? "X64"
                                              : "X86";
}
