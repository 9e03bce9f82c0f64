#include "cli/complete/cmd_complete.h"

#include "base/slice.h"
#include "cli/exit.h"
#include "cli/limit.h"
#include "cli/settings.h"
#include "io/git.h"
#include "lang/check/check.h"
#include "lang/schema/schema.h"
#include "plugin/plugin.h"

#include <getopt.h>
#include <stdio.h>

/* The command line so far. */
struct line {
    char **words; /* without the last one */
    size_t n_words;
    struct slice last;   /* what is to be completed: of "--option=VALUE" the value */
    struct slice prefix; /* "--option=" */
    struct slice option; /* "option", where LAST is its value */
};

/* ---- what is said ---- */

static void offer(const struct line *l, struct slice word, struct slice meaning)
{
    if (slice_starts(word, l->last))
        printf("%.*s%.*s\t%.*s\n", SLICE_ARG(l->prefix), SLICE_ARG(word), SLICE_ARG(meaning));
}

/* Shells complete these themselves, but not behind an option that is part of the same word. */
static void offer_names(const struct line *l, const char *kind)
{
    if (!l->prefix.len)
        puts(kind);
}

/* ---- values: what a placeholder in the help stands for ---- */

static void files(const struct line *l)
{
    offer_names(l, ":files");
}

static void folders(const struct line *l)
{
    offer_names(l, ":folders");
}

static void events(const struct line *l)
{
    for (const char *const *name = schema_on.choices[0]->values; *name; name++)
        offer(l, slice_of(*name), SLICE(""));
}

/* The value of the option NAME, where the line has it. */
static struct slice value_of(const struct line *l, struct slice name)
{
    for (size_t i = 0; i < l->n_words; i++) {
        struct slice word = slice_of(l->words[i]);

        if (!slice_starts(word, SLICE("--")) || !slice_starts(slice_from(word, 2), name))
            continue;
        word = slice_from(word, 2 + name.len);
        if (slice_starts(word, SLICE("=")))
            return slice_from(word, 1);
        for (i++; !word.len && i < l->n_words; i++) /* bash makes a word of each "=" */
            if (strcmp(l->words[i], "=") != 0)
                return slice_of(l->words[i]);
    }
    return SLICE("");
}

static const struct schema *key_of(const struct schema *map, struct slice name)
{
    for (size_t i = 0; map && i < map->n_keys; i++)
        if (slice_eq(map->keys[i].name, name))
            return map->keys[i].value;
    return NULL;
}

static const struct schema *mapping_of(const struct schema *s)
{
    for (size_t i = 0; s && s->kind == SCHEMA_ONE_OF && s->choices[i]; i++)
        if (s->choices[i]->kind == SCHEMA_MAPPING)
            return s->choices[i];
    return NULL;
}

/* The `types` of the event that the line names. */
static void activities(const struct line *l)
{
    const struct schema *event = key_of(mapping_of(&schema_on), value_of(l, SLICE("event")));
    const struct schema *types = key_of(mapping_of(event), SLICE("types"));

    if (types && types->kind == SCHEMA_ONE_OF && types->choices[0]->values)
        for (const char *const *name = types->choices[0]->values; *name; name++)
            offer(l, slice_of(*name), SLICE(""));
}

static void limits(const struct line *l)
{
    for (const struct limit_name *limit = limit_names; limit->name; limit++) {
        char word[40];
        snprintf(word, sizeof word, "%s=", limit->name);
        offer(l, slice_of(word), slice_of(limit->example));
    }
}

static void preferences(const struct line *l)
{
    for (const char *const *p = plugin_preferences; *p; p++)
        offer(l, slice_of(*p), SLICE(""));
}

static void rules(const struct line *l)
{
    for (size_t i = 1; i < CHECK_RULES; i++)
        offer(l, slice_of(check_rules[i].name), slice_of(check_rules[i].reason));
}

static void refs(const struct line *l)
{
    static const char *const args[] = {"for-each-ref", "--format=%(refname:short)", "refs/heads",
                                       "refs/tags", NULL};
    CLEANUP(buf_deinit) struct buf out = BUF_INIT(GIT_OUTPUT_MAX);
    struct git_env env = {.path = settings_env("PATH"), .home = settings_home()};
    struct err err = ERR_INIT;

    if (git_run(&env, ".", args, &out, &err) < 0)
        return; /* no repository, no refs */
    struct slice all = buf_slice(&out), name;
    while (slice_split(&all, '\n', &name))
        if (name.len)
            offer(l, name, SLICE(""));
}

