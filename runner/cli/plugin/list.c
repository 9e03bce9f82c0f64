/* ostler plugin list: what is installed, from the install records; nothing is loaded. */
#include "cli/plugin/cmds.h"

#include "base/fd.h"
#include "base/path.h"
#include "cli/exit.h"
#include "cli/settings.h"

#include <stdio.h>

static void warn_bad(void *ctx, const struct err *err)
{
    (void)ctx;
    fprintf(stderr, "ostler plugin: left out: %s\n", err->text);
}

void plugin_needs_text(const struct plugin *p, struct buf *to)
{
    if (p->needs & OST_NEED_NETWORK)
        buf_add_str(to, "network");
    if (p->needs & OST_NEED_WORKSPACE_WRITE)
        buf_printf(to, "%sworkspace-write", to->len ? "," : "");
    if (!to->len)
        buf_add_char(to, '-');
}

void plugin_verdict(const struct plugin *p, const struct trust_policy *policy, struct err *ret)
{
    CLEANUP(fd_closep) int object = -1;

    (void)err_set(ret, ERR_OK, "allowed");
    (void)!trust_open(policy, p, &object, ret); /* its text is the verdict */
}

static void list_json(const struct plugin_list *l, const struct trust_policy *policy)
{
    json_t *all = json_array();

    VEC_EACH (one, &l->list) {
        json_t *j = plugin_to_json(*one);
        CLEANUP(free_ptr) char *folder = path_join((*one)->root, (*one)->folder);
        struct err verdict;

        plugin_verdict(*one, policy, &verdict);
        json_object_set_new(j, "folder", json_string(folder));
        json_object_set_new(j, "allowed", json_boolean(verdict.code == ERR_OK));
        json_object_set_new(j, "verdict", json_string(verdict.text));
        json_array_append_new(all, j);
    }
    json_dumpf(all, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(all);
}

enum { COLUMNS = 4, CELL_MAX = 4096 };

/* A row for people: PLUGIN, VERSION, NEEDS, VERDICT; the folder, which is the longest, comes last. */
struct row {
    struct buf cells[COLUMNS];
    char *folder;
};

static void row_init(struct row *r)
{
    for (size_t i = 0; i < COLUMNS; i++)
        r->cells[i] = (struct buf)BUF_INIT(CELL_MAX);
    r->folder = NULL;
}

static void row_deinit(struct row *r)
{
    for (size_t i = 0; i < COLUMNS; i++)
        buf_deinit(&r->cells[i]);
    free(r->folder);
}

static void fill_row(struct row *r, const struct plugin *p, const struct err *verdict)
{
    buf_add_str(&r->cells[0], p->id);
    buf_add_str(&r->cells[1], p->version);
    plugin_needs_text(p, &r->cells[2]);
    buf_add_str(&r->cells[3], verdict->code == ERR_OK ? "allowed" : "refused");
    r->folder = path_join(p->root, p->folder);
}

static void print_row(const struct row *r, const size_t width[COLUMNS])
{
    for (size_t i = 0; i < COLUMNS; i++)
        printf("%-*s  ", (int)width[i], r->cells[i].ptr);
    printf("%s\n", r->folder);
}

static void list_text(const struct plugin_list *l, const struct trust_policy *policy)
{
    static const char *const titles[COLUMNS] = {"PLUGIN", "VERSION", "NEEDS", "VERDICT"};
    struct row *rows = mem_new((l->list.len + 1) * sizeof *rows);
    struct err *verdicts = mem_new(l->list.len * sizeof *verdicts);
    size_t width[COLUMNS] = {0}, n = l->list.len + 1;

    for (size_t i = 0; i < n; i++)
        row_init(&rows[i]);
    for (size_t i = 0; i < COLUMNS; i++)
        buf_add_str(&rows[0].cells[i], titles[i]);
    rows[0].folder = mem_dup("FOLDER", 6);
    for (size_t i = 1; i < n; i++) {
        plugin_verdict(l->list.ptr[i - 1], policy, &verdicts[i - 1]);
        fill_row(&rows[i], l->list.ptr[i - 1], &verdicts[i - 1]);
    }
    for (size_t i = 0; i < n; i++)
        for (size_t c = 0; c < COLUMNS; c++)
            if (rows[i].cells[c].len > width[c])
                width[c] = rows[i].cells[c].len;
    for (size_t i = 0; i < n; i++) {
        print_row(&rows[i], width);
        if (i && verdicts[i - 1].code < 0)
            printf("  may not run: %s\n", verdicts[i - 1].text);
        row_deinit(&rows[i]);
    }
    free(rows);
    free(verdicts);
}

int plugin_cmd_list(struct arena *a, struct plugin_options *o)
{
    const char *const *roots = settings_plugin_path(a, &o->config);
    struct plugin_list list = {0};

    plugin_list_load(roots, &list, warn_bad, NULL);
    if (o->json) {
        list_json(&list, o->policy);
    } else if (list.list.len) {
        list_text(&list, o->policy);
    } else {
        fprintf(stderr, "No plugins are installed. Searched:\n");
        for (; *roots; roots++)
            fprintf(stderr, "  %s\n", *roots);
    }
    plugin_list_deinit(&list);
    return EXIT_OK;
}
