#include "queue/clocks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

bool clocks_date(struct slice date, int64_t *ret)
{
    char text[64];
    struct tm tm = {0};

    snprintf(text, sizeof text, "%.*s", SLICE_ARG(slice_head(date, sizeof text - 1)));
    if (!strptime(text, "%a, %d %b %Y %H:%M:%S GMT", &tm))
        return false;
    *ret = (int64_t)timegm(&tm);
    return true;
}

void clocks_text(int64_t seconds, char ret[static CLOCKS_TEXT_SIZE])
{
    time_t when = (time_t)seconds;
    struct tm tm = {0};

    if (!gmtime_r(&when, &tm) || !strftime(ret, CLOCKS_TEXT_SIZE, "%Y-%m-%d %H:%M:%S UTC", &tm))
        snprintf(ret, CLOCKS_TEXT_SIZE, "%" PRId64 " s", seconds);
}

void clocks_say(int64_t ahead, const char *whose, char ret[static CLOCKS_SAY_SIZE])
{
    char ours[CLOCKS_TEXT_SIZE], theirs[CLOCKS_TEXT_SIZE];
    int64_t now = (int64_t)time(NULL);

    clocks_text(now, ours);
    clocks_text(now + ahead, theirs);
    snprintf(ret, CLOCKS_SAY_SIZE,
             "this machine's clock shows %s, %.30s %s: %lld s %s; set it, as with 'timedatectl "
             "set-ntp true'",
             ours, whose, theirs, llabs((long long)ahead), ahead > 0 ? "behind" : "ahead");
}
