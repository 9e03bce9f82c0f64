/* The jobs of a plan and what they need, as a drawing or as the text that a program draws. */
#include "base/document.h"
#include "base/vec.h"
#include "cli/plan/parts.h"
#include "report/text.h"

#include <stdio.h>

enum { LABEL_MAX = 2000, ROW_WIDTH = 100 };

static const json_t *calls_of(const json_t *job)
{
    const json_t *config = json_array_get(json_object_get(job, "configurations"), 0);

    return json_object_get(json_object_get(config, "call"), "jobs");
}

static bool runs(const json_t *job)
{
    return strcmp(document_text(job, "verdict"), "runs") == 0;
}

static const char *fate_words(const char *verdict)
{
    if (strcmp(verdict, "unknown") == 0)
        return "may be skipped";
    return strcmp(verdict, "after-failure") == 0 ? "after a failure" : verdict;
}

/* What stands behind the job's name: "", "3 configurations", "skipped". */
static void add_extra(struct buf *to, const json_t *job)
{
    const json_t *configs = json_object_get(job, "configurations");
    const json_t *matrix = json_object_get(json_array_get(configs, 0), "matrix");

    if (json_object_get(matrix, "unknown"))
        buf_add_str(to, "matrix not known yet");
    else if (json_array_size(configs) > 1)
        buf_printf(to, "%zu configurations", json_array_size(configs));
    if (!runs(job))
        buf_printf(to, "%s%s", to->len ? ", " : "", fate_words(document_text(job, "verdict")));
}

/* ---- for programs ---- */

struct drawing {
    bool dot;
    int next; /* number of the next node or group */
};

/* TEXT inside double quotes; what would end them, or the line, is written as the language wants it. */
static void put_quoted(const struct drawing *d, const char *text)
{
    CLEANUP(buf_deinit) struct buf clean = BUF_INIT(LABEL_MAX * 4);
    struct text_style style = {.utf8 = true};

    text_clean(&clean, slice_head(slice_of(text), LABEL_MAX), style);
    putchar('"');
    for (size_t i = 0; i < clean.len; i++) {
        char c = clean.ptr[i];

        if (d->dot && (c == '"' || c == '\\'))
            printf("\\%c", c);
        else if (!d->dot && strchr("\"#<>&", c))
            printf("#%d;", c);
        else
            putchar(c);
    }
    putchar('"');
}

static void put_node(const struct drawing *d, int indent, int number, const json_t *job)
{
    CLEANUP(buf_deinit) struct buf extra = BUF_INIT(200), label = BUF_INIT(LABEL_MAX);

    add_extra(&extra, job);
    buf_printf(&label, "%s%s%s%s", document_text(job, "id"), extra.len ? " (" : "",
               extra.len ? extra.ptr : "", extra.len ? ")" : "");
    printf("%*sj%d%s", indent, "", number, d->dot ? " [label=" : "[");
    put_quoted(d, label.ptr);
    if (d->dot)
        printf("%s];\n", runs(job) ? "" : ", style=dashed");
    else
        printf("]%s\n", runs(job) ? "" : ":::dashed");
}

static void open_group(struct drawing *d, int indent, const char *title)
{
    printf("%*ssubgraph %s%d%s", indent, "", d->dot ? "cluster_" : "g", d->next++,
           d->dot ? " {\n" : "[");
    if (d->dot)
        printf("%*slabel=", indent + 2, "");
    put_quoted(d, title);
    printf("%s\n", d->dot ? ";" : "]");
}

static void close_group(const struct drawing *d, int indent)
{
    printf("%*s%s\n", indent, "", d->dot ? "}" : "end");
}

static int number_of(const json_t *list, const int *numbers, const char *id)
{
    json_t *job;
    size_t i;

    json_array_foreach (list, i, job)
        if (strcmp(document_text(job, "id"), id) == 0)
            return numbers[i];
    return -1;
}

/* A call is a node, and a group beside it with what it does. */
static void draw(struct drawing *d, int indent, const json_t *list)
{
    int *numbers = mem_new((json_array_size(list) + 1) * sizeof *numbers);
    json_t *job, *need;
    size_t i, k;

    json_array_foreach (list, i, job) {
        numbers[i] = d->next++;
        put_node(d, indent, numbers[i], job);
    }
    json_array_foreach (list, i, job) {
        json_array_foreach (json_object_get(job, "needs"), k, need) {
            int from = number_of(list, numbers, json_string_value(need));

            if (from >= 0)
                printf("%*sj%d %s j%d%s\n", indent, "", from, d->dot ? "->" : "-->", numbers[i],
                       d->dot ? ";" : "");
        }
    }
    json_array_foreach (list, i, job) {
        if (!calls_of(job))
            continue;
        open_group(d, indent, document_text(job, "id"));
        draw(d, indent + 2, calls_of(job));
        close_group(d, indent);
    }
    free(numbers);
}

