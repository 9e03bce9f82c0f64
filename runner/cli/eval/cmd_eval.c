#include "cli/eval/cmd_eval.h"

#include "base/fd.h"
#include "base/path.h"
#include "cli/exit.h"
#include "cli/wrong_option.h"
#include "lang/expr/expr.h"
#include "lang/utf.h"

#include <fcntl.h>
#include <unistd.h>

enum {
    CONTEXT_SIZE_MAX = 64 * 1024 * 1024,
    TEXT_SIZE_MAX = 1024 * 1024, /* of the expression on stdin; its own limit is far lower */
};

const char cmd_eval_help[] =
    "Usage: ostler eval [EXPR] [--context FILE] [--json]\n"
    "\n"
    "Evaluates an expression of GitHub Actions and prints its value as JSON. Without\n"
    "EXPR, or with '-', the expression is read from stdin. The ${{ }} around it may\n"
    "be left out.\n"
    "\n"
    "  --context FILE  JSON object whose members are the contexts:\n"
    "                  {\"github\": {\"ref\": \"refs/heads/main\"}, \"env\": {}}\n"
    "  --json          one line of strict JSON (NaN and infinities become null)\n"
    "  --help          this text\n"
    "\n"
    "All functions are known; success() is true and hashFiles() has no workspace.\n"
    "Exit codes: 0 evaluated, 2 no such file, bad context or bad expression.\n";

struct options {
    const char *context; /* a file; NULL: none */
    const char *text;    /* NULL: read stdin */
    bool json, help;
};

