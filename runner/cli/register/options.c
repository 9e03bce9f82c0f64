#include "cli/register/options.h"

#include "base/fd.h"
#include "base/path.h"
#include "base/wipe.h"
#include "cli/inputs.h"
#include "cli/wrong_option.h"

#include <fcntl.h>
#include <getopt.h>
#include <stddef.h>
#include <unistd.h>

enum { FIRST = 256 };

enum of { OF_REGISTER = 1, OF_UNREGISTER = 2, OF_BOTH = 3 };
enum kind { TEXT, FLAG, SECRET, SECRET_FILE };

static const struct option_of {
    const char *name;
    enum kind kind;
    enum of of;
    size_t at;
} known[] = {
    {"url", TEXT, OF_REGISTER, offsetof(struct register_options, url)},
    {"token", SECRET, OF_BOTH, offsetof(struct register_options, token)},
    {"token-file", SECRET_FILE, OF_BOTH, offsetof(struct register_options, token)},
    {"pat", SECRET, OF_BOTH, offsetof(struct register_options, pat)},
    {"pat-file", SECRET_FILE, OF_BOTH, offsetof(struct register_options, pat)},
    {"instance", TEXT, OF_REGISTER, offsetof(struct register_options, url)}, /* act_runner's word */
    {"uuid", TEXT, OF_REGISTER, offsetof(struct register_options, uuid)},
    {"shared-secret", FLAG, OF_REGISTER, offsetof(struct register_options, shared_secret)},
    {"name", TEXT, OF_REGISTER, offsetof(struct register_options, name)},
    {"labels", TEXT, OF_REGISTER, offsetof(struct register_options, labels)},
    {"no-default-labels", FLAG, OF_REGISTER, offsetof(struct register_options, no_default_labels)},
    {"runnergroup", TEXT, OF_REGISTER, offsetof(struct register_options, group)},
    {"replace", FLAG, OF_REGISTER, offsetof(struct register_options, replace)},
    {"ephemeral", FLAG, OF_REGISTER, offsetof(struct register_options, ephemeral)},
    {"disableupdate", FLAG, OF_REGISTER, offsetof(struct register_options, disable_update)},
    {"work", TEXT, OF_REGISTER, offsetof(struct register_options, work)},
    {"type", TEXT, OF_REGISTER, offsetof(struct register_options, type)},
    {"capacity", TEXT, OF_REGISTER, offsetof(struct register_options, capacity)},
    {"import", TEXT, OF_REGISTER, offsetof(struct register_options, import)},
    {"runner-version", TEXT, OF_REGISTER, offsetof(struct register_options, version)},
    {"dir", TEXT, OF_BOTH, offsetof(struct register_options, dir)},
    {"unattended", FLAG, OF_BOTH, offsetof(struct register_options, unattended)},
    {"no-interactive", FLAG, OF_REGISTER, offsetof(struct register_options, unattended)},
    {"local", FLAG, OF_UNREGISTER, offsetof(struct register_options, local)},
    {"help", FLAG, OF_BOTH, offsetof(struct register_options, help)},
};

void register_options_deinit(struct register_options *o)
{
    wipe_free(o->token);
    wipe_free(o->pat);
    arena_deinit(&o->arena);
    *o = (struct register_options){0};
}

/* VALUE: NULL for a flag. */
static int take(struct register_options *o, const struct option_of *k, char *value, struct err *err)
{
    void *at = (char *)o + k->at;

    switch (k->kind) {
    case FLAG:
        *(bool *)at = true;
        return ERR_OK;
    case SECRET:
        wipe_free(*(char **)at);
        *(char **)at = mem_dup(value, strlen(value));
        return ERR_OK;
    case SECRET_FILE:
        return inputs_read_secret(value, at, err);
    default:
        *(const char **)at = arena_str(&o->arena, slice_of(value));
        return ERR_OK;
    }
}

static bool is_said(const struct register_options *o, const struct option_of *k)
{
    const void *at = (const char *)o + k->at;

    return k->kind == FLAG ? *(const bool *)at : *(const char *const *)at != NULL;
}

/* What the command line does not say. */
static int take_inputs(struct register_options *o, enum of of, struct err *err)
{
    for (size_t i = 0; i < COUNT_OF(known); i++) {
        const struct option_of *k = &known[i];
        const char *value = inputs_get(k->name);

        bool secret = k->kind == SECRET || k->kind == SECRET_FILE;
        if (!value || !(k->of & of) || is_said(o, k) || (secret && (o->token || o->pat)) ||
            (k->kind == FLAG && !inputs_flag(k->name)))
            continue;
        CLEANUP(free_ptr) char *copy = mem_dup(value, strlen(value));
        int r = take(o, k, copy, err);
        explicit_bzero(copy, strlen(copy));
        if (r < 0)
            return r;
    }
    return ERR_OK;
}

static enum of of_command(const char *command)
{
    return strcmp(command, "register") == 0 ? OF_REGISTER : OF_UNREGISTER;
}

const struct option *register_options_table(const char *command)
{
    static struct option list[COUNT_OF(known) + 1];
    enum of of = of_command(command);
    size_t n = 0;

    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (known[i].of & of)
            list[n++] = (struct option){known[i].name,
                                        known[i].kind == FLAG ? no_argument : required_argument,
                                        NULL, FIRST + (int)i};
    list[n] = (struct option){0};
    return list;
}

static int take_line(int argc, char **argv, const char *command, struct register_options *o,
                     struct err *err)
{
    const struct option *list = register_options_table(command);
    int c, r;

    opterr = 0;
    optind = 1;
    while ((c = getopt_long(argc, argv, ":h", list, NULL)) >= 0) {
        if (c == ':' || c == '?')
            return wrong_option(c, argv, command, list, err);
        if (c == 'h') {
            o->help = true;
            continue;
        }
        r = take(o, &known[c - FIRST], optarg, err);
        if (optarg && known[c - FIRST].kind == SECRET) /* it has been there for all to see... */
            explicit_bzero(optarg, strlen(optarg));    /* ...but is there no longer */
        if (r < 0)
            return r;
    }
    if (optind < argc)
        return err_set(err, ERR_INVALID,
                       "there is an argument that belongs to no option: see 'ostler %s --help'",
                       command);
    return ERR_OK;
}

int register_options_parse(int argc, char **argv, const char *command, struct register_options *ret,
                           struct err *err)
{
    struct register_options o = {0};

    inputs_take();
    int r = take_line(argc, argv, command, &o, err);
    if (r == ERR_OK && !o.help)
        r = take_inputs(&o, of_command(command), err);
    inputs_wipe();
    if (r == ERR_OK && o.token && o.pat)
        r = err_set(err, ERR_INVALID, "--token and --pat are two ways to the same: give one");
    if (r < 0) {
        register_options_deinit(&o);
        return r;
    }
    *ret = o;
    return ERR_OK;
}
