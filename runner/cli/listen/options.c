#include "cli/listen/options.h"

#include "base/num.h"
#include "cli/inputs.h"
#include "cli/limit.h"
#include "cli/wrong_option.h"
#include "listen/record.h"

#include <stdlib.h>

#define MIN_FREE_DEFAULT (1LL << 30)

enum { SLOTS_MAX = 1000, RECORDS_MAX = 10000 };

enum option_id {
    OPT_SHARED = 256, /* one of "ostler run": taken by its name */
    OPT_CONFIG,
    OPT_SLOTS,
    OPT_WORK,
    OPT_MIN_FREE,
    OPT_DRAIN_TIME,
    OPT_RECORDS,
    OPT_ONCE,
    OPT_LOG,
    OPT_ADDRESS,
    OPT_SOCKET,
    OPT_JITCONFIG,
    OPT_RUNNER_VERSION,
    OPT_STARTUP,
    OPT_SCALE, /* one of a scale set's: taken by its name */
};

const struct option listen_options_table[] = {
    {"action-source", required_argument, NULL, OPT_SHARED},
    {"cache-size", required_argument, NULL, OPT_SHARED},
    {"isolation", required_argument, NULL, OPT_SHARED},
    {"keep", no_argument, NULL, OPT_SHARED},
    {"limit", required_argument, NULL, OPT_SHARED},
    {"node", required_argument, NULL, OPT_SHARED},
    {"offline", no_argument, NULL, OPT_SHARED},
    {"plugin-policy", required_argument, NULL, OPT_SHARED},
    {"plugins", required_argument, NULL, OPT_SHARED},
    {"pull", no_argument, NULL, OPT_SHARED},
    {"store-size", required_argument, NULL, OPT_SHARED},
    {"config", required_argument, NULL, OPT_CONFIG},
    {"slots", required_argument, NULL, OPT_SLOTS},
    {"work", required_argument, NULL, OPT_WORK},
    {"min-free", required_argument, NULL, OPT_MIN_FREE},
    {"drain-time", required_argument, NULL, OPT_DRAIN_TIME},
    {"records", required_argument, NULL, OPT_RECORDS},
    {"once", no_argument, NULL, OPT_ONCE},
    {"log", required_argument, NULL, OPT_LOG},
    {"address", required_argument, NULL, OPT_ADDRESS},
    {"socket", required_argument, NULL, OPT_SOCKET},
    {"jitconfig", required_argument, NULL, OPT_JITCONFIG},
    {"runner-version", required_argument, NULL, OPT_RUNNER_VERSION},
    {"startuptype", required_argument, NULL, OPT_STARTUP},
    {"scale-set", required_argument, NULL, OPT_SCALE},
    {"url", required_argument, NULL, OPT_SCALE},
    {"min", required_argument, NULL, OPT_SCALE},
    {"max", required_argument, NULL, OPT_SCALE},
    {"runnergroup", required_argument, NULL, OPT_SCALE},
    {"labels", required_argument, NULL, OPT_SCALE},
    {"token", required_argument, NULL, OPT_SCALE},
    {"token-file", required_argument, NULL, OPT_SCALE},
    {"pat", required_argument, NULL, OPT_SCALE},
    {"pat-file", required_argument, NULL, OPT_SCALE},
    {"app-id", required_argument, NULL, OPT_SCALE},
    {"app-installation", required_argument, NULL, OPT_SCALE},
    {"app-key-file", required_argument, NULL, OPT_SCALE},
    {"help", no_argument, NULL, 'h'},
    {0},
};

void listen_options_init(struct listen_options *o)
{
    *o = (struct listen_options){
        .min_free = MIN_FREE_DEFAULT, .records = JOB_RECORDS_KEEP, .scale = LISTEN_SCALE_INIT};
    run_options_init(&o->run);
}

/* Overwrites TEXT, which may be NULL. */
static void wipe(char *text)
{
    if (text)
        explicit_bzero(text, strlen(text));
}

void listen_options_deinit(struct listen_options *o)
{
    wipe(o->jitconfig);
    free(o->jitconfig);
    listen_scale_deinit(&o->scale);
    vec_deinit(&o->folders);
    run_options_deinit(&o->run);
}

static bool is_shared(const char *name)
{
    for (const struct option *one = listen_options_table; one->name; one++)
        if (strcmp(one->name, name) == 0)
            return one->val == OPT_SHARED;
    return false;
}

static int set_work(struct listen_options *o, const char *text, struct err *err)
{
    CLEANUP(free_ptr) char *path = *text ? realpath(text, NULL) : NULL;

    if (!path)
        return err_sys(err, "--work: cannot use '%s'", text);
    o->work = arena_str(&o->run.arena, slice_of(path));
    return ERR_OK;
}

static int set_runner_version(struct listen_options *o, const char *text, struct err *err)
{
    unsigned major, minor, patch;
    int end = 0;

    if (text[strspn(text, "0123456789.")] ||
        sscanf(text, "%5u.%5u.%5u%n", &major, &minor, &patch, &end) != 3 || text[end])
        return err_set(err, ERR_INVALID,
                       "--runner-version is one of the official runner's, like '2.336.0', not "
                       "'%.40s'",
                       text);
    o->runner_version = text;
    return ERR_OK;
}

