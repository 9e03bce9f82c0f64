#include "job/log/progress.h"

#include <inttypes.h>

static void add_number(struct buf *to, int64_t n)
{
    static const char unit[] = "kMGTPE";
    int64_t whole = n, tenths = 0;
    int at = -1;

    if (n < 10000) {
        buf_printf(to, "%" PRId64, n);
        return;
    }
    while (whole >= 1000) {
        tenths = whole % 1000 / 100;
        whole /= 1000;
        at++;
    }
    buf_printf(to, "%" PRId64 ".%" PRId64 "%c", whole, tenths, unit[at]);
}

/* DONE may be beyond TOTAL, and either as large as it likes. */
static int percent(int64_t done, int64_t total)
{
    if (done >= total)
        return 100;
    return (int)(total > INT64_MAX / 100 ? done / (total / 100) : done * 100 / total);
}

void progress_text(struct buf *to, struct slice label, int64_t done, int64_t total)
{
    buf_add(to, label);
    if (done < 0)
        return;
    if (label.len)
        buf_add_str(to, ": ");
    if (total > 0)
        buf_printf(to, "%d %% (", percent(done, total));
    add_number(to, done);
    if (total >= 0) {
        buf_add_str(to, " of ");
        add_number(to, total);
    }
    if (total > 0)
        buf_add_char(to, ')');
}

bool progress_due(int64_t *last_ms, int64_t now_ms)
{
    if (now_ms - *last_ms < PROGRESS_LINE_MS)
        return false;
    *last_ms = now_ms;
    return true;
}
