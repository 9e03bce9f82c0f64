#include "io/zone.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "base/path.h"
#include "base/slice.h"

#define ZONES_DIR "/usr/share/zoneinfo"

enum { PROBE_STEP = 43200, OFFSETS_MAX = 4096, ZONE_FILE_MAX = 1 << 20 };

/* Whether the data has a zone of that name: the C library takes an unknown one for UTC. */
static int find_zone(const char *name, struct err *err)
{
    CLEANUP(free_ptr) char *path = path_join(ZONES_DIR, name);
    CLEANUP(buf_deinit) struct buf data = BUF_INIT(ZONE_FILE_MAX);
    struct slice s = slice_of(name);
    struct err why = ERR_INIT;
    struct stat st;

    if (stat(ZONES_DIR, &st) < 0)
        return err_set(err, ERR_UNSUPPORTED,
                       "this machine has no time zone data in '" ZONES_DIR
                       "': install the package tzdata");
    if (s.len == 0 || s.ptr[0] == '/' || slice_find(s, SLICE("..")) >= 0 ||
        path_read(AT_FDCWD, path, &data, &why) < 0 ||
        !slice_starts(buf_slice(&data), SLICE("TZif")))
        return err_set(err, ERR_NOT_FOUND, "there is no time zone '%.100s'", name);
    return ERR_OK;
}

static int32_t east_at(int64_t at)
{
    time_t t = (time_t)at;
    struct tm tm;

    return localtime_r(&t, &tm) ? (int32_t)tm.tm_gmtoff : 0;
}

/* The second in (FROM, TO] from which on the offset is no longer EAST. */
static int64_t find_change(int64_t from, int64_t to, int32_t east)
{
    while (to - from > 1) {
        int64_t middle = from + (to - from) / 2;

        if (east_at(middle) == east)
            from = middle;
        else
            to = middle;
    }
    return to;
}

static size_t read_offsets(struct zone_offset *list, int64_t from, int64_t to)
{
    size_t n = 0;

    list[n++] = (struct zone_offset){from, east_at(from)};
    for (int64_t at = from; at < to && n < OFFSETS_MAX;) {
        int64_t next = to - at > PROBE_STEP ? at + PROBE_STEP : to;
        int32_t east = list[n - 1].east;

        if (east_at(next) != east) {
            next = find_change(at, next, east);
            list[n++] = (struct zone_offset){next, east_at(next)};
        }
        at = next;
    }
    return n;
}

int zone_load(struct arena *a, const char *name, int64_t from, int64_t to, const char *tz,
              struct zone_offset **ret, size_t *ret_n, struct err *err)
{
    CLEANUP(free_ptr) char *before = tz ? mem_dup(tz, strlen(tz)) : NULL; /* setenv may move it */
    struct zone_offset *list;
    int r = strcmp(name, "UTC") == 0 ? ERR_OK : find_zone(name, err);

    if (r < 0)
        return r;
    list = arena_array(a, OFFSETS_MAX, sizeof *list);
    setenv("TZ", arena_printf(a, ":" ZONES_DIR "/%s", name), 1);
    tzset();
    *ret_n = read_offsets(list, from, to);
    if (before)
        setenv("TZ", before, 1);
    else
        unsetenv("TZ");
    tzset();
    *ret = list;
    return ERR_OK;
}
