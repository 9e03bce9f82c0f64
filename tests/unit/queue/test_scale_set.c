#include "queue/github/scale/set.h"

#include <criterion/criterion.h>
#include <string.h>

#define LONG "0123456789012345678901234567890123456789012345678901234567890123456789"

static struct scale_set_spec good(void)
{
    return (struct scale_set_spec){.url = "https://github.com/acme/widgets",
                                   .credential = {.pat = "P"},
                                   .name = "widgets",
                                   .most = 3,
                                   .owner = "here",
                                   .dir = -1};
}

static void expect(const struct scale_set_spec *spec, const char *said)
{
    struct queue *q = NULL;
    struct err err = ERR_INIT;
    int r = scale_set_new(spec, &q, &err);

    if (!said) {
        cr_assert_eq(r, ERR_OK, "%s", err.text);
        q->ops->free(q);
        return;
    }
    cr_assert_lt(r, 0, "wanted '%s'", said);
    cr_assert_null(q);
    cr_assert_not_null(strstr(err.text, said), "wanted '%s', got '%s'", said, err.text);
}

Test(scale_set, what_is_wrong_with_one_is_said_before_anybody_is_asked)
{
    static const char *const labels[] = {"a", "b\n", NULL};
    struct scale_set_spec s = good();

    expect(&s, NULL);
    s.least = s.most;
    expect(&s, NULL);
    s.least = 4;
    expect(&s, "--min 4 is more than --max 3");
    s = good();
    s.most = 0;
    expect(&s, "--max");
    s = good();
    s.most = SCALE_RUNNERS_MAX + 1;
    expect(&s, "--max");
    s = good();
    s.name = "";
    expect(&s, "--scale-set");
    s.name = LONG;
    expect(&s, "--scale-set");
    s = good();
    s.labels = labels;
    expect(&s, "is no label");
    s = good();
    s.url = "https://github.com";
    expect(&s, "is not what runners are registered with");
}

Test(scale_set, one_that_was_never_wanted_is_over_when_it_is_closed)
{
    struct scale_set_spec s = good();
    struct queue *q = NULL;
    struct queue_health h = {0};
    struct err err = ERR_INIT;

    cr_assert_eq(scale_set_new(&s, &q, &err), ERR_OK, "%s", err.text);
    cr_assert_not(q->ops->done(q));
    q->ops->health(q, &h);
    cr_assert_not_null(h.scale);
    cr_assert_eq(h.scale->most, 3);
    cr_assert_eq(h.scale->desired, 0);
    cr_assert_null(h.trouble);
    q->ops->close(q);
    cr_assert(q->ops->done(q));
    q->ops->health(q, &h);
    cr_assert(h.ended);
    cr_assert_eq(h.exit_code, 0);
    q->ops->free(q);
}
