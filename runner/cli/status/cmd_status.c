#include "cli/status/cmd_status.h"

#include "base/document.h"
#include "base/path.h"
#include "cli/exit.h"
#include "cli/settings.h"
#include "cli/status/columns.h"
#include "cli/wrong_option.h"
#include "listen/ask.h"
#include "listen/snapshot.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>

enum { ANSWER_MS = 5000, AGE_SIZE = 24 };

const char cmd_status_help[] =
    "Usage: ostler status [--socket PATH] [--json]\n"
    "\n"
    "Shows the listeners ('ostler listen') of this machine: registrations and how\n"
    "they get on with their servers, slots, and the jobs that run.\n"
    "\n"
    "  --socket PATH  ask the listener at this socket alone\n"
    "  --json         what they say, as JSON\n"
    "  --help         this text\n"
    "\n"
    "Exit codes: 0 a listener answered, 1 none runs or one gave no answer, 2 wrong\n"
    "usage.\n";

struct options {
    const char *socket; /* NULL: all there are */
    bool json, help;
};

const struct option cmd_status_options[] = {
    {"socket", required_argument, NULL, 's'},
    {"json", no_argument, NULL, 'j'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

static int parse_options(int argc, char **argv, struct options *ret, struct err *err)
{
    struct options o = {0};
    int c;

    opterr = 0;
    optind = 1;
    while ((c = getopt_long(argc, argv, ":h", cmd_status_options, NULL)) >= 0) {
        if (c == 's')
            o.socket = optarg;
        else if (c == 'j')
            o.json = true;
        else if (c == 'h')
            o.help = true;
        else
            return wrong_option(c, argv, "status", cmd_status_options, err);
    }
    if (optind < argc)
        return err_set(err, ERR_INVALID, "'%s' is nothing that 'ostler status' takes",
                       argv[optind]);
    *ret = o;
    return ERR_OK;
}

/* ---- asking ---- */

struct asking {
    json_t *listeners; /* what each said, and "socket" */
    bool failed;       /* one gave no answer */
    bool all;          /* a socket without a listener is what one that was killed has left */
};

static void ask(struct asking *q, const char *socket)
{
    CLEANUP(buf_deinit) struct buf body = BUF_INIT(SNAPSHOT_JSON_MAX);
    struct err err = ERR_INIT;
    json_t *json = NULL;
    int status = 0, r = ask_listener(socket, "/status", ANSWER_MS, &body, &status, &err);

    if (r == ERR_NOT_FOUND && q->all)
        return;
    if (r == ERR_OK && status == 200)
        json = json_loadb(body.ptr, body.len, 0, NULL);
    if (r == ERR_OK && !json_is_object(json))
        r = err_set(&err, ERR_INVALID, "'%s': that is no listener of Ostler's", socket);
    if (r < 0) {
        fprintf(stderr, "ostler status: %s%s\n", err.text,
                r == ERR_DENIED ? " (it is another user's: ask as that one, or as root)" : "");
        json_decref(json);
        q->failed = true;
        return;
    }
    json_object_set_new(json, "socket", json_string(socket));
    json_array_append_new(q->listeners, json);
}

static bool is_socket(const char *name)
{
    return slice_starts(slice_of(name), SLICE("listen-")) &&
           slice_ends(slice_of(name), SLICE(".sock"));
}

static int by_name(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void ask_folder(struct asking *q, const char *folder)
{
    VEC(char *) found = {0};
    DIR *dir = opendir(folder);

    for (struct dirent *e; dir && (e = readdir(dir));)
        if (is_socket(e->d_name))
            vec_push(&found, path_join(folder, e->d_name));
    if (dir)
        closedir(dir);
    if (found.len)
        qsort(found.ptr, found.len, sizeof *found.ptr, by_name);
    VEC_EACH (path, &found) {
        ask(q, *path);
        free(*path);
    }
    vec_deinit(&found);
}

/* ---- showing ---- */

static int64_t number_at(const json_t *object, const char *key)
{
    return json_integer_value(json_object_get(object, key));
}

/* "12s", "3m10s", "2h03m", "5d04h" */
static const char *age(char ret[AGE_SIZE], int64_t s)
{
    if (s < 60)
        snprintf(ret, AGE_SIZE, "%" PRId64 "s", s);
    else if (s < 3600)
        snprintf(ret, AGE_SIZE, "%" PRId64 "m%02ds", s / 60, (int)(s % 60));
    else if (s < 86400)
        snprintf(ret, AGE_SIZE, "%" PRId64 "h%02dm", s / 3600, (int)(s / 60 % 60));
    else
        snprintf(ret, AGE_SIZE, "%" PRId64 "d%02dh", s / 86400, (int)(s / 3600 % 24));
    return ret;
}

/* How it gets on with its server, in a few words. */
static void say_contact(const json_t *r, struct buf *out)
{
    const json_t *contact = json_object_get(r, "contact_s"), *scale = json_object_get(r, "scale");
    const char *trouble = document_text(r, "trouble");
    char ago[AGE_SIZE];

    if (json_is_true(json_object_get(r, "ended")))
        buf_add_str(out, "ended");
    else if (!json_is_integer(contact))
        buf_add_str(out, "no answer yet");
    else
        buf_printf(out, "%s, last answer %s ago",
                   json_is_true(json_object_get(r, "connected")) ? "connected" : "not connected",
                   age(ago, json_integer_value(contact)));
    if (json_is_object(scale))
        buf_printf(out, ", %" PRId64 " of %" PRId64 " to %" PRId64 " runners wanted",
                   number_at(scale, "desired"), number_at(scale, "min"), number_at(scale, "max"));
    if (*trouble)
        buf_printf(out, ": %s", trouble);
}

static void show_registrations(const json_t *listener)
{
    CLEANUP(columns_deinit) struct columns c = {0};
    const json_t *r;
    size_t i;

    json_array_foreach (json_object_get(listener, "registrations"), i, r) {
        CLEANUP(buf_deinit) struct buf contact = BUF_INIT(64 << 10);

        say_contact(r, &contact);
        columns_add(&c, document_text(r, "name"), document_text(r, "kind"), document_text(r, "url"),
                    contact.ptr, NULL);
    }
    columns_print(&c, 2, stdout);
}

static void show_jobs(const json_t *listener)
{
    CLEANUP(columns_deinit) struct columns c = {0};
    const json_t *j;
    size_t i;

    json_array_foreach (json_object_get(listener, "jobs"), i, j) {
        char since[AGE_SIZE];

        age(since, number_at(j, "age_s"));
        columns_add(&c, document_text(j, "key"), document_text(j, "repository"),
                    document_text(j, "name"), document_text(j, "event"),
                    json_is_true(json_object_get(j, "stopping")) ? "stopping" : "running", since,
                    NULL);
    }
    columns_print(&c, 2, stdout);
}

static void show(const json_t *listener)
{
    CLEANUP(columns_deinit) struct columns c = {0};
    const json_t *slots = json_object_get(listener, "slots");
    char up[AGE_SIZE];

    printf("listener %" PRId64 ", up %s: %" PRId64 " of %" PRId64 " slots busy%s\n",
           number_at(listener, "pid"), age(up, number_at(listener, "age_s")),
           number_at(slots, "busy"), number_at(slots, "now"),
           json_is_true(json_object_get(listener, "draining")) ? ", takes no more jobs" : "");
    if (*document_text(listener, "trouble")) {
        columns_add(&c, document_text(listener, "trouble"), NULL);
        columns_print(&c, 2, stdout);
    }
    show_registrations(listener);
    show_jobs(listener);
}

static int report(const struct asking *q, const struct options *o)
{
    const json_t *listener;
    size_t i;

    if (o->json) {
        json_dumpf(q->listeners, stdout, JSON_INDENT(2));
        putchar('\n');
    } else {
        json_array_foreach (q->listeners, i, listener)
            show(listener);
    }
    if (!json_array_size(q->listeners) && !q->failed)
        fputs("ostler status: no listener runs here: 'ostler listen' starts one\n", stderr);
    if (fflush(stdout) != 0) {
        fputs("ostler status: cannot write the answer\n", stderr);
        return EXIT_RUN_FAILED;
    }
    return json_array_size(q->listeners) && !q->failed ? EXIT_OK : EXIT_RUN_FAILED;
}

int cmd_status(int argc, char **argv)
{
    CLEANUP(arena_deinit) struct arena a = ARENA_INIT;
    struct err err = ERR_INIT;
    struct options o;

    if (parse_options(argc, argv, &o, &err) < 0) {
        fprintf(stderr, "ostler status: %s\n", err.text);
        return EXIT_USAGE;
    }
    if (o.help) {
        fputs(cmd_status_help, stdout);
        return EXIT_OK;
    }
    struct asking q = {.listeners = json_array(), .all = !o.socket};
    if (o.socket)
        ask(&q, o.socket);
    else
        for (const char *const *folder = settings_runtime_folders(&a); *folder; folder++)
            ask_folder(&q, *folder);
    int code = report(&q, &o);
    json_decref(q.listeners);
    return code;
}
