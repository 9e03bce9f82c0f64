#include "cli/wrong_option.h"

#include "lang/near.h"

#include <getopt.h>

/* The option that NAME, perhaps shortened, was taken for, whose val is VAL. */
static bool was_taken(const struct option *table, struct slice name, int val)
{
    for (; table->name; table++)
        if (table->val == val && slice_starts(slice_of(table->name), name))
            return true;
    return false;
}

/* "--event or --env": two that begin with NAME, or what is nearest to it; NULL: neither. */
static const char *what_was_meant(struct arena *a, const struct option *table, struct slice name)
{
    struct near_best best = near_begin(name);
    const char *first = NULL;

    for (; table->name; table++) {
        if (name.len && slice_starts(slice_of(table->name), name)) {
            if (first)
                return arena_printf(a, "is it '--%s' or '--%s'?", first, table->name);
            first = table->name;
        }
        near_offer(&best, slice_of(table->name));
    }
    return best.match.ptr && !best.tied
               ? arena_printf(a, "did you mean '--%.*s'?", SLICE_ARG(best.match))
               : NULL;
}

int wrong_option(int c, char *const *argv, const char *command, const struct option *table,
                 struct err *err)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct slice word = slice_of(argv[optind - 1]);
    bool is_long = slice_starts(word, SLICE("--"));
    ssize_t equals = slice_find_char(word, '=');

    if (equals > 0)
        word = slice_head(word, (size_t)equals);
    if (c == ':')
        return err_set(err, ERR_INVALID, "option '%.*s' needs a value", SLICE_ARG(word));
    if (is_long && equals > 0 && was_taken(table, slice_from(word, 2), optopt))
        return err_set(err, ERR_INVALID, "option '%.*s' takes no value", SLICE_ARG(word));
    if (optopt) { /* one of the letters of a word, which is not the one before if it is not over */
        if (optopt > 0)
            word = slice_of(arena_printf(&a, "-%c", optopt));
        else if (argv[optind]) /* a byte that is no ASCII: all of it is shown */
            word = slice_of(argv[optind]);
        is_long = false;
    }

    const char *meant = is_long ? what_was_meant(&a, table, slice_from(word, 2)) : NULL;
    if (!meant)
        meant = arena_printf(&a, "see 'ostler %s --help'", command);
    return err_set(err, ERR_INVALID, "unknown option '%.*s': %s", SLICE_ARG(word), meant);
}
