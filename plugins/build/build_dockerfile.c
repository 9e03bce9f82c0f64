#include "build_dockerfile.h"

#include <string.h>
#include <strings.h>

struct reading {
    struct ost_step *step;
    struct strings stages;
    struct bases bases;
    char escape; /* the character that joins lines */
};

bool image_is_pinned(const char *image)
{
    return strstr(image, "@sha256:") != NULL;
}

static bool has(const struct strings *s, const char *text)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcasecmp(s->list[i], text) == 0)
            return true;
    return false;
}

static bool is_number(const char *text)
{
    return *text && strspn(text, "0123456789") == strlen(text);
}

/* The next word off the front of S; empty at the end. */
static struct span word(struct span *s)
{
    struct span w;

    *s = span_trim(*s);
    w = (struct span){s->at, 0};
    while (w.size < s->size && w.at[w.size] != ' ' && w.at[w.size] != '\t')
        w.size++;
    *s = (struct span){s->at + w.size, s->size - w.size};
    return w;
}

static void add_image(struct reading *r, struct span image)
{
    const char *name = span_dup(r->step, image);

    if (strchr(name, '$')) {
        if (!r->bases.unknown)
            r->bases.unknown = ost_fmt(r->step, "FROM %s", name);
    } else if (strcmp(name, "scratch") != 0 && !has(&r->stages, name) && !is_number(name) &&
               !has(&r->bases.images, name)) {
        strings_add(r->step, &r->bases.images, name);
    }
}

static void read_from(struct reading *r, struct span rest)
{
    struct span image = word(&rest);

    while (span_starts(image, "--"))
        image = word(&rest);
    if (image.size > 0)
        add_image(r, image);
    if (strcasecmp(span_dup(r->step, word(&rest)), "as") == 0)
        strings_add(r->step, &r->stages, span_dup(r->step, word(&rest)));
}

/* COPY --from=image, and RUN --mount=type=bind,from=image. */
static void read_options(struct reading *r, struct span rest)
{
    struct span option = word(&rest);

    for (; span_starts(option, "--"); option = word(&rest)) {
        size_t at;

        if (span_eat(&option, "--from=")) {
            add_image(r, option);
        } else if (span_starts(option, "--mount=") &&
                   (at = span_find(option, "from=")) != SIZE_MAX) {
            struct span image = {option.at + at + 5, option.size - at - 5}, first = image;

            add_image(r, span_eat_until(&image, ',', &first) ? first : image);
        }
    }
}

static void read_instruction(struct reading *r, struct span line)
{
    const char *name = span_dup(r->step, word(&line));

    if (strcasecmp(name, "FROM") == 0)
        read_from(r, line);
    else if (strcasecmp(name, "COPY") == 0 || strcasecmp(name, "RUN") == 0 ||
             strcasecmp(name, "ADD") == 0)
        read_options(r, line);
}

/* "# escape=`" and "# syntax=docker/dockerfile:1", in the lines before the first instruction. The second is an
 * image, too: it is what reads the file. */
static void read_directive(struct reading *r, struct span line)
{
    span_eat(&line, "#");
    line = span_trim(line);
    if (span_eat(&line, "escape=") && line.size == 1)
        r->escape = line.at[0];
    else if (span_eat(&line, "syntax=") && line.size > 0)
        add_image(r, line);
}

static size_t trailing_blanks(struct span line)
{
    size_t n = 0;

    while (n < line.size &&
           (line.at[line.size - n - 1] == ' ' || line.at[line.size - n - 1] == '\t'))
        n++;
    return n;
}

struct bases dockerfile_bases(struct ost_step *step, struct span text)
{
    struct reading r = {.step = step, .escape = '\\'};
    struct sink whole = {.step = step};
    bool top = true;
    struct span line;

    span_eat(&text, "\xef\xbb\xbf");
    while (span_line(&text, &line)) {
        if (span_starts(span_trim(line), "#")) {
            if (top)
                read_directive(&r, span_trim(line));
            continue;
        }
        top = false;
        line.size -= trailing_blanks(line);
        if (line.size > 0 && line.at[line.size - 1] == r.escape) {
            sink_add(&whole, (struct span){line.at, line.size - 1});
            continue;
        }
        sink_add(&whole, line);
        read_instruction(&r, (struct span){sink_text(&whole), whole.size});
        whole = (struct sink){.step = step};
    }
    read_instruction(&r, (struct span){sink_text(&whole), whole.size});
    return r.bases;
}