static void plugins(const struct line *l)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct plugin_list list = {0};

    plugin_list_load(settings_plugin_path(&a, NULL), &list, NULL, NULL);
    VEC_EACH (one, &list.list)
        offer(l, slice_of((*one)->id), slice_of((*one)->title));
    plugin_list_deinit(&list);
}

static const struct {
    struct slice name;
    void (*offer)(const struct line *l);
} placeholders[] = {
    {SLICE_INIT("FILE"), files},         {SLICE_INIT("PATH"), files},
    {SLICE_INIT("LIST"), files},         {SLICE_INIT("CONFIG"), files},
    {SLICE_INIT("WORKFLOW"), files},     {SLICE_INIT("FOLDER"), folders},
    {SLICE_INIT("DIR"), folders},        {SLICE_INIT("EVENT"), events},
    {SLICE_INIT("RULE"), rules},         {SLICE_INIT("ACTIVITY"), activities},
    {SLICE_INIT("LIMIT=VALUE"), limits}, {SLICE_INIT("[ACTION=]WHAT"), preferences},
    {SLICE_INIT("REF"), refs},           {SLICE_INIT("BRANCH"), refs},
    {SLICE_INIT("ID"), plugins},
};

/* PLACE: "FILE", or alternatives "ID|FILE"; in small letters they are the words themselves. */
static void offer_place(const struct line *l, struct slice place)
{
    struct slice one;

    while (slice_split(&place, '|', &one)) {
        for (size_t i = 0; i < COUNT_OF(placeholders); i++)
            if (slice_eq(one, placeholders[i].name))
                placeholders[i].offer(l);
        if (one.len && one.ptr[0] >= 'a' && one.ptr[0] <= 'z')
            offer(l, one, SLICE(""));
    }
}

/* ---- reading the help ---- */

static struct slice next_word(struct slice *text)
{
    struct slice word = SLICE("");

    *text = slice_trim(*text);
    (void)slice_split(text, ' ', &word);
    return word;
}

/* LINE is one of the help; is it about the option NAME? "  -v, --verbose  meaning", "  --event EVENT  meaning". */
static bool is_about(struct slice line, struct slice name, struct slice *ret_place,
                     struct slice *ret_meaning)
{
    bool found = false, more = true;

    if (!slice_starts(line, SLICE("  -")))
        return false;
    while (more) {
        struct slice word = next_word(&line);

        more = slice_ends(word, SLICE(","));
        if (more)
            word = slice_head(word, word.len - 1);
        found = found || (slice_starts(word, SLICE("--")) && slice_eq(slice_from(word, 2), name));
    }
    /* A placeholder follows at once, a meaning after more than one space. */
    *ret_place = line.len && line.ptr[0] != ' ' ? next_word(&line) : SLICE("");
    *ret_meaning = slice_trim(line);
    return found;
}

/* The first words of what it means: what stands in brackets, behind a semicolon or in further lines is for the help. */
static struct slice shorten(struct slice meaning)
{
    ssize_t bracket = slice_find(meaning, SLICE(" (")), semicolon = slice_find_char(meaning, ';');

    if (bracket > 0)
        meaning = slice_head(meaning, (size_t)bracket);
    if (semicolon > 0 && (size_t)semicolon < meaning.len)
        meaning = slice_head(meaning, (size_t)semicolon);
    return meaning;
}

static bool look_up_in(const char *help, struct slice name, struct slice *ret_place,
                       struct slice *ret_meaning)
{
    struct slice text = slice_of(help), line;

    while (slice_split(&text, '\n', &line)) {
        if (!is_about(line, name, ret_place, ret_meaning))
            continue;
        if (!ret_meaning->len && slice_split(&text, '\n', &line)) /* a long name, then */
            *ret_meaning = slice_trim(line);
        *ret_meaning = shorten(*ret_meaning);
        return true;
    }
    return false;
}

/* What no help describes has neither a meaning nor a placeholder. */
static void look_up(const struct command *c, struct slice name, struct slice *ret_place,
                    struct slice *ret_meaning)
{
    if (look_up_in(c->help, name, ret_place, ret_meaning) ||
        (c->more_help && look_up_in(c->more_help, name, ret_place, ret_meaning)))
        return;
    *ret_place = *ret_meaning = SLICE("");
}

/* "Usage: ostler check [options] [FILE|FOLDER...]": the first word that is neither an option nor the value of one. */
static struct slice operand(struct slice usage)
{
    struct slice word = next_word(&usage);

