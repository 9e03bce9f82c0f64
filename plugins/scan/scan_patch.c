#include "scan_patch.h"

#include "../lib/changes.h"

#include <string.h>

const char *const patch_options[] = {
    "--no-color", "--no-ext-diff",   "--no-textconv",   "--unified=0", "--no-renames",
    "--relative", "--src-prefix=a/", "--dst-prefix=b/", NULL,
};

/* "+++ b/name": what is gone has no name. Nearly all of them are plain, and a history has millions, so only those that
 * git put in quotes take memory. */
static void read_name(struct patch *p, struct span line)
{
    struct span name = line, before;

    p->file[0] = '\0';
    if (span_starts(line, "+++ \"")) {
        const char *unquoted = changes_name(p->step, line);

        name = span_of(unquoted ? unquoted : "");
    } else if (!span_eat(&name, "+++ b/")) {
        return;
    } else if (span_eat_until(&name, '\t', &before)) {
        name = before; /* a name with blanks is followed by a tab */
    }
    if (name.size < sizeof p->file && !memchr(name.at, '\0', name.size)) {
        memcpy(p->file, name.at, name.size);
        p->file[name.size] = '\0';
    }
}

static void read_commit(struct patch *p, struct span line)
{
    span_eat(&line, "commit ");
    if (line.size < sizeof p->commit) {
        memcpy(p->commit, line.at, line.size);
        p->commit[line.size] = '\0';
    }
    p->file[0] = '\0';
}

static void hand_out(struct patch *p, struct span text)
{
    const struct patch_line line = {p->commit, p->file, p->number, text};

    if (*p->file)
        p->found(p->ctx, &line);
}

/* A line of a hunk. False: the hunk is over. */
static bool read_body(struct patch *p, struct span line)
{
    if (line.size > 0 && line.at[0] == '-' && p->n_old > 0) {
        p->n_old--;
        return true;
    }
    if (line.size > 0 && line.at[0] == '+' && p->n_new > 0) {
        p->n_new--;
        hand_out(p, (struct span){line.at + 1, line.size - 1});
        p->number += p->number < UINT32_MAX;
        return true;
    }
    return false;
}

static void read_line(struct patch *p, struct span line)
{
    uint32_t n_old, n_new;

    if (read_body(p, line))
        return;
    if (changes_hunk(line, &n_old, &p->number, &n_new)) {
        p->n_old = n_old;
        p->n_new = n_new;
    } else if (span_starts(line, "+++ ")) {
        read_name(p, line);
    } else if (span_starts(line, "diff --git ")) {
        p->file[0] = '\0';
        p->n_old = p->n_new = 0;
    } else if (span_starts(line, "commit ")) {
        read_commit(p, line);
    }
}

static bool is_added(const struct patch *p)
{
    return p->piece || (p->size > 0 && p->line[0] == '+' && p->n_new > 0);
}

/* The line is longer than there is room: of an added one a piece is handed out, of any other the rest is let go. */
static void read_piece(struct patch *p)
{
    bool added = is_added(p);
    size_t keep = added ? PATCH_OVERLAP : 1;
    size_t from = p->piece ? 0 : 1;

    if (added)
        hand_out(p, (struct span){p->line + from, p->size - from});
    p->piece = added;
    if (added)
        memmove(p->line, p->line + p->size - keep, keep);
    p->size = keep;
}

static void end_line(struct patch *p)
{
    struct span line = {p->line, p->size};

    if (line.size > 0 && line.at[line.size - 1] == '\r')
        line.size--;
    if (p->piece) {
        hand_out(p, line);
        p->n_new -= p->n_new > 0;
        p->number += p->number < UINT32_MAX;
    } else {
        read_line(p, line);
    }
    p->piece = false;
    p->size = 0;
}

void patch_feed(struct patch *p, const char *data, size_t size)
{
    if (!p->line)
        p->line = p->step->host->alloc(p->step, PATCH_LINE_MAX);
    while (size > 0) {
        const char *end = memchr(data, '\n', size);
        size_t n = end ? (size_t)(end - data) : size, room = PATCH_LINE_MAX - p->size;

        if (n > room)
            n = room;
        memcpy(p->line + p->size, data, n);
        p->size += n;
        data += n;
        size -= n;
        if (size > 0 && *data == '\n') {
            end_line(p);
            data++;
            size--;
        } else if (p->size == PATCH_LINE_MAX) {
            read_piece(p);
        }
    }
}

void patch_end(struct patch *p)
{
    if (p->size > 0)
        end_line(p);
}
