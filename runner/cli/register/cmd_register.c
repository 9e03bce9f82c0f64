#include "cli/register/cmd_register.h"

#include "base/fd.h"
#include "base/num.h"
#include "base/path.h"
#include "base/wipe.h"
#include "cli/exit.h"
#include "cli/inputs.h"
#include "cli/register/ask.h"
#include "cli/register/enrolment.h"
#include "cli/register/kind.h"
#include "cli/register/options.h"
#include "cli/settings.h"
#include "queue/gitea/import.h"
#include "queue/gitea/register.h"
#include "queue/loose.h"

#include <fcntl.h>
#include <unistd.h>

const char cmd_register_help[] =
    "Usage: ostler register --url URL --token TOKEN [options]\n"
    "       ostler register --import CONFIG [options]\n"
    "\n"
    "Makes this machine a runner of a GitHub repository, organisation or enterprise,\n"
    "or of a Gitea or Forgejo server. 'ostler listen' takes its jobs then.\n"
    "\n"
    "  --url URL            https://github.com/OWNER/REPO, https://github.com/ORG,\n"
    "                       https://gitea.example.com\n"
    "  --token TOKEN        the token that the server shows for a new runner\n"
    "  --token-file FILE    the same out of a file; '-' is stdin\n"
    "  --pat TOKEN          GitHub: personal access token, to get such a token with\n"
    "  --pat-file FILE      the same out of a file; '-' is stdin\n"
    "  --name NAME          what the server shows; this machine's name\n"
    "  --labels A,B         labels that jobs ask for in runs-on. Gitea: 'LABEL:host'\n"
    "                       or 'LABEL:docker://IMAGE' (default:\n"
    "                       ubuntu-latest:host,self-hosted:host)\n"
    "  --no-default-labels  GitHub: without self-hosted, Linux and the architecture\n"
    "  --runnergroup NAME   GitHub: not the default runner group\n"
    "  --replace            GitHub: take the place of a runner of that name\n"
    "  --ephemeral          one job, then the server forgets this runner\n"
    "  --capacity N         Gitea: jobs at once; 1\n"
    "  --uuid UUID          Forgejo: of a runner that the server has made already;\n"
    "                       --token is that runner's own then\n"
    "  --shared-secret      Forgejo: --token is the secret that the server was given\n"
    "  --work FOLDER        noted for the official runner; _work\n"
    "  --dir FOLDER         where the registration is kept\n"
    "  --type github|gitea|forgejo  where the address does not tell\n"
    "  --import CONFIG      act_runner's or forgejo-runner's config.yaml: its\n"
    "                       options, and its registration when there is one\n"
    "  --runner-version V   GitHub: the release of its runner that we say to be\n"
    "  --disableupdate      taken for granted\n"
    "  --unattended         never ask anything\n"
    "  --instance URL       --url, as act_runner calls it\n"
    "  --no-interactive     --unattended, as act_runner calls it\n"
    "  --help               this text\n"
    "\n"
    "Each option may be given as ACTIONS_RUNNER_INPUT_NAME instead.\n"
    "Exit codes: 0 registered, 1 the server refuses or cannot be reached, 2 wrong\n"
    "usage, 4 this machine or the server lacks what is needed.\n";

static const char command[] = "register";
static const char gitea_labels[] = "ubuntu-latest:host,self-hosted:host";

struct task { /* one registration to be made */
    struct register_options o;
    struct enrolment web;
    enum registration_kind kind;
    struct gitea_import import;
    const char *name, *dir;
    const char *const *labels; /* NULL-terminated; none: NULL first */
    json_t *files;             /* what came of it */
};

static void task_deinit(struct task *t)
{
    loose_wipe(t->files);
    enrolment_close(&t->web);
    gitea_import_deinit(&t->import);
    register_options_deinit(&t->o);
}

/* ---- what is not said ---- */

static const char *host_name(struct arena *a)
{
    char name[256] = "";

    if (gethostname(name, sizeof name - 1) < 0 || !*name)
        return "ostler";
    return arena_str(a, slice_head(slice_of(name), strcspn(name, "."))); /* as .NET has it */
}