    while (word.len) {
        if (slice_starts(word, SLICE("[--"))) {
            while (word.len && slice_find_char(word, ']') < 0)
                word = next_word(&usage);
        } else if (slice_starts(word, SLICE("--"))) {
            (void)next_word(&usage);
        } else if (!slice_eq(word, SLICE("[options]"))) {
            size_t from = slice_starts(word, SLICE("[")) ? 1 : 0, to = from;

            while (to < word.len && word.ptr[to] != '.' && word.ptr[to] != ']' &&
                   word.ptr[to] != '[')
                to++;
            return slice_head(slice_from(word, from), to - from);
        }
        word = next_word(&usage);
    }
    return SLICE("");
}

/* What stands in a usage line behind "ostler COMMAND [SUB]". */
static struct slice usage_of(const struct command *c, const char *sub)
{
    struct slice text = slice_of(c->help), line;

    while (slice_split(&text, '\n', &line) && line.len) {
        if (slice_starts(line, SLICE("Usage:")))
            line = slice_from(line, 6);
        (void)next_word(&line); /* ostler */
        (void)next_word(&line);
        if (!sub || slice_eq(next_word(&line), slice_of(sub)))
            return line;
    }
    return SLICE("");
}

/* ---- the command line ---- */

static const struct option *find_option(const struct option *table, struct slice name)
{
    for (; table->name; table++)
        if (slice_eq(slice_of(table->name), name))
            return table;
    return NULL;
}

static void read_line(struct line *l, int argc, char **argv)
{
    *l = (struct line){.words = argv + 1, .n_words = argc > 2 ? (size_t)argc - 2 : 0};
    l->last = argc > 1 ? slice_of(argv[argc - 1]) : SLICE("");

    ssize_t equals = slice_find_char(l->last, '=');
    bool alone = l->n_words && strcmp(l->words[l->n_words - 1], "=") == 0;

    if (slice_eq(l->last, SLICE("="))) {
        l->last = SLICE("");
    } else if (alone) { /* bash's "--event = pus", "--limit memory = 5" */
        l->n_words--;
        if (l->n_words > 1 && !slice_starts(slice_of(l->words[l->n_words - 1]), SLICE("--")))
            l->n_words--;
    } else if (slice_starts(l->last, SLICE("--")) && equals > 2) {
        l->option = slice_from(slice_head(l->last, (size_t)equals), 2);
        l->prefix = slice_head(l->last, (size_t)equals + 1);
        l->last = slice_from(l->last, (size_t)equals + 1);
    }
    if (!l->option.len && l->n_words &&
        slice_starts(slice_of(l->words[l->n_words - 1]), SLICE("--")))
        l->option = slice_of(l->words[l->n_words - 1] + 2);
}

static bool options_ended(const struct line *l)
{
    for (size_t i = 0; i < l->n_words; i++)
        if (strcmp(l->words[i], "--") == 0)
            return true;
    return false;
}

static void complete_command(const struct line *l, const struct command *c, const char *sub)
{
    const struct option *table = c->options_of ? c->options_of(sub ? sub : c->name) : c->options;
    const struct option *o = find_option(table, l->option);
    struct slice place, meaning;

    if (o && o->has_arg == required_argument) {
        look_up(c, l->option, &place, &meaning);
        offer_place(l, place);
    } else if (slice_starts(l->last, SLICE("-")) && !options_ended(l)) {
        for (; table->name; table++) {
            look_up(c, slice_of(table->name), &place, &meaning);
            char word[80];
            snprintf(word, sizeof word, "--%s", table->name);
            offer(l, slice_of(word), meaning);
        }
    } else if (!l->prefix.len) {
        offer_place(l, operand(usage_of(c, sub)));
    }
}

static void complete_sub(const struct line *l, const struct command *c)
{
    const char *name;

    for (size_t i = 0; (name = c->sub(i)); i++) {
        if (l->n_words < 2)
            offer(l, slice_of(name), SLICE(""));
        else if (strcmp(l->words[1], name) == 0)
            complete_command(l, c, name);
    }
}

int cmd_complete(const struct command *commands, size_t n_commands, int argc, char **argv)
{
    struct line l;

    read_line(&l, argc, argv);
    for (size_t i = 0; i < n_commands; i++) {
        const struct command *c = &commands[i];

        if (!c->summary)
            continue;
        if (!l.n_words)
            offer(&l, slice_of(c->name), slice_of(c->summary));
        else if (strcmp(l.words[0], c->name) == 0 && c->sub)
            complete_sub(&l, c);
        else if (strcmp(l.words[0], c->name) == 0)
            complete_command(&l, c, NULL);
    }
    return fflush(stdout) == 0 ? EXIT_OK : EXIT_USAGE;
}
