#include "settings.h"

#include <stdlib.h>

enum { DAYS_MAX = 36500, LEVEL_DEFAULT = 6, LEVEL_MAX = 9 };

/* Reads a number as parseInt() does: "5 days" is 5. False: it begins with none. */
static bool read_number(const char *text, long *ret)
{
    char *end;

    *ret = strtol(text, &end, 10);
    return end != text;
}

ost_status settings_read(struct ost_step *step, struct artifact_upload *ret)
{
    const char *days = step->host->input(step, "retention-days");
    const char *level = step->host->input(step, "compression-level");
    long d = 0, l = LEVEL_DEFAULT;

    if (*days && (!read_number(days, &d) || d < 0))
        return ost_fail(step, OST_E_INVALID, "Invalid retention-days");
    if (*level && !read_number(level, &l))
        return ost_fail(step, OST_E_INVALID, "Invalid compression-level");
    if (l < 0 || l > LEVEL_MAX)
        return ost_fail(step, OST_E_INVALID, "Invalid compression-level. Valid values are 0-9");
    ret->days = (int32_t)(d < DAYS_MAX ? d : DAYS_MAX);
    ret->level = (int32_t)l;
    ret->major = UPLOAD_MAJOR;
    return OST_OK;
}