/* What TEXT may be called in a folder. */
static const char *folder_name(struct arena *a, const char *text)
{
    char *name = arena_str(a, slice_of(text));

    for (char *c = name; *c; c++) {
        bool plain = (*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                     (*c >= '0' && *c <= '9') || *c == '-' || *c == '_' || (*c == '.' && c > name);

        if (!plain)
            *c = '-';
    }
    return name;
}

static int lacks(const char *what, struct err *err)
{
    return err_set(err, ERR_INVALID, "%s is missing: see 'ostler register --help'", what);
}

/* Asks for what is not said; in vain at the end of stdin. */
static void ask_for(struct task *t, const char *question, const char *fallback, const char **answer)
{
    if (*answer)
        return;
    CLEANUP(free_ptr) char *text = ask_text(question, fallback);
    if (text && *text)
        *answer = arena_str(&t->o.arena, slice_of(text));
}

/* Where the registration of NAME is kept unless we are told. */
static int choose_folder(struct task *t, const char *name, struct err *err)
{
    const char *all;
    int r = settings_registrations(&t->o.arena, &all, err);

    if (r == ERR_OK)
        t->dir = arena_printf(&t->o.arena, "%s/%s", all, folder_name(&t->o.arena, name));
    return r;
}

static int complete(struct task *t, bool needs_server, struct err *err)
{
    struct register_options *o = &t->o;
    bool asks = !o->unattended && ask_possible() && needs_server;

    if (asks) {
        ask_for(t, "Address of the repository, organisation or server", "", &o->url);
        if (!o->token && !o->pat)
            o->token = ask_secret("Registration token");
        ask_for(t, "Name of this runner", host_name(&o->arena), &o->name);
        ask_for(t, "Labels beyond the usual ones, with commas between them (none)", "", &o->labels);
    }
    if (needs_server && !o->url)
        return lacks("--url", err);
    if (needs_server && !(o->token && *o->token) && !(o->pat && *o->pat))
        return lacks("--token", err);
    t->name = o->name ? o->name : host_name(&o->arena);
    t->labels = inputs_list(&o->arena, o->labels);
    return o->dir ? (t->dir = o->dir, ERR_OK) : choose_folder(t, t->name, err);
}

/* ---- GitHub ---- */

static bool may_replace(void *ctx, const char *name)
{
    const struct enrolment *web = ctx;

    (void)web;
    fprintf(stderr, "A runner with the name '%s' exists already. ", name);
    return ask_yes("Take its place?");
}

static int keep(void *ctx, const json_t *files, struct err *err)
{
    const struct task *t = ctx;

    return registration_create(t->dir, REGISTRATION_GITHUB, files, err);
}

static int register_github(struct task *t, struct err *err)
{
    const struct register_options *o = &t->o;
    const struct github_register_spec spec = {
        .http = t->web.http,
        .loop = t->web.loop,
        .url = o->url,
        .token = o->token,
        .pat = o->pat,
        .force_ghes = settings_flag("GITHUB_ACTIONS_RUNNER_FORCE_GHES"),
        .name = t->name,
        .labels = t->labels,
        .no_default_labels = o->no_default_labels,
        .group = o->group,
        .work_folder = o->work ? o->work : "_work",
        .version = o->version ? o->version : ENROLMENT_VERSION,
        .ephemeral = o->ephemeral,
        .replace = o->replace,
        .may_replace = !o->unattended && ask_possible() ? may_replace : NULL,
        .keep = keep,
        .keep_ctx = t,
        .note = enrolment_note,
        .ctx = &t->web,
    };

    if (o->uuid || o->shared_secret)
        return err_set(err, ERR_INVALID, "%s is for Forgejo alone: leave it out",
                       o->uuid ? "--uuid" : "--shared-secret");
    if (o->capacity && strcmp(o->capacity, "1") != 0)
        return err_set(err, ERR_INVALID,
                       "GitHub gives a runner one job at a time: instead of --capacity, register "
                       "more, each with a --name of its own");
    return github_register(&spec, &t->files, err);
}

/* ---- Gitea ---- */

static int check_gitea_options(const struct register_options *o, struct err *err)
{
    const char *wrong = o->pat                 ? "--pat"
                        : o->no_default_labels ? "--no-default-labels"
                        : o->group             ? "--runnergroup"
                        : o->replace           ? "--replace"
                                               : NULL;

    if (!wrong)
        return ERR_OK;
    return err_set(err, ERR_INVALID, "%s is for GitHub alone: leave it out", wrong);
}

/* What .runner is to hold beyond what the server says. */
static int gitea_extras(const struct task *t, json_t **ret, struct err *err)
{
    int64_t capacity;
    struct err why = ERR_INIT;

    *ret = t->import.extras ? json_deep_copy(t->import.extras) : json_object();
    if (!t->o.capacity)
        return ERR_OK;
    if (num_parse_i64(slice_of(t->o.capacity), 1, REGISTRATION_CAPACITY_MAX, &capacity, &why) < 0)
        return err_set(err, ERR_INVALID, "--capacity is a number from 1 to %d",
                       REGISTRATION_CAPACITY_MAX);
    json_object_set_new(*ret, "capacity", json_integer((json_int_t)capacity));
    return ERR_OK;
}

static const char *const *gitea_labels_of(struct task *t)
{
    if (t->labels[0])
        return t->labels;
    return t->import.labels ? t->import.labels : inputs_list(&t->o.arena, gitea_labels);
}

static int register_gitea(struct task *t, struct err *err)
{
    CLEANUP(loose_freep) json_t *extras = NULL;
    const char *note = NULL;
    json_t *runner = NULL;
    int r = check_gitea_options(&t->o, err);

    if (r == ERR_OK && t->o.shared_secret && t->o.token)
        r = gitea_uuid_of_secret(&t->o.arena, t->o.token, &t->o.uuid, err);
    if (r == ERR_OK)
        r = gitea_extras(t, &extras, err);
    if (r < 0)
        return r;
    const struct gitea_register_spec spec = {.http = t->web.http,
                                             .loop = t->web.loop,
                                             .address = t->o.url,
                                             .token = t->o.token,
                                             .uuid = t->o.uuid,
                                             .name = t->name,
                                             .version = OSTLER_VERSION,
                                             .labels = gitea_labels_of(t),
                                             .ephemeral = t->o.ephemeral,
                                             .extras = extras};
    r = gitea_register(&spec, &runner, &note, err);
    if (r < 0)
        return r;
    if (note)
        enrolment_note(&t->web, note);
    t->files = json_pack("{s:o}", ".runner", runner);
    return ERR_OK;
}

/* ---- taking over ---- */

/* The file NAME of the other program: here, as it is started there, or beside its configuration. NULL: it is in neither. */
static const char *other_file(struct task *t, const char *name)
{
    CLEANUP(free_ptr) char *config = mem_dup(t->o.import, strlen(t->o.import));
    char *slash = strrchr(config, '/');

    if (access(name, F_OK) == 0)
        return name;
    if (!slash || name[0] == '/')
        return NULL;
    *slash = '\0';
    const char *beside = arena_printf(&t->o.arena, "%s/%s", config, name);
    return access(beside, F_OK) == 0 ? beside : NULL;
}

/* One that is not there says nothing, as for them. */
static int read_env_file(struct task *t, struct err *err)
{
    CLEANUP(wipe_buf) struct buf text = BUF_INIT(IMPORT_SIZE_MAX);
    const char *file = t->import.env_file ? other_file(t, t->import.env_file) : NULL;
    int r = file ? path_read(AT_FDCWD, file, &text, err) : ERR_OK;

    return file && r == ERR_OK ? gitea_import_env(&t->import, buf_slice(&text), file, err) : r;
}

static int read_import(struct task *t, struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(IMPORT_SIZE_MAX);
    int r = path_read(AT_FDCWD, t->o.import, &text, err);

    if (r == ERR_OK)
        r = gitea_import_read(buf_slice(&text), t->o.import, &t->import, err);
    if (r == ERR_OK)
        r = read_env_file(t, err);
    if (r < 0)
        return r == ERR_NOT_FOUND ? (err->code = ERR_INVALID) : r;
    VEC_EACH (note, &t->import.notes)
        fprintf(stderr, "ostler register: %s: %s\n", t->o.import, *note);
    return ERR_OK;
}

/* The registration of the other program, where it has one. */
static const char *other_runner(struct task *t)
{
    return other_file(t, t->import.runner_file ? t->import.runner_file : ".runner");
}

static int take_over(struct task *t, const char *file, struct err *err)
{
    CLEANUP(wipe_buf) struct buf text = BUF_INIT(REGISTRATION_FILE_MAX);
    CLEANUP(loose_freep) json_t *extras = NULL;
    json_t *runner = NULL, *labels = json_array();
    int r = path_read(AT_FDCWD, file, &text, err);

    if (r == ERR_OK && (r = loose_parse(buf_slice(&text), &runner, err)) < 0)
        (void)err_in(err, "'%s'", file);
    if (r == ERR_OK)
        r = gitea_extras(t, &extras, err);
    if (r == ERR_OK && !(*loose_text(runner, "uuid") && *loose_text(runner, "token")))
        r = err_set(err, ERR_INVALID, "'%s' is no registration of act_runner or forgejo-runner",
                    file);
    for (const char *const *one = t->labels[0] ? t->labels : t->import.labels; one && *one; one++)
        json_array_append_new(labels, json_string(*one));
    if (r == ERR_OK)
        json_object_update(runner, extras);
    if (r == ERR_OK && json_array_size(labels))
        json_object_set(runner, "labels", labels);
    if (r == ERR_OK && json_array_size(json_object_get(runner, "labels")) == 0)
        r = err_set(err, ERR_INVALID,
                    "'%s' has no labels, and neither has '%s': say what jobs it is for with "
                    "--labels, as in ubuntu-latest:host",
                    file, t->o.import);
    json_decref(labels);
    if (r == ERR_OK && !t->o.name && !t->o.dir && *loose_text(runner, "name"))
        r = choose_folder(t, loose_text(runner, "name"), err);
    if (r < 0) {
        loose_wipe(runner);
        return r;
    }
    t->kind = REGISTRATION_GITEA;
    t->files = json_pack("{s:o}", ".runner", runner);
    return ERR_OK;
}

/* ---- all of it ---- */

static int find_kind(struct task *t, struct err *err)
{
    if (!t->o.type)
        return t->o.import ? (t->kind = REGISTRATION_GITEA, ERR_OK)
                           : register_kind_find(t->web.http, t->o.url, &t->kind, err);
    for (int i = 0; i < REGISTRATION_KINDS; i++) {
        if (strcmp(t->o.type, registration_kind_name((enum registration_kind)i)) == 0) {
            t->kind = (enum registration_kind)i;
            return ERR_OK;
        }
    }
    if (strcmp(t->o.type, "forgejo") == 0) {
        t->kind = REGISTRATION_GITEA;
        return ERR_OK;
    }
    return err_set(err, ERR_INVALID, "--type is 'github', 'gitea' or 'forgejo', not '%.40s'",
                   t->o.type);
}

static int with_server(struct task *t, struct err *err)
{
    int r = registration_prepare(t->dir, err);

    if (r < 0)
        return r == ERR_DENIED ? (err->code = ERR_INVALID) : r; /* another folder will do */
    r = enrolment_open(&t->web, command, t->o.version ? t->o.version : ENROLMENT_VERSION, err);
    if (r == ERR_OK)
        r = find_kind(t, err);
    if (r < 0)
        return r;
    return t->kind == REGISTRATION_GITEA ? register_gitea(t, err) : register_github(t, err);
}

static int run(struct task *t, struct err *err)
{
    const char *other = NULL;
    int r = t->o.import ? read_import(t, err) : ERR_OK;

    if (r == ERR_OK && t->o.import && !t->o.url)
        other = other_runner(t);
    if (r == ERR_OK)
        r = complete(t, !other, err);
    if (r == ERR_OK && other) {
        r = take_over(t, other, err);
        if (r == ERR_OK && (r = registration_prepare(t->dir, err)) == ERR_DENIED)
            r = err->code = ERR_INVALID;
    } else if (r == ERR_OK) {
        r = with_server(t, err);
    }
    if (r < 0 || t->kind == REGISTRATION_GITHUB) /* that was kept while it could be taken back */
        return r;
    r = registration_create(t->dir, t->kind, t->files, err);
    if (r < 0 && !other)
        (void)err_in(err, "the server knows this runner now, but it cannot be kept here (remove it "
                          "there)");
    return r;
}

int cmd_register(int argc, char **argv)
{
    CLEANUP(task_deinit) struct task t = {0};
    struct err err = ERR_INIT;

    if (register_options_parse(argc, argv, command, &t.o, &err) < 0) {
        fprintf(stderr, "ostler register: %s\n", err.text);
        return EXIT_USAGE;
    }
    if (t.o.help) {
        fputs(cmd_register_help, stdout);
        return EXIT_OK;
    }
    if (run(&t, &err) < 0)
        return enrolment_fail(command, &err, t.o.token, t.o.pat);
    const json_t *runner = json_object_get(t.files, ".runner");
    bool gitea = t.kind == REGISTRATION_GITEA;
    printf("registered '%s' with %s, in '%s': 'ostler listen' takes its jobs\n",
           loose_text(runner, gitea ? "name" : "agentName"),
           loose_text(runner, gitea ? "address" : "gitHubUrl"), t.dir);
    return EXIT_OK;
}
