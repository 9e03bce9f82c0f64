#include "io/regex.h"

#include "base/clock.h"
#include "io/late.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum {
    QUICK_TEXT_MAX = 1024, /* bytes; longer lines are watched from the start */
    QUICK_STEPS = 1 << 20, /* of all attempts in a line together: some ten milliseconds at worst */
    CALLOUTS_A_LOOK =
        256, /* between two looks at the clock; each is at most one run over the text */
};

static struct {
    __typeof__(pcre2_compile) *compile;
    __typeof__(pcre2_code_free) *code_free;
    __typeof__(pcre2_compile_context_create) *compile_context_create;
    __typeof__(pcre2_set_newline) *set_newline;
    __typeof__(pcre2_jit_compile) *jit_compile;
    __typeof__(pcre2_pattern_info) *pattern_info;
    __typeof__(pcre2_get_error_message) *get_error_message;
    __typeof__(pcre2_match_context_create) *match_context_create;
    __typeof__(pcre2_match_context_free) *match_context_free;
    __typeof__(pcre2_set_match_limit) *set_match_limit;
    __typeof__(pcre2_set_heap_limit) *set_heap_limit;
    __typeof__(pcre2_set_callout) *set_callout;
    __typeof__(pcre2_match_data_create_from_pattern) *match_data_create;
    __typeof__(pcre2_match_data_free) *match_data_free;
    __typeof__(pcre2_match) *match;
    __typeof__(pcre2_get_ovector_pointer) *get_ovector;
    pcre2_compile_context *context; /* of all expressions; last, it says that all is loaded */
} pcre;

struct regex {
    char *pattern;
    size_t pattern_len;
    pcre2_code *quick;   /* compiled to machine code, where that can be had */
    pcre2_code *watched; /* calls out at every item of the pattern; NULL until it is needed */
    pcre2_match_context *limits;
    pcre2_match_data *data;
    size_t n_groups;
    bool bytes;        /* its texts need not be UTF-8 */
    struct slice text; /* of the last hit */

    int64_t deadline_ms; /* of the search under way */
    unsigned callouts;
};

static int load(struct err *err)
{
    static const struct late_symbol symbols[] = {
        {"pcre2_compile_8", &pcre.compile},
        {"pcre2_code_free_8", &pcre.code_free},
        {"pcre2_compile_context_create_8", &pcre.compile_context_create},
        {"pcre2_set_newline_8", &pcre.set_newline},
        {"pcre2_jit_compile_8", &pcre.jit_compile},
        {"pcre2_pattern_info_8", &pcre.pattern_info},
        {"pcre2_get_error_message_8", &pcre.get_error_message},
        {"pcre2_match_context_create_8", &pcre.match_context_create},
        {"pcre2_match_context_free_8", &pcre.match_context_free},
        {"pcre2_set_match_limit_8", &pcre.set_match_limit},
        {"pcre2_set_heap_limit_8", &pcre.set_heap_limit},
        {"pcre2_set_callout_8", &pcre.set_callout},
        {"pcre2_match_data_create_from_pattern_8", &pcre.match_data_create},
        {"pcre2_match_data_free_8", &pcre.match_data_free},
        {"pcre2_match_8", &pcre.match},
        {"pcre2_get_ovector_pointer_8", &pcre.get_ovector},
        {NULL, NULL},
    };
    int r = pcre.context ? ERR_OK : late_load("libpcre2-8.so.0", "libpcre2-8-0", symbols, err);

    if (r < 0 || pcre.context)
        return r;
    pcre.context = pcre.compile_context_create(NULL);
    if (!pcre.context)
        BUG("out of memory");
    pcre.set_newline(pcre.context, PCRE2_NEWLINE_LF);
    return ERR_OK;
}

/* MORE: options on top of the dialect's. */
static pcre2_code *compile(const struct regex *r, uint32_t more, struct err *err)
{
    /* Never \C, which cuts characters, nor (*UCP), which is not the dialect. */
    const uint32_t dialect =
        (r->bytes ? 0 : PCRE2_UTF) | PCRE2_ALT_BSUX | PCRE2_NEVER_BACKSLASH_C | PCRE2_NEVER_UCP;
    PCRE2_SIZE at = 0;
    int code = 0;
    pcre2_code *c = pcre.compile((PCRE2_SPTR)r->pattern, r->pattern_len, dialect | more, &code, &at,
                                 pcre.context);

    if (!c) {
        PCRE2_UCHAR why[120] = {0};

        pcre.get_error_message(code, why, sizeof why);
        (void)err_set(err, ERR_INVALID, "%s at character %zu of '%.80s'", (const char *)why, at + 1,
                      r->pattern);
    }
    return c;
}

