#include "found.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

static int compare_nodes(const void *a, const void *b)
{
    const struct node *x = a, *y = b;

    return semver_compare(&x->version, &y->version);
}

void nodes_in_cache(struct ost_step *step, const char *tools, const char *arch, struct nodes *to)
{
    const char *folder = rel_join(step, tools, "node");
    DIR *d = opendir(folder);
    struct dirent *e;

    while (d && to->n < CACHED_MAX && (e = readdir(d))) {
        struct node node = {0};
        const char *dir;

        if (e->d_name[0] < '0' || e->d_name[0] > '9')
            continue;
        node.text = span_dup(step, span_of(e->d_name));
        dir = ost_fmt(step, "%s/%s/%s", folder, e->d_name, arch);
        if (!semver_parse(span_of(node.text), &node.version) || !file_is_folder(dir) ||
            !file_exists(ost_fmt(step, "%s.complete", dir)))
            continue;
        node.dir = dir;
        to->list[to->n++] = node;
    }
    if (d)
        closedir(d);
    if (to->n > 1)
        qsort(to->list, to->n, sizeof *to->list, compare_nodes);
}

ost_status node_on_path(struct ost_step *step, struct node *ret)
{
    struct ost_exec_result res = OST_RESULT;
    ost_status r = ost_exec(step, &res, .flags = OST_EXEC_QUIET | OST_EXEC_CAPTURE,
                            .argv = OST_ARGV("node", "--version"));
    struct node node = {0};

    if (r < 0)
        return r;
    node.text = res.out[0] == 'v' ? res.out + 1 : res.out;
    if (res.exit_code != 0 || !semver_parse(span_of(node.text), &node.version))
        return OST_E_NOT_FOUND; /* something of that name, but no Node that works */
    *ret = node;
    return OST_OK;
}

/* Even lines get long-term support; which ones have it today is not known without the network. */
static bool is_lts(const struct node *n)
{
    return n->version.major >= 4 && n->version.major % 2 == 0;
}

const struct node *nodes_choose(const struct nodes *nodes, const struct wanted *w)
{
    int lines_back = w->lts_back;
    const struct node *newest = NULL;

    for (size_t i = nodes->n; i > 0; i--) {
        const struct node *n = &nodes->list[i - 1];
        bool valid;

        if (!semver_in(span_of(w->range), &n->version, &valid) || (w->lts && !is_lts(n)))
            continue;
        if (newest && newest->version.major != n->version.major)
            lines_back--;
        newest = n;
        if (lines_back == 0)
            return n;
    }
    return NULL;
}

const char *nodes_list(struct ost_step *step, const struct nodes *nodes)
{
    struct sink k = {.step = step};

    for (size_t i = 0; i < nodes->n; i++)
        sink_addf(&k, "%s%s", i ? ", " : "", nodes->list[i].text);
    return sink_text(&k);
}