static void draw_all(const json_t *workflows, bool dot)
{
    struct drawing d = {.dot = dot};
    json_t *w;
    size_t i;

    puts(dot ? "digraph plan {\n  rankdir=LR;\n  node [shape=box];" : "flowchart LR");
    json_array_foreach (workflows, i, w) {
        if (!json_is_true(json_object_get(w, "starts")))
            continue;
        open_group(&d, 2, document_text(w, "name"));
        draw(&d, 4, json_object_get(w, "jobs"));
        close_group(&d, 2);
    }
    puts(dot ? "}" : "  classDef dashed stroke-dasharray: 5 5");
}

/* ---- boxes, a row a stage ---- */

struct box {
    struct buf lines[3]; /* name, extra, what it is after; the last two may be empty */
    int width;
};

static void box_line(struct box *b, size_t at, const char *text)
{
    struct text_style style = {.utf8 = true};
    int width;

    b->lines[at] = (struct buf)BUF_INIT(LABEL_MAX * 4);
    text_clean(&b->lines[at], slice_head(slice_of(text), LABEL_MAX), style);
    width = text_width(buf_slice(&b->lines[at]));
    b->width = width > b->width ? width : b->width;
}

static void make_box(struct box *b, const json_t *job)
{
    CLEANUP(buf_deinit) struct buf extra = BUF_INIT(200), after = BUF_INIT(LABEL_MAX);
    json_t *need;
    size_t i;

    add_extra(&extra, job);
    json_array_foreach (json_object_get(job, "needs"), i, need)
        buf_printf(&after, "%s%s", i ? ", " : "after ", json_string_value(need));
    box_line(b, 0, document_text(job, "id"));
    box_line(b, 1, extra.len ? extra.ptr : "");
    box_line(b, 2, after.len ? after.ptr : "");
}

static void put_dashes(int n)
{
    while (n-- > 0)
        putchar('-');
}

static void put_edges(int indent, const struct box *boxes, size_t n)
{
    printf("%*s", indent, "");
    for (size_t i = 0; i < n; i++) {
        printf("%s+", i ? "  " : "");
        put_dashes(boxes[i].width + 2);
        putchar('+');
    }
    putchar('\n');
}

/* How many of the N boxes have room side by side; one at least. */
static size_t fitting(int indent, const struct box *boxes, size_t n)
{
    size_t fit = 0;

    for (int width = indent; fit < n; fit++) {
        width += boxes[fit].width + 6;
        if (fit && width > ROW_WIDTH)
            break;
    }
    return fit;
}

static void put_row(int indent, const struct box *boxes, size_t n)
{
    put_edges(indent, boxes, n);
    for (size_t at = 0; at < 3; at++) {
        bool any = false;

        for (size_t i = 0; i < n; i++)
            any |= boxes[i].lines[at].len > 0;
        if (!any)
            continue;
        printf("%*s", indent, "");
        for (size_t i = 0; i < n; i++) {
            const struct buf *text = &boxes[i].lines[at];

            printf("%s| %s%*s |", i ? "  " : "", text->len ? text->ptr : "",
                   boxes[i].width - text_width(buf_slice(text)), "");
        }
        putchar('\n');
    }
    put_edges(indent, boxes, n);
}

static void put_stages(int indent, const json_t *list)
{
    size_t n_jobs = json_array_size(list);

    for (size_t from = 0, to; from < n_jobs; from = to) {
        json_int_t stage = json_integer_value(json_object_get(json_array_get(list, from), "stage"));
        struct box *boxes = mem_new(n_jobs * sizeof *boxes);

        for (to = from; to < n_jobs; to++) {
            const json_t *job = json_array_get(list, to);

            if (json_integer_value(json_object_get(job, "stage")) != stage)
                break;
            make_box(&boxes[to - from], job);
        }
        if (from)
            printf("%*s  |\n%*s  v\n", indent, "", indent, "");
        for (size_t at = 0, fit; at < to - from; at += fit) {
            fit = fitting(indent, boxes + at, to - from - at);
            put_row(indent, boxes + at, fit);
        }
        for (size_t i = from; i < to; i++) {
            const json_t *job = json_array_get(list, i);

            for (size_t k = 0; k < 3; k++)
                buf_deinit(&boxes[i - from].lines[k]);
            if (!calls_of(job))
                continue;
            printf("%*sinside %s:\n", indent + 4, "", document_text(job, "id"));
            put_stages(indent + 4, calls_of(job));
        }
        free(boxes);
    }
}

void plan_graph(const json_t *plan, const char *format)
{
    const json_t *workflows = json_object_get(plan, "workflows");
    json_t *w;
    size_t i;

    if (strcmp(format, "ascii") != 0) {
        draw_all(workflows, strcmp(format, "dot") == 0);
        return;
    }
    json_array_foreach (workflows, i, w) {
        if (!json_is_true(json_object_get(w, "starts")))
            continue;
        printf("%s\n", document_text(w, "name"));
        put_stages(0, json_object_get(w, "jobs"));
    }
}
