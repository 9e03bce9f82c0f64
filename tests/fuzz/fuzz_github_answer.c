/* What GitHub's services answer, errors and messages of the queue. The first byte picks which. */
#include "queue/github/api/answer.h"
#include "queue/github/message/envelope.h"
#include "queue/github/lease.h"
#include "queue/github/refresh.h"
#include "queue/loose.h"

#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void answer(struct slice text)
{
    static const int statuses[] = {200, 302, 400, 401, 403, 404, 409, 422, 429, 500};
    struct answer a;

    if (!text.len)
        return;
    int status = statuses[(unsigned char)text.ptr[0] % COUNT_OF(statuses)];
    answer_read(status, slice_from(text, 1), slice_head(text, 4), &a);
    if (!answer_name(a.kind) || (status != 200 && a.kind == ANSWER_FINE))
        BUG("%d became %d", status, (int)a.kind);
    for (const char *c = a.text; *c; c++)
        if ((unsigned char)*c < ' ')
            BUG("a line has %d in it", *c);
}

static void message(struct slice text)
{
    struct envelope_key key = {.used = text.len % 2};
    struct envelope e = {0};
    struct envelope_reference r;
    struct err err = ERR_INIT;
    CLEANUP(loose_freep) json_t *doc = NULL;

    if (envelope_open(text, &key, &e, &err) == ERR_OK) {
        if (loose_parse(slice_make(e.body, e.size), &doc, &err) == ERR_OK) {
            envelope_reference_read(doc, &r);
            if (envelope_duration(loose_text(doc, "timeout"), 0) < 0 ||
                lease_time(loose_text(doc, "lockedUntil")) < -1)
                BUG("a time before all times");
        }
    } else if (e.body || !err.text[0]) {
        BUG("half a message, or an error without a text");
    }
    envelope_deinit(&e);
    (void)envelope_find_id(text, &e.id);
}

/* A line is the present file, the rest what the tenant answers. */
static void refresh(struct slice text)
{
    struct slice first = {0};
    struct err err = ERR_INIT;
    CLEANUP(loose_freep) json_t *now = NULL;
    struct github_refresh r;

    (void)slice_split(&text, '\n', &first);
    if (loose_parse(first, &now, &err) < 0)
        return;
    (void)!github_refresh_read(now, 7, &r, &err);
    for (int i = 0; i < 2; i++) {
        CLEANUP(loose_freep) json_t *fresh = NULL;
        struct err why = ERR_INIT;
        int failed = github_refresh_answer(text, i ? ".runner" : ".credentials", now, &fresh, &why);

        if ((failed < 0) != (why.text[0] != '\0') || (failed < 0 && fresh) ||
            (fresh && !json_is_object(fresh)))
            BUG("half an answer, or an error without a text");
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice text = slice_make((const char *)data + 1, size ? size - 1 : 0);

    if (!size)
        return 0;
    if (data[0] == 'a')
        answer(text);
    else if (data[0] == 'r')
        refresh(text);
    else
        message(text);
    return 0;
}
