#include "job/log/mask_patterns.h"

#include "base/vec.h"
#include "io/regex.h"

struct mask_patterns {
    VEC(struct regex *) list;
};

/* Looks for R in the window TEXT, which begins AT bytes into its line. Returns where a hit begins that reaches the end
 * of the window, and may go on behind it; else the window's length. */
static size_t search_window(struct regex *r, struct slice text, size_t at, struct mask_found *found)
{
    enum regex_result result = REGEX_MISS;

    for (size_t from = 0; from < text.len;) {
        result = regex_search(r, text, from, MASK_STEPS);
        if (result != REGEX_HIT)
            break;
        size_t begin = regex_at(r), len = regex_group(r, 0).len;
        if (len)
            mask_found_add(found, at + begin, len);
        if (len && begin + len == text.len)
            return begin;
        from = begin + (len ? len : 1);
    }
    if (result == REGEX_TIMEOUT)
        mask_found_add(found, at, text.len);
    return text.len;
}

static void search_line(struct regex *r, struct slice line, struct mask_found *found)
{
    for (size_t at = 0; at < line.len;) {
        struct slice window = slice_head(slice_from(line, at), MASK_WINDOW);
        size_t open = search_window(r, window, at, found);

        if (at + window.len == line.len)
            return;
        if (open == 0) { /* longer than a window: where it ends is not known */
            mask_found_add(found, at, line.len - at);
            return;
        }
        /* What is open is seen again from its begin on. */
        at += open < MASK_WINDOW / 2 ? open : MASK_WINDOW / 2;
    }
}

static void search(void *ctx, struct slice text, struct mask_found *found)
{
    struct mask_patterns *p = ctx;

    VEC_EACH (r, &p->list)
        search_line(*r, text, found);
}

struct mask_patterns *mask_patterns_new(const struct strmap *patterns, struct mask *mask,
                                        mask_refused_fn *refused, void *ctx)
{
    struct mask_patterns *p;

    if (!patterns->len)
        return NULL;
    p = mem_new(sizeof *p);
    STRMAP_EACH (i, patterns) {
        struct regex *r = NULL;
        struct err err = ERR_INIT;

        if (p->list.len == MASK_PATTERNS_MAX)
            (void)err_set(&err, ERR_LIMIT, "there are more than %d", MASK_PATTERNS_MAX);
        else
            (void)!regex_new_bytes(strmap_value(i), &r, &err);
        if (r)
            vec_push(&p->list, r);
        else
            refused(ctx, i->name, err.text);
    }
    if (p->list.len)
        mask_search(mask, search, p);
    return p;
}

struct mask_patterns *mask_patterns_free(struct mask_patterns *p)
{
    if (!p)
        return NULL;
    VEC_EACH (r, &p->list)
        regex_free(*r);
    vec_deinit(&p->list);
    free(p);
    return NULL;
}
