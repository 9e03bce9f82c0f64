#include "queue/gitea/register.h"

#include "base/utf8.h"
#include "queue/gitea/connect.h"
#include "queue/gitea/settings.h"
#include "queue/loose.h"

#include <ctype.h>

enum { NAME_MAX_BYTES = 255 };

struct registering {
    struct arena arena;
    struct connect connect;
    const struct gitea_register_spec *spec;
    const char *address, *version; /* version: "ostler/1.0" */
    const char *const *names;      /* of the labels, without their schemas */
    size_t n_names;
};

static bool is_hex(struct slice text)
{
    for (size_t i = 0; i < text.len; i++)
        if (!isxdigit((unsigned char)text.ptr[i]))
            return false;
    return text.len > 0;
}

static bool is_uuid(struct slice text)
{
    static const size_t lengths[] = {8, 4, 4, 4, 12};
    struct slice part;

    for (size_t i = 0; i < COUNT_OF(lengths); i++)
        if (!slice_split(&text, '-', &part) || part.len != lengths[i] || !is_hex(part))
            return false;
    return text.ptr == NULL;
}

/* As Forgejo has it: the first sixteen digits, as the bytes that they are written with (6.3). */
int gitea_uuid_of_secret(struct arena *a, const char *secret, const char **ret, struct err *err)
{
    unsigned char b[16];

    if (strlen(secret) != 40 || !is_hex(slice_of(secret)))
        return err_set(err, ERR_INVALID,
                       "a runner's shared secret has 40 hexadecimal digits: 'forgejo-cli actions "
                       "generate-secret' makes one");
    memcpy(b, secret, sizeof b);
    *ret = arena_printf(a, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
                        b[0], b[1], b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11],
                        b[12], b[13], b[14], b[15]);
    return ERR_OK;
}

static int check_spec(struct registering *r, struct err *err)
{
    const struct gitea_register_spec *spec = r->spec;
    struct slice name = slice_of(spec->name);
    struct label *labels;
    const char **names;

    if (gitea_address(&r->arena, spec->address, &r->address, err) != ERR_OK)
        return err->code;
    if (name.len == 0 || name.len > NAME_MAX_BYTES || utf8_valid(name) != name.len)
        return err_set(err, ERR_INVALID, "the runner's name has 1 to %d bytes of UTF-8",
                       NAME_MAX_BYTES);
    if (!spec->token || !*spec->token || utf8_valid(slice_of(spec->token)) != strlen(spec->token))
        return err_set(err, ERR_INVALID,
                       "there is no registration token: the server shows it under Settings, "
                       "Actions, Runners");
    if (spec->uuid && !is_uuid(slice_of(spec->uuid)))
        return err_set(err, ERR_INVALID,
                       "'%.60s' is no uuid of a runner: the server shows it with the token",
                       spec->uuid);
    if (labels_parse(&r->arena, spec->labels, &labels, &r->n_names, err) != ERR_OK)
        return err->code;
    if (r->n_names == 0)
        return err_set(err, ERR_INVALID,
                       "there are no labels, so there would be no jobs: name one, as in "
                       "ubuntu-latest:docker://node:22-bookworm or metal:host");
    names = arena_array(&r->arena, r->n_names, sizeof *names);
    for (size_t i = 0; i < r->n_names; i++)
        names[i] = labels[i].name;
    r->names = names;
    return ERR_OK;
}

static json_t *names_json(const struct registering *r)
{
    json_t *list = json_array();

    for (size_t i = 0; i < r->n_names; i++)
        json_array_append_new(list, json_string(r->names[i]));
    return list;
}

/* F, an answer that is not the service's, in the operator's words. */
static int not_the_service(const struct registering *r, const struct connect_fault *f,
                           struct err *err)
{
    const char *at = r->address;

    if (f->status == 0)
        return err_set(err, ERR_SYS, "%s", f->text);
    if (f->status >= 300 && f->status < 400)
        return err_set(err, ERR_UNSUPPORTED,
                       "'%s' sends us elsewhere (HTTP status %d): register with the address that "
                       "a browser shows in the end",
                       at, f->status);
    if (f->status == 401 || f->status == 403)
        return err_set(err, ERR_DENIED,
                       "what stands in front of '%s' lets nobody in without a login (HTTP status "
                       "%d): it has to let /api/actions/ through",
                       at, f->status);
    if (f->status == 429 || f->status >= 500)
        return err_set(err, ERR_SYS, "'%s' is in trouble: %s; try again later", at, f->text);
    return err_set(err, ERR_UNSUPPORTED,
                   "'%s' has no service for runners: %s; is it the address of a Gitea or Forgejo "
                   "server, and are its Actions switched on ([actions] ENABLED)?",
                   at, f->text);
}

static bool is_about_the_token(struct slice text)
{
    static const char *const words[] = {"registration token", "of the token not found"};

    for (size_t i = 0; i < COUNT_OF(words); i++)
        if (slice_find(text, slice_of(words[i])) >= 0)
            return true;
    return false;
}

static int refused(const struct registering *r, const struct connect_fault *f, struct err *err)
{
    if (!f->said)
        return not_the_service(r, f, err);
    if (r->spec->uuid && f->code == CONNECT_UNAUTHENTICATED)
        return err_set(err, ERR_DENIED,
                       "'%s' knows no runner '%.40s' with this token: copy both from where it "
                       "shows them for a new runner",
                       r->address, r->spec->uuid);
    if (f->code == CONNECT_UNAUTHENTICATED || f->code == CONNECT_PERMISSION_DENIED ||
        is_about_the_token(slice_of(f->text)))
        return err_set(
            err, ERR_DENIED,
            "'%s' refuses the registration token: %.80s; it shows one that is good under "
            "Settings, Actions, Runners, 'Create new Runner'",
            r->address, f->text);
    return err_set(err, ERR_FAILED, "'%s' does not register this machine: %s", r->address, f->text);
}

