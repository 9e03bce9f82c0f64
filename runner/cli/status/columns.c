#include "cli/status/columns.h"

#include "report/text.h"

#include <stdarg.h>

void columns_deinit(struct columns *c)
{
    vec_deinit(&c->rows);
    arena_deinit(&c->arena);
}

void columns_add(struct columns *c, ...)
{
    const char **row = arena_array(&c->arena, COLUMNS_MAX + 1, sizeof *row);
    const char *text;
    va_list ap;

    va_start(ap, c);
    for (size_t i = 0; i < COLUMNS_MAX && (text = va_arg(ap, const char *)); i++) {
        CLEANUP(buf_deinit) struct buf clean = BUF_INIT(4 * COLUMNS_CELL_MAX);

        text_clean(&clean, slice_head(slice_of(text), COLUMNS_CELL_MAX),
                   (struct text_style){.utf8 = true});
        row[i] = arena_str(&c->arena, buf_slice(&clean));
    }
    va_end(ap);
    vec_push(&c->rows, row);
}

void columns_print(struct columns *c, int indent, FILE *to)
{
    int widths[COLUMNS_MAX] = {0};

    VEC_EACH (row, &c->rows)
        for (size_t i = 0; (*row)[i]; i++)
            if (text_width(slice_of((*row)[i])) > widths[i])
                widths[i] = text_width(slice_of((*row)[i]));
    VEC_EACH (row, &c->rows) {
        fprintf(to, "%*s", indent, "");
        for (size_t i = 0; (*row)[i]; i++) {
            int gap = (*row)[i + 1] ? widths[i] - text_width(slice_of((*row)[i])) + 2 : 0;

            fprintf(to, "%s%*s", (*row)[i], gap, "");
        }
        fputc('\n', to);
    }
    columns_deinit(c);
}