const struct option cmd_eval_options[] = {
    {"context", required_argument, NULL, 'c'},
    {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

/* Letters behind one dash were likely meant as an expression. */
static int refuse(int c, char *const *argv, struct err *err)
{
    struct err what = ERR_INIT;

    (void)wrong_option(c, argv, "eval", cmd_eval_options, &what);
    return err_set(err, ERR_INVALID, "%s%s", what.text,
                   c == '?' && strncmp(argv[optind - 1], "--", 2) != 0
                       ? " (an expression that begins with '-' goes behind '--')"
                       : "");
}

static int one_alone(const char *other, struct err *err)
{
    return err_set(err, ERR_INVALID,
                   "one expression at a time, but there is also '%s': put quotes around it", other);
}

static int parse_options(int argc, char **argv, struct options *ret, struct err *err)
{
    struct options o = {0};
    const char *text = NULL;
    int c;

    opterr = 0;
    optind = 1;
    /* "-": what is no option comes as 1, in its place, so that options may follow the expression; what is behind "--"
     * does not come. */
    while ((c = getopt_long(argc, argv, "-:h", cmd_eval_options, NULL)) >= 0) {
        if (c == 1 && text)
            return one_alone(optarg, err);
        if (c == 1)
            text = optarg;
        else if (c == 'c')
            o.context = optarg;
        else if (c == 'j')
            o.json = true;
        else if (c == 'h')
            o.help = true;
        else
            return refuse(c, argv, err);
    }
    if (argc - optind > (text ? 0 : 1))
        return one_alone(argv[optind + (text ? 0 : 1)], err);
    if (!text && optind < argc)
        text = argv[optind];
    o.text = text && strcmp(text, "-") != 0 ? text : NULL;
    *ret = o;
    return ERR_OK;
}

/* ---- contexts ---- */

static int load_contexts(const char *path, json_t **ret, struct err *err)
{
    CLEANUP(buf_deinit) struct buf text = BUF_INIT(CONTEXT_SIZE_MAX);
    json_error_t error;
    int r = path_read_named(path, &text, err);

    if (r < 0)
        return r;
    json_t *json = json_loadb(text.ptr, text.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, &error);
    if (!json) /* whole numbers of more than 64 bits are no reason to give up */
        json = json_loadb(text.ptr, text.len,
                          JSON_DECODE_ANY | JSON_ALLOW_NUL | JSON_DECODE_INT_AS_REAL, &error);
    if (!json)
        return err_set(err, ERR_INVALID, "context file '%s', line %d, column %d: %s", path,
                       error.line, error.column < 1 ? 1 : error.column, error.text);
    if (!json_is_object(json)) {
        json_decref(json);
        return err_set(
            err, ERR_INVALID,
            "context file '%s', line 1, column 1: it must hold an object with the contexts "
            "as members, as in {\"github\": {}}",
            path);
    }
    *ret = json;
    return ERR_OK;
}

static const json_t *find_context(void *ctx, struct slice name)
{
    json_t *contexts = ctx, *value;
    const char *key;

    json_object_foreach (contexts, key, value) {
        if (slice_eq_nocase(slice_of(key), name))
            return value;
    }
    return NULL;
}

static const char *lower(struct arena *a, const char *text)
{
    char *copy = arena_str(a, slice_of(text));

    for (char *p = copy; *p; p++)
        if (*p >= 'A' && *p <= 'Z')
            *p = (char)(*p + 32);
    return copy;
}

/* GitHub's contexts, and whatever else the file has. */
static const char *const *known_names(struct arena *a, json_t *contexts)
{
    static const char *const usual[] = {"github",  "inputs", "vars", "needs", "strategy", "matrix",
                                        "secrets", "steps",  "job",  "jobs",  "runner",   "env"};
    size_t n = COUNT_OF(usual);
    const char **names = arena_array(a, n + json_object_size(contexts) + 1, sizeof *names);
    const char *key;
    json_t *value;

    memcpy(names, usual, sizeof usual);
    json_object_foreach (contexts, key, value) {
        names[n++] = lower(a, key);
    }
    return names;
}

/* ---- the expression ---- */

static int read_text(struct arena *a, const struct options *o, struct slice *ret, struct err *err)
{
    struct slice s = slice_of(o->text);

    if (!o->text) {
        CLEANUP(buf_deinit) struct buf text = BUF_INIT(TEXT_SIZE_MAX);
        int r = fd_read_all(STDIN_FILENO, &text, err);

        if (r < 0)
            return err_in(err, "stdin");
        s = arena_dup(a, buf_slice(&text));
    }
    s = utf_trim(s);
    /* Pasted out of a workflow: nothing that begins so could be an expression. */
    if (slice_starts(s, SLICE("${{")) && slice_ends(s, SLICE("}}")) && s.len >= 5)
        s = utf_trim(slice_make(s.ptr + 3, s.len - 5));
    *ret = s;
    return ERR_OK;
}

/* The line with the token at OFFSET, and a caret under it. */
static void print_caret(struct slice text, size_t offset)
{
    size_t from = offset, to = offset;

    while (from > 0 && text.ptr[from - 1] != '\n')
        from--;
    while (to < text.len && text.ptr[to] != '\n')
        to++;
    struct slice before = slice_make(text.ptr + from, offset - from);
    fprintf(stderr, "  %.*s\n  ", (int)(to - from), text.ptr + from);
    for (size_t at = 0; at < before.len;)
        fputc(utf_next(before, &at) == '\t' ? '\t' : ' ', stderr);
    fputs("^\n", stderr);
}

static int fail_expression(struct slice text, const struct expr_error *error)
{
    size_t line = 1, column = 1;

    if (error->position == 0) {
        fprintf(stderr, "ostler eval: %.*s\n", SLICE_ARG(error->message));
        return EXIT_USAGE;
    }
    for (size_t at = 0; at < error->offset;) {
        column++;
        if (utf_next(text, &at) == '\n') {
            line++;
            column = 1;
        }
    }
    fprintf(stderr, "ostler eval: line %zu, column %zu: %.*s\n", line, column,
            SLICE_ARG(error->message));
    print_caret(text, error->offset);
    return EXIT_USAGE;
}

static int print_value(struct arena *a, const struct expr_value *v, bool strict)
{
    int r;

    if (strict) {
        json_t *json = expr_to_json(a, v);

        r = json_dumpf(json, stdout, JSON_ENCODE_ANY | JSON_COMPACT);
        json_decref(json);
    } else {
        struct slice text = expr_json_text(a, v);

        r = fwrite(text.ptr, 1, text.len, stdout) == text.len ? 0 : -1;
    }
    if (r < 0 || putchar('\n') == EOF || fflush(stdout) != 0) {
        fprintf(stderr, "ostler eval: cannot write the value\n");
        return EXIT_USAGE;
    }
    return EXIT_OK;
}

static void json_drop(json_t **json)
{
    json_decref(*json);
}

static int fail(const struct err *err)
{
    fprintf(stderr, "ostler eval: %s\n", err->text);
    return EXIT_USAGE;
}

int cmd_eval(int argc, char **argv)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    CLEANUP(json_drop) json_t *contexts = NULL;
    struct options o;
    struct err err = ERR_INIT;
    struct slice text;

    if (parse_options(argc, argv, &o, &err) < 0)
        return fail(&err);
    if (o.help) {
        fputs(cmd_eval_help, stdout);
        return EXIT_OK;
    }
    if (o.context && load_contexts(o.context, &contexts, &err) < 0)
        return fail(&err);
    if (read_text(&a, &o, &text, &err) < 0)
        return fail(&err);

    struct expr_place place = {known_names(&a, contexts), EXPR_FN_JOB_STATUS | EXPR_FN_HASHFILES};
    struct expr_scope scope = {.context = find_context, .ctx = contexts};
    const struct expr *e;
    struct expr_value v;
    struct expr_error error;

    if (expr_parse(&a, text, &place, &e, &error) < 0 || expr_eval(e, &scope, &a, &v, &error) < 0)
        return fail_expression(text, &error);
    return print_value(&a, &v, o.json);
}