/* Ends a search that is out of time. */
static int look_at_clock(pcre2_callout_block *block, void *ctx)
{
    struct regex *r = ctx;

    (void)block;
    if (r->callouts++ % CALLOUTS_A_LOOK == 0 && clock_ms() >= r->deadline_ms)
        return PCRE2_ERROR_CALLOUT;
    return 0;
}

static int make(struct slice pattern, bool bytes, struct regex **ret, struct err *err)
{
    uint32_t groups = 0;

    if (pattern.len > REGEX_PATTERN_MAX)
        return err_set(err, ERR_LIMIT, "it is longer than %d bytes", REGEX_PATTERN_MAX);
    int e = load(err);
    if (e < 0)
        return e;
    struct regex *r = mem_new(sizeof *r);
    r->pattern = mem_dup(pattern.ptr, pattern.len);
    r->pattern_len = pattern.len;
    r->bytes = bytes;
    r->quick = compile(r, 0, err);
    if (!r->quick) {
        regex_free(r);
        return ERR_INVALID;
    }
    pcre.pattern_info(r->quick, PCRE2_INFO_CAPTURECOUNT, &groups);
    if (groups >= REGEX_GROUPS_MAX) {
        regex_free(r);
        return err_set(err, ERR_LIMIT, "it has %u groups, %d at most", groups,
                       REGEX_GROUPS_MAX - 1);
    }
    (void)pcre.jit_compile(r->quick, PCRE2_JIT_COMPLETE); /* where not, it is interpreted */
    r->n_groups = groups + 1;
    r->data = pcre.match_data_create(r->quick, NULL);
    r->limits = pcre.match_context_create(NULL);
    if (!r->data || !r->limits)
        BUG("out of memory");
    pcre.set_heap_limit(r->limits, REGEX_HEAP_MAX >> 10);
    pcre.set_callout(r->limits, look_at_clock, r);
    *ret = r;
    return ERR_OK;
}

int regex_new(struct slice pattern, struct regex **ret, struct err *err)
{
    return make(pattern, false, ret, err);
}

int regex_new_bytes(struct slice pattern, struct regex **ret, struct err *err)
{
    return make(pattern, true, ret, err);
}

struct regex *regex_free(struct regex *r)
{
    if (!r)
        return NULL;
    pcre.match_data_free(r->data);
    pcre.match_context_free(r->limits);
    pcre.code_free(r->quick);
    pcre.code_free(r->watched);
    free(r->pattern);
    free(r);
    return NULL;
}

size_t regex_groups(const struct regex *r)
{
    return r->n_groups;
}

static int find(struct regex *r, const pcre2_code *code, size_t from, uint32_t limit)
{
    pcre.set_match_limit(r->limits, limit);
    return pcre.match(code, (PCRE2_SPTR)(r->text.len ? r->text.ptr : ""), r->text.len, from,
                      PCRE2_NO_UTF_CHECK, r->data, r->limits);
}

enum regex_result regex_find(struct regex *r, struct slice text, int64_t deadline_ms)
{
    struct err err = ERR_INIT;
    int n = PCRE2_ERROR_MATCHLIMIT;

    r->text = text;
    r->deadline_ms = deadline_ms;
    r->callouts = 0;
    /* The limit counts for each place where a match could begin. */
    if (text.len <= QUICK_TEXT_MAX)
        n = find(r, r->quick, 0, QUICK_STEPS / (uint32_t)(text.len + 1));
    if (n < 0 && n != PCRE2_ERROR_NOMATCH) {
        if (!r->watched)
            r->watched = compile(r, PCRE2_AUTO_CALLOUT, &err);
        if (!r->watched) /* with them it passes a limit of the library */
            return REGEX_TIMEOUT;
        n = find(r, r->watched, 0, UINT32_MAX);
    }
    if (n == PCRE2_ERROR_NOMATCH)
        return REGEX_MISS;
    return n < 0 ? REGEX_TIMEOUT : REGEX_HIT;
}

enum regex_result regex_search(struct regex *r, struct slice text, size_t from, unsigned steps)
{
    r->text = text;
    int n = find(r, r->quick, from, steps);
    if (n == PCRE2_ERROR_NOMATCH)
        return REGEX_MISS;
    return n < 0 ? REGEX_TIMEOUT : REGEX_HIT;
}

size_t regex_at(const struct regex *r)
{
    return pcre.get_ovector(r->data)[0];
}

struct slice regex_group(const struct regex *r, size_t n)
{
    const PCRE2_SIZE *at = pcre.get_ovector(r->data) + 2 * n;

    if (n >= r->n_groups || at[0] == PCRE2_UNSET || at[1] <= at[0] || at[1] > r->text.len)
        return SLICE("");
    return slice_make(r->text.ptr + at[0], at[1] - at[0]);
}