static int take(struct listen_options *o, int option, const char *text, struct err *err)
{
    int64_t n = 0;
    int r = ERR_OK;

    switch (option) {
    case OPT_SLOTS:
        r = num_parse_i64(slice_of(text), 1, SLOTS_MAX, &n, err);
        o->slots = (int)n;
        return r < 0 ? err_in(err, "--slots") : r;
    case OPT_WORK:
        return set_work(o, text, err);
    case OPT_MIN_FREE:
        o->min_free = 0;
        if (strcmp(text, "0") != 0)
            r = limit_parse_size(slice_of(text), &o->min_free, err);
        return r < 0 ? err_in(err, "--min-free") : r;
    case OPT_DRAIN_TIME:
        r = limit_parse_time(slice_of(text), &o->drain_ms, err);
        return r < 0 ? err_in(err, "--drain-time") : r;
    case OPT_RECORDS:
        r = num_parse_i64(slice_of(text), 0, RECORDS_MAX, &n, err);
        o->records = (int)n;
        return r < 0 ? err_in(err, "--records") : r;
    case OPT_ONCE:
        o->once = true;
        break;
    case OPT_LOG:
        if (strcmp(text, "json") != 0 && strcmp(text, "text") != 0)
            return err_set(err, ERR_INVALID, "--log is 'text' or 'json', not '%.40s'", text);
        o->json = strcmp(text, "json") == 0;
        break;
    case OPT_ADDRESS:
        o->address = text;
        break;
    case OPT_SOCKET:
        o->socket = text;
        break;
    case OPT_JITCONFIG:
        wipe(o->jitconfig);
        free(o->jitconfig);
        o->jitconfig = mem_dup(text, strlen(text));
        break;
    case OPT_RUNNER_VERSION:
        return set_runner_version(o, text, err);
    case 'h':
        o->run.help = true;
        break;
    default: /* --config was read before all others; how GitHub's own service starts it is nothing to us */
        break;
    }
    return ERR_OK;
}

static int take_configuration(struct listen_options *o, const char *named, struct err *err)
{
    int r = run_options_configure(&o->run, named, is_shared, err);

    for (size_t i = 0; r == ERR_OK && i < o->run.config.listen_options.len; i++) {
        const struct config_option *set = &o->run.config.listen_options.ptr[i];
        const struct option *known = listen_options_table;

        while (strcmp(known->name, set->name) != 0)
            known++;
        CLEANUP(free_ptr) char *value = mem_dup(set->value, strlen(set->value));
        r = known->val == OPT_SCALE
                ? listen_scale_take(&o->scale, &o->run.arena, set->name, value, err)
                : take(o, known->val, set->value, err);
        if (r < 0)
            r = err_in(err, "%s:%d:%d", set->file, set->line, set->col);
    }
    return r;
}

/* What has been wiped, or was read from stdin, is not there a second time. */
static bool is_spent(const char *name, const char *value)
{
    return strcmp(name, "pat") == 0 || strcmp(name, "token") == 0 || strcmp(value, "-") == 0;
}

int listen_options_parse(struct listen_options *o, int argc, char **argv, struct err *err)
{
    int option, at = 0;

    opterr = 0;
    inputs_take();
    int r = take_configuration(
        o, run_options_named(argc, argv, ":h", listen_options_table, OPT_CONFIG), err);
    if (r < 0)
        return r;
    optind = 1;
    while ((option = getopt_long(argc, argv, ":h", listen_options_table, &at)) != -1) {
        if (option == '?' || option == ':')
            return wrong_option(option, argv, "listen", listen_options_table, err);
        if (option == OPT_SCALE)
            r = listen_scale_take(&o->scale, &o->run.arena, listen_options_table[at].name, optarg,
                                  err);
        else
            r = option == OPT_SHARED
                    ? run_options_set(&o->run, listen_options_table[at].name, optarg, err)
                    : take(o, option, optarg, err);
        o->spent |= option == OPT_JITCONFIG ||
                    (option == OPT_SCALE && is_spent(listen_options_table[at].name, optarg));
        if (option == OPT_JITCONFIG) /* others may look at a command line */
            wipe(optarg);
        if (r < 0)
            return r;
    }
    if (!o->jitconfig && inputs_get("jitconfig"))
        (void)take(o, OPT_JITCONFIG, inputs_get("jitconfig"), err); /* it is taken as it is */
    o->once |= inputs_flag("once");
    o->spent |= inputs_any();
    r = listen_scale_take_inputs(&o->scale, &o->run.arena, err);
    inputs_wipe();
    if (r == ERR_OK)
        r = listen_scale_check(&o->scale, o->slots, err);
    if (r < 0)
        return r;
    for (; optind < argc; optind++)
        vec_push(&o->folders, argv[optind]);
    if (o->run.pull && o->run.offline)
        return err_set(err, ERR_INVALID, "'--pull' fetches images, which '--offline' forbids");
    return ERR_OK;
}
