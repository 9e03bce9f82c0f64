#include "cli/register/cmd_unregister.h"

#include "cli/exit.h"
#include "cli/register/ask.h"
#include "cli/register/enrolment.h"
#include "cli/register/options.h"
#include "cli/settings.h"
#include "queue/registration.h"

const char cmd_unregister_help[] =
    "Usage: ostler unregister [--dir FOLDER] [--token TOKEN | --pat TOKEN | --local]\n"
    "\n"
    "Makes GitHub forget a runner, and removes its registration here. Gitea and\n"
    "Forgejo let nobody do that but on their pages: there it is removed here alone.\n"
    "\n"
    "  --dir FOLDER       where the registration is kept; the only one there is\n"
    "  --token TOKEN      removal token, as GitHub shows it for the runner\n"
    "  --token-file FILE  the same out of a file; '-' is stdin\n"
    "  --pat TOKEN        personal access token, to get such a token with\n"
    "  --pat-file FILE    the same out of a file; '-' is stdin\n"
    "  --local            ask no server: remove it here\n"
    "  --unattended       never ask anything\n"
    "  --help             this text\n"
    "\n"
    "Each option may be given as ACTIONS_RUNNER_INPUT_NAME instead.\n"
    "Exit codes: 0 removed, 1 the server refuses or cannot be reached (then nothing\n"
    "is removed here), 2 wrong usage, 4 this machine or the server lacks what is\n"
    "needed.\n";

static const char command[] = "unregister";

struct task {
    struct register_options o;
    struct enrolment web;
    struct registration *registration;
    const char *discarded; /* the folder of one that could not even be read; NULL: it could */
};

static void task_deinit(struct task *t)
{
    registration_free(t->registration);
    enrolment_close(&t->web);
    register_options_deinit(&t->o);
}

/* The folder that is named, else the only one there is. */
static int find_folder(struct task *t, const char **ret, struct err *err)
{
    const char *all;
    CLEANUP(free_ptr) char **list = NULL;
    struct err why = ERR_INIT;

    *ret = t->o.dir;
    if (t->o.dir)
        return ERR_OK;
    int r = settings_registrations(&t->o.arena, &all, err);
    if (r < 0)
        return r;
    r = registration_list(all, &list, &why);
    if (r < 0 && r != ERR_NOT_FOUND) {
        *err = why;
        return r;
    }
    if (r < 0 || !list[0])
        return err_set(err, ERR_INVALID,
                       "there is no registration in '%s': name its folder with --dir", all);
    if (list[1])
        return err_set(err, ERR_INVALID,
                       "there is more than one registration in '%s': name the folder of one with "
                       "--dir, as in --dir '%.80s'",
                       all, list[0]);
    *ret = arena_str(&t->o.arena, slice_of(list[0]));
    return ERR_OK;
}

static int ask_server(struct task *t, struct err *err)
{
    struct register_options *o = &t->o;

    if (t->registration->kind == REGISTRATION_GITEA) {
        fprintf(stderr,
                "ostler unregister: %s still lists '%s': remove it there, under Settings, Actions, "
                "Runners\n",
                t->registration->url, t->registration->name);
        return ERR_OK;
    }
    if (!o->token && !o->pat && !o->unattended && ask_possible())
        o->token = ask_secret("Removal token");
    if (!(o->token && *o->token) && !(o->pat && *o->pat))
        return err_set(err, ERR_INVALID,
                       "--token is missing: GitHub shows one for the runner under Settings, "
                       "Actions, Runners, 'Remove'; or --local, to remove it here alone");
    int r = enrolment_open(&t->web, command, ENROLMENT_VERSION, err);
    if (r < 0)
        return r;
    const struct github_register_spec spec = {
        .http = t->web.http,
        .loop = t->web.loop,
        .token = o->token,
        .pat = o->pat,
        .force_ghes = settings_flag("GITHUB_ACTIONS_RUNNER_FORCE_GHES"),
        .note = enrolment_note,
        .ctx = &t->web,
    };
    return github_unregister(t->registration, &spec, err);
}

static int discard(struct task *t, const char *folder, struct err *err)
{
    t->discarded = folder;
    return registration_discard(folder, err);
}

static int run(struct task *t, struct err *err)
{
    const char *folder;
    int r = find_folder(t, &folder, err);

    if (r < 0)
        return r;
    r = registration_load(folder, &t->registration, err);
    if (r == ERR_NOT_FOUND)
        r = err_set(err, ERR_INVALID, "there is no registration in '%s'", folder);
    else if ((r == ERR_INVALID || r == ERR_LIMIT) && t->o.local) /* the way out of a broken one */
        return discard(t, folder, err);
    if (r == ERR_OK && (r = registration_lock(t->registration, err)) == ERR_DENIED)
        r = err_set(err, ERR_INVALID, "a listener has '%s': stop it first", folder);
    if (r == ERR_OK && !t->o.local)
        r = ask_server(t, err);
    return r < 0 ? r : registration_remove(t->registration, err);
}

int cmd_unregister(int argc, char **argv)
{
    CLEANUP(task_deinit) struct task t = {0};
    struct err err = ERR_INIT;

    if (register_options_parse(argc, argv, command, &t.o, &err) < 0) {
        fprintf(stderr, "ostler unregister: %s\n", err.text);
        return EXIT_USAGE;
    }
    if (t.o.help) {
        fputs(cmd_unregister_help, stdout);
        return EXIT_OK;
    }
    if (run(&t, &err) < 0)
        return enrolment_fail(command, &err, t.o.token, t.o.pat);
    if (t.discarded)
        printf("removed what was left of a registration in '%s'; its server may still list it\n",
               t.discarded);
    else
        printf("removed the registration of '%s' in '%s'\n", t.registration->name,
               t.registration->path);
    return EXIT_OK;
}
