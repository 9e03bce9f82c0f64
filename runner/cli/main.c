/* ostler - a CI/CD job runner. This file picks the subcommand and does nothing else. */
#include "base/num.h"
#include "blobs/blobs.h"
#include "cli/cmd_check.h"
#include "cli/cmd_eval.h"
#include "cli/cmd_listen.h"
#include "cli/cmd_plan.h"
#include "cli/cmd_plugin.h"
#include "cli/cmd_register.h"
#include "cli/cmd_run.h"
#include "cli/cmd_status.h"
#include "cli/cmd_unregister.h"
#include "cli/exit.h"
#include "cli/settings.h"
#include "cli/site.h"
#include "job/worker.h"
#include "plugin/host.h"
#include "store/child.h"
#include "store/mirror.h"
#include "store/resolve.h"

#include <stdio.h>
#include <string.h>

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

static const struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary; /* NULL: not for people */
} commands[] = {
    {"run", cmd_run, "run workflows of the working tree"},
    {"plan", cmd_plan, "say what an event would run, and why"},
    {"check", cmd_check, "say what is wrong with workflows and manifests"},
    {"listen", cmd_listen, "run jobs of GitHub, Gitea and Forgejo"},
    {"eval", cmd_eval, "evaluate an expression"},
    {"register", cmd_register, "make this machine a runner of GitHub, Gitea or Forgejo"},
    {"unregister", cmd_unregister, "make them forget it again"},
    {"plugin", cmd_plugin, "list, install and try plugins"},
    {"status", cmd_status, "show the self-hosted runners of this machine"},
    {"worker", cmd_worker, NULL},
    {"plugin-child", plugin_child_main, NULL},
    {"store-child", store_child_main, NULL},
    {"mirror-child", mirror_child_main, NULL},
    {"resolve-child", resolve_child_main, NULL},
    {"blobs-carrier", blobs_carrier_main, NULL},
    {"blobs-packer", blobs_packer_main, NULL},
};

/* What is started by another of us has all of this site's settings in its environment already. */
static int run(const struct command *c, int argc, char **argv)
{
    struct err err = ERR_INIT;

    if (c->summary && site_adopt(&err) < 0) {
        fprintf(stderr, "ostler: %s\n", err.text);
        return EXIT_USAGE;
    }
    return c->run(argc, argv);
}

static void print_help(FILE *to)
{
    fputs("Usage: ostler COMMAND [options]\n\n", to);
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (commands[i].summary)
            fprintf(to, "  %-10s %s\n", commands[i].name, commands[i].summary);
    fputs("\n'ostler COMMAND --help' says more.\n", to);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        print_help(stderr);
        return EXIT_USAGE;
    }
    for (size_t i = 0; i < COUNT_OF(commands); i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return run(&commands[i], argc - 1, argv + 1);
    if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
        printf("ostler %s\n", OSTLER_VERSION);
        return EXIT_OK;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
        strcmp(argv[1], "help") == 0) {
        print_help(stdout);
        return EXIT_OK;
    }
    fprintf(stderr, "ostler: there is no command '%s': see 'ostler --help'\n", argv[1]);
    return EXIT_USAGE;
}
