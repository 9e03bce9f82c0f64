#include "lint_check.h"

#include "lint_tool.h"

#include <string.h>

struct check *checks_add(struct ost_step *step, struct checks *to, const struct check *check)
{
    if (to->n == to->room) {
        size_t room = to->room ? to->room * 2 : 8;
        struct check *list = step->host->alloc(step, room * sizeof *list);

        if (to->n > 0)
            memcpy(list, to->list, to->n * sizeof *list);
        to->list = list;
        to->room = room;
    }
    to->list[to->n] = *check;
    return &to->list[to->n++];
}

bool check_is_left_out(const struct check *c)
{
    return !c->argv || c->status == OST_E_NOT_FOUND;
}

const char *check_title(struct ost_step *step, const struct check *c)
{
    return *c->root ? ost_fmt(step, "%s in %s", c->tool->name, c->root) : c->tool->name;
}
