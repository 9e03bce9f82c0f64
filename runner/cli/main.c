/* ostler - a CI/CD job runner. This file picks the subcommand and does nothing else. */
#include "base/num.h"
#include "blobs/blobs.h"
#include "cli/check/cmd_check.h"
#include "cli/complete/cmd_complete.h"
#include "cli/eval/cmd_eval.h"
#include "cli/exit.h"
#include "cli/listen/cmd_listen.h"
#include "cli/listen/options.h"
#include "cli/plan/cmd_plan.h"
#include "cli/plugin/cmd_plugin.h"
#include "cli/register/cmd_register.h"
#include "cli/register/cmd_unregister.h"
#include "cli/register/options.h"
#include "cli/run/cmd_run.h"
#include "cli/settings.h"
#include "cli/site.h"
#include "cli/start/options.h"
#include "cli/status/cmd_status.h"
#include "job/worker.h"
#include "lang/near.h"
#include "listen/leftovers.h"
#include "plugin/child/child.h"
#include "store/child.h"
#include "store/mirror.h"
#include "store/resolve.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Descriptors 3 to 5 were put there by whoever started the worker; see listen/pool.c. */
static int cmd_worker(int argc, char **argv)
{
    struct worker_spec spec = {
        .job_fd = 3, .event_fd = 4, .services_fd = 5, .home = settings_home(), .minute_ms = 60000};
    struct err err = ERR_INIT;

    if (argc > 1 && num_parse_i64(slice_of(argv[1]), 1, 60000, &spec.minute_ms, &err) < 0) {
        fprintf(stderr, "ostler: worker: %s\n", err.text);
        return EXIT_USAGE;
    }
    return worker_main(&spec);
}

static int complete(int argc, char **argv);

static const struct command commands[] = {
    {.name = "run",
     .run = cmd_run,
     .summary = "run workflows of the working tree",
     .help = cmd_run_help,
     .options = run_options_table},
    {.name = "plan",
     .run = cmd_plan,
     .summary = "say what an event would run, and why",
     .help = cmd_plan_help,
     .more_help = cmd_run_help,
     .options = run_options_table},
    {.name = "check",
     .run = cmd_check,
     .summary = "say what is wrong with workflows and manifests",
     .help = cmd_check_help,
     .options = cmd_check_options},
    {.name = "listen",
     .run = cmd_listen,
     .summary = "run jobs of GitHub, Gitea and Forgejo",
     .help = cmd_listen_help,
     .options = listen_options_table},
    {.name = "eval",
     .run = cmd_eval,
     .summary = "evaluate an expression",
     .help = cmd_eval_help,
     .options = cmd_eval_options},
    {.name = "register",
     .run = cmd_register,
     .summary = "make this machine a runner of GitHub, Gitea or Forgejo",
     .help = cmd_register_help,
     .options_of = register_options_table},
    {.name = "unregister",
     .run = cmd_unregister,
     .summary = "make them forget it again",
     .help = cmd_unregister_help,
     .options_of = register_options_table},
    {.name = "plugin",
     .run = cmd_plugin,
     .summary = "list, install and try plugins",
     .help = cmd_plugin_help,
     .options_of = cmd_plugin_options,
     .sub = cmd_plugin_sub},
    {.name = "status",
     .run = cmd_status,
     .summary = "show the self-hosted runners of this machine",
     .help = cmd_status_help,
     .options = cmd_status_options},
    {.name = "complete", .run = complete},
    {.name = "worker", .run = cmd_worker},
    {.name = "leftovers-child", .run = leftovers_child_main},
    {.name = "plugin-child", .run = plugin_child_main},
    {.name = "store-child", .run = store_child_main},
    {.name = "mirror-child", .run = mirror_child_main},
    {.name = "resolve-child", .run = resolve_child_main},
    {.name = "blobs-carrier", .run = blobs_carrier_main},
    {.name = "blobs-packer", .run = blobs_packer_main},
};

static int complete(int argc, char **argv)
{
    return cmd_complete(commands, COUNT_OF(commands), argc, argv);
}

/* The next files that are opened would get the numbers of 0 to 2 that are closed, and what is said would be written into them.
 * What stands in for these can neither be read nor written, as if they were closed. */
static void hold_standard_descriptors(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
        if (fcntl(fd, F_GETFD) < 0)
            (void)!open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
}

/* CODE, unless what was printed for it got nowhere and nobody has said so. */
static int said_all(int code)
{
    if ((fflush(stdout) == 0 && !ferror(stdout)) || code != EXIT_OK)
        return code;
    fprintf(stderr, "ostler: cannot write to stdout: %s\n", strerror(errno));
    return EXIT_USAGE;
}

/* What is started by another of us has all of this site's settings in its environment already. */
static int run(const struct command *c, int argc, char **argv)
{
    struct err err = ERR_INIT;

    if (c->summary && site_adopt(&err) < 0) {
        fprintf(stderr, "ostler: %s\n", err.text);
        return EXIT_USAGE;
    }
    return c->summary ? said_all(c->run(argc, argv)) : c->run(argc, argv);
}

static void print_help(FILE *to)
{
    fputs("Usage: ostler COMMAND [options]\n\n", to);
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (commands[i].summary)
            fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fputs("\n'ostler COMMAND --help' says more.\n", to);
}

static int no_command(const char *name)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct near_best best = near_begin(slice_of(name));

    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (commands[i].summary)
            near_offer(&best, slice_of(commands[i].name));
    const char *hint = near_hint(&a, &best);
    fprintf(stderr, "ostler: there is no command '%s': %s\n", name,
            hint ? hint : "see 'ostler --help'");
    return EXIT_USAGE;
}

int main(int argc, char **argv)
{
    hold_standard_descriptors();
    (void)signal(SIGXFSZ, SIG_IGN); /* a limit on files (ulimit -f) is an error of whoever writes */
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return run(&commands[i], argc - 1, argv + 1);
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
        printf("ostler %s\n", OSTLER_VERSION);
        return said_all(EXIT_OK);
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return said_all(EXIT_OK);
    }
    return no_command(argv[1]);
}