/* F is no answer of the service's: it may have made the runner all the same, and lets nobody take it back from here. */
static int in_doubt(const struct registering *r, const struct connect_fault *f, struct err *err)
{
    return err_set(err, ERR_SYS,
                   "'%.60s' gave no proper answer to a registration (%.60s): try again, and remove "
                   "the runner '%.40s' there if it is listed by then",
                   r->address, f->text, r->spec->name);
}

static int ping(struct registering *r, struct err *err)
{
    struct connect_fault fault;
    json_t *answer;

    if (!connect_do(&r->connect, "Ping", json_pack("{s:s}", "data", r->spec->name), &answer,
                    &fault))
        return not_the_service(r, &fault, err);
    json_decref(answer);
    return ERR_OK;
}

/* Servers before 1.21 register, and then know no Declare. MADE: the server has made the runner just now, and nobody else
 * can be rid of it: what may pass is no reason to throw it away, for the listener declares it again. */
static int declare(struct registering *r, bool made, const char **ret_note, struct err *err)
{
    struct connect_fault fault;
    json_t *answer;

    if (connect_do(&r->connect, "Declare",
                   json_pack("{s:s, s:o, s:[s]}", "version", r->version, "labels", names_json(r),
                             "capabilities", "cancelling"),
                   &answer, &fault)) {
        json_decref(answer);
        return ERR_OK;
    }
    if (fault.code == CONNECT_UNIMPLEMENTED)
        return err_set(err, ERR_UNSUPPORTED,
                       "'%s' is too old: runners need Gitea or Forgejo 1.21%s%s%s", r->address,
                       made ? "; remove the runner '" : "", made ? r->spec->name : "",
                       made ? "' there" : "");
    if (!made)
        return refused(r, &fault, err);
    *ret_note = "the server knows this runner now, but did not take its labels in yet: 'ostler "
                "listen' tells them again";
    return ERR_OK;
}

static int take_runner(struct registering *r, const json_t *answer, bool made, json_t **ret,
                       const char **ret_note, struct err *err)
{
    const json_t *runner = json_object_get(answer, "runner");
    struct gitea_settings s = {.arena = ARENA_INIT, .env = STRMAP_INIT};
    int64_t id = 0;

    s.address = r->address;
    s.uuid = json_string_value(json_object_get(runner, "uuid"));
    s.token = json_string_value(json_object_get(runner, "token"));
    s.name = r->spec->name;
    s.label_texts = r->spec->labels;
    s.ephemeral = r->spec->ephemeral;
    s.capacity = 1;
    s.fetch_interval_ms = SETTINGS_FETCH_MS;
    if (!s.uuid || !*s.uuid || !s.token || !*s.token ||
        connect_int(runner, "id", &id, err) != ERR_OK)
        return err_set(err, ERR_FAILED, "'%s' answers without a runner's id and token", r->address);
    r->connect.uuid = s.uuid;
    r->connect.token = s.token;
    if (declare(r, made, ret_note, err) != ERR_OK)
        return err->code;
    if (s.ephemeral && !json_is_true(json_object_get(runner, "ephemeral")))
        *ret_note = "the server is too old for ephemeral runners: this one takes a single job all "
                    "the same, but has to be removed on the server by hand";
    *ret = gitea_settings_write(&s, id);
    if (r->spec->extras) {
        json_t *extras = json_deep_copy(r->spec->extras);

        json_object_update(*ret, extras);
        json_decref(extras);
    }
    return ERR_OK;
}

static int run(struct registering *r, json_t **ret, const char **ret_note, struct err *err)
{
    CLEANUP(loose_wipep) json_t *answer = NULL;
    struct connect_fault fault;

    if (check_spec(r, err) != ERR_OK)
        return err->code;
    r->connect = (struct connect){.http = r->spec->http,
                                  .loop = r->spec->loop,
                                  .address = r->address,
                                  .version = r->spec->version};
    r->version = arena_printf(&r->arena, "ostler/%s", r->spec->version);
    if (ping(r, err) != ERR_OK)
        return err->code;
    if (r->spec->uuid) {
        answer = json_pack("{s:{s:s, s:s, s:b}}", "runner", "uuid", r->spec->uuid, "token",
                           r->spec->token, "ephemeral", r->spec->ephemeral);
        return take_runner(r, answer, false, ret, ret_note, err);
    }
    if (!connect_do(&r->connect, "Register",
                    json_pack("{s:s, s:s, s:s, s:o, s:b, s:[s]}", "name", r->spec->name, "token",
                              r->spec->token, "version", r->version, "labels", names_json(r),
                              "ephemeral", r->spec->ephemeral, "capabilities", "cancelling"),
                    &answer, &fault))
        return fault.said || fault.code == CONNECT_UNIMPLEMENTED ? refused(r, &fault, err)
                                                                 : in_doubt(r, &fault, err);
    return take_runner(r, answer, true, ret, ret_note, err);
}

int gitea_register(const struct gitea_register_spec *spec, json_t **ret, const char **ret_note,
                   struct err *err)
{
    struct registering r = {.spec = spec};
    int code;

    *ret_note = NULL;
    code = run(&r, ret, ret_note, err);
    arena_deinit(&r.arena);
    return code;
}
