#include "lang/cron.h"

#include <stdio.h>

enum { MINUTE = 60, HOUR = 3600, DAY = 86400, FIELDS = 5 };

/* ---- reading ---- */

struct field {
    const char *name;
    int min, max;
    const char *names; /* three letters each, from MIN on; NULL: numbers only */
};

static const struct field fields[FIELDS] = {
    {"minute", 0, 59, NULL},
    {"hour", 0, 23, NULL},
    {"day of month", 1, 31, NULL},
    {"month", 1, 12, "janfebmaraprmayjunjulaugsepoctnovdec"},
    {"day of week", 0, 6, "sunmontuewedthufrisat"},
};

/* Digits only, any number of leading zeros; -1: something else, or far too large. */
static int read_number(struct slice s)
{
    int n = 0;

    for (size_t i = 0; i < s.len; i++) {
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return -1;
        n = n * 10 + s.ptr[i] - '0';
        if (n > 9999)
            return -1;
    }
    return s.len ? n : -1;
}

static int read_value(const struct field *f, struct slice s, int *ret, struct err *err)
{
    int n = read_number(s);

    for (int i = 0; f->names && s.len == 3 && i <= f->max - f->min; i++)
        if (slice_eq_nocase(s, slice_make(f->names + 3 * (size_t)i, 3)))
            n = f->min + i;
    if (s.len == 0)
        return err_set(err, ERR_INVALID, "the %s has an empty place", f->name);
    if (n == 7 && f->max == 6)
        return err_set(err, ERR_INVALID, "the day of week goes from 0 to 6: Sunday is 0");
    if (n < f->min || n > f->max)
        return err_set(err, ERR_INVALID, "'%.*s' is no %s: they go from %d to %d",
                       SLICE_ARG(slice_head(s, 20)), f->name, f->min, f->max);
    *ret = n;
    return ERR_OK;
}

/* "*", a value or a range; FROM and TO are set. */
static int read_range(const struct field *f, struct slice s, int *from, int *to, struct err *err)
{
    ssize_t dash = slice_find_char(s, '-');
    int r;

    if (slice_eq(s, SLICE("*"))) {
        *from = f->min;
        *to = f->max;
        return ERR_OK;
    }
    if ((r = read_value(f, slice_head(s, dash < 0 ? s.len : (size_t)dash), from, err)) < 0)
        return r;
    *to = *from;
    if (dash >= 0 && (r = read_value(f, slice_from(s, (size_t)dash + 1), to, err)) < 0)
        return r;
    if (*to < *from)
        return err_set(err, ERR_INVALID, "the range '%.*s' of the %s runs backwards",
                       SLICE_ARG(slice_head(s, 20)), f->name);
    return ERR_OK;
}

/* One element of a list. A step behind a single value goes on to the field's end. */
static int read_element(const struct field *f, struct slice s, uint64_t *bits, struct err *err)
{
    ssize_t slash = slice_find_char(s, '/');
    struct slice range = slice_head(s, slash < 0 ? s.len : (size_t)slash);
    int from, to, step = 1, r = read_range(f, range, &from, &to, err);

    if (r < 0)
        return r;
    if (slash >= 0) {
        step = read_number(slice_from(s, (size_t)slash + 1));
        if (step <= 0)
            return err_set(err, ERR_INVALID, "the step '%.*s' of the %s is no number above 0",
                           SLICE_ARG(slice_head(slice_from(s, (size_t)slash), 20)), f->name);
        if (slice_find_char(range, '-') < 0)
            to = f->max;
    }
    for (int n = from; n <= to; n += step)
        *bits |= (uint64_t)1 << n;
    return ERR_OK;
}

static int read_field(const struct field *f, struct slice s, uint64_t *ret, struct err *err)
{
    struct slice element;

    *ret = 0;
    while (slice_split(&s, ',', &element)) {
        int r = read_element(f, element, ret, err);

        if (r < 0)
            return r;
    }
    return ERR_OK;
}

int cron_parse(struct slice text, struct cron *ret, struct err *err)
{
    struct slice rest = slice_trim(text), word, words[FIELDS];
    uint64_t bits[FIELDS];
    size_t n = 0;
    int r = ERR_OK;

    if (text.len > CRON_SIZE_MAX)
        return err_set(err, ERR_LIMIT, "it is longer than %d characters", CRON_SIZE_MAX);
    while (slice_split(&rest, ' ', &word)) {
        if (word.len == 0)
            continue; /* several spaces are like one */
        if (n < FIELDS)
            words[n] = word;
        n++;
    }
    if (n != FIELDS)
        return err_set(err, ERR_INVALID, "it has %zu field%s, not 5", n, n == 1 ? "" : "s");
    for (size_t i = 0; i < FIELDS && r == ERR_OK; i++)
        r = read_field(&fields[i], words[i], &bits[i], err);
    if (r < 0)
        return r;
    *ret = (struct cron){
        .minutes = bits[0],
        .hours = (uint32_t)bits[1],
        .days = (uint32_t)bits[2],
        .months = (uint32_t)bits[3],
        .weekdays = (uint32_t)bits[4],
        .any_day = slice_starts(words[2], SLICE("*")),
        .any_weekday = slice_starts(words[4], SLICE("*")),
    };
    return ERR_OK;
}

/* ---- what it says of itself ---- */

bool cron_ever_fires(const struct cron *c)
{
    static const int lengths[] = {0, 31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    if (!c->any_day && !c->any_weekday)
        return true; /* the weekday alone will do */
    for (int month = 1; month <= 12; month++)
        for (int day = 1; day <= lengths[month]; day++)
            if ((c->months & 1U << month) && (c->days & 1U << day))
                return true;
    return false;
}

int cron_shortest_gap(const struct cron *c)
{
    int first = -1, last = -1, gap = HOUR / MINUTE;
    uint32_t next_hours = c->hours >> 1 | (c->hours & 1) << 23;

    for (int m = 0; m < 60; m++) {
        if (!(c->minutes & (uint64_t)1 << m))
            continue;
        if (last >= 0 && m - last < gap)
            gap = m - last;
        last = m;
        first = first < 0 ? m : first;
    }
    if ((c->hours & next_hours) && 60 - last + first < gap)
        gap = 60 - last + first; /* from one hour into the next */
    return gap;
}

/* ---- the calendar: days since 1970 in the proleptic Gregorian one ---- */

struct date {
    int64_t year;
    int month, day, weekday;
};

static int64_t floor_div(int64_t a, int64_t b)
{
    return a / b - (a % b < 0);
}

/* Years begin in March here, so that the odd day is the last of a year. */
static struct date date_of(int64_t days)
{
    int64_t from_0 = days + 719468, era = floor_div(from_0, 146097);
    int64_t doe = from_0 - era * 146097;
    int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
    int month = (int)(mp < 10 ? mp + 3 : mp - 9);

    return (struct date){
        .year = yoe + era * 400 + (month <= 2),
        .month = month,
        .day = (int)(doy - (153 * mp + 2) / 5 + 1),
        .weekday = (int)(days + 4 - 7 * floor_div(days + 4, 7)),
    };
}

static int64_t days_of(int64_t year, int month, int day)
{
    int64_t y = month <= 2 ? year - 1 : year, era = floor_div(y, 400), yoe = y - era * 400;
    int64_t doy = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return era * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
}

/* ---- firing ---- */

static bool fits_day(const struct cron *c, int64_t days)
{
    struct date d = date_of(days);
    bool day = c->days & 1U << d.day, weekday = c->weekdays & 1U << d.weekday;

    if (!(c->months & 1U << d.month))
        return false;
    return c->any_day || c->any_weekday ? day && weekday : day || weekday;
}

static bool every_hour(const struct cron *c)
{
    return c->hours == (1U << 24) - 1;
}

/* The offset that holds at AT. */
static int32_t east_at(const struct cron_zone *zone, int64_t at)
{
    size_t i = zone ? zone->n : 0;

    while (i > 1 && zone->offsets[i - 1].from > at)
        i--;
    return i ? zone->offsets[i - 1].east : 0;
}

static void offer(int64_t at, int64_t after, int64_t *best)
{
    if (at > after && at < *best)
        *best = at;
}

/* Offers the moments at which the zone's clock shows LOCAL. */
static void offer_local(const struct cron *c, const struct cron_zone *zone, int64_t local,
                        int64_t after, int64_t *best)
{
    bool shown = false;

    if (!zone || zone->n == 0) {
        offer(local, after, best);
        return;
    }
    for (size_t i = 0; i < zone->n; i++) {
        int64_t at = local - zone->offsets[i].east;
        bool begun = i == 0 || at >= zone->offsets[i].from;
        bool ended = i + 1 < zone->n && at >= zone->offsets[i + 1].from;

        if (begun && !ended && (!shown || every_hour(c)))
            offer(at, after, best);
        shown |= begun && !ended;
    }
    for (size_t i = 1; !shown && !every_hour(c) && i < zone->n; i++)
        if (local - zone->offsets[i - 1].east >= zone->offsets[i].from &&
            local - zone->offsets[i].east < zone->offsets[i].from)
            offer(zone->offsets[i].from, after, best);
}

/* Offers all firings of one day of the zone's calendar. */
static void offer_day(const struct cron *c, const struct cron_zone *zone, int64_t days,
                      int64_t after, int64_t *best)
{
    if (!fits_day(c, days))
        return;
    for (int h = 0; h < 24; h++)
        for (int m = 0; (c->hours & 1U << h) && m < 60; m++)
            if (c->minutes & (uint64_t)1 << m)
                offer_local(c, zone, days * DAY + h * HOUR + m * MINUTE, after, best);
}

bool cron_next(const struct cron *c, const struct cron_zone *zone, int64_t after, int64_t *ret)
{
    int64_t first = floor_div(after + east_at(zone, after), DAY) - 1, best = INT64_MAX;

    for (int64_t day = first; day <= first + CRON_HORIZON_DAYS; day++) {
        offer_day(c, zone, day, after, &best);
        if (best == INT64_MAX)
            continue;
        /* A clock that is turned back over midnight shows some of the next day first. */
        offer_day(c, zone, day + 1, after, &best);
        *ret = best;
        return true;
    }
    return false;
}

bool cron_fires(const struct cron *c, const struct cron_zone *zone, int64_t at)
{
    int64_t minute = floor_div(at, MINUTE) * MINUTE, next;

    return cron_next(c, zone, minute - 1, &next) && next == minute;
}

/* ---- names and stamps ---- */

bool cron_zone_name(struct slice name)
{
    bool letter = false;

    for (size_t i = 0; i < name.len; i++) {
        char ch = name.ptr[i];
        bool alpha = (ch >= 'a' && ch <= 'z') || (ch >= 'A' && ch <= 'Z');

        letter |= alpha;
        if (!alpha && !(ch >= '0' && ch <= '9') && (ch == '\0' || !strchr("_+-/", ch)))
            return false;
    }
    return letter && name.len < 100 && name.ptr[0] != '/' && !slice_ends(name, SLICE("/")) &&
           slice_find(name, SLICE("//")) < 0;
}

/* Takes COUNT digits and the byte END behind them (0: none) off *REST; -1: something else stands there. */
static int take_digits(struct slice *rest, size_t count, char end)
{
    int n = rest->len >= count + (end != 0) ? read_number(slice_head(*rest, count)) : -1;

    if (n < 0 || (end && rest->ptr[count] != end))
        return -1;
    *rest = slice_from(*rest, count + (end != 0));
    return n;
}

/* "", "Z", "+02:00"; false: something else. */
static bool read_offset(struct slice s, int *ret)
{
    int sign = slice_starts(s, SLICE("-")) ? -1 : 1, h, m;

    *ret = 0;
    if (s.len == 0 || slice_eq(s, SLICE("Z")))
        return true;
    if (s.ptr[0] != '+' && s.ptr[0] != '-')
        return false;
    s = slice_from(s, 1);
    h = take_digits(&s, 2, ':');
    m = take_digits(&s, 2, 0);
    *ret = sign * (h * HOUR + m * MINUTE);
    return h >= 0 && h < 24 && m >= 0 && m < 60 && s.len == 0;
}

int cron_stamp_parse(struct slice text, int64_t *ret, struct err *err)
{
    struct slice rest = text;
    bool space = text.len > 10 && text.ptr[10] == ' ';
    int year = take_digits(&rest, 4, '-'), month = take_digits(&rest, 2, '-');
    int day = take_digits(&rest, 2, space ? ' ' : 'T');
    int hour = take_digits(&rest, 2, ':'), minute = take_digits(&rest, 2, 0), second = 0, east = 0;

    if (slice_starts(rest, SLICE(":"))) {
        rest = slice_from(rest, 1);
        second = take_digits(&rest, 2, 0);
    }
    bool good = year >= 1970 && month >= 1 && month <= 12 && day >= 1 && hour >= 0 && hour < 24 &&
                minute >= 0 && minute < 60 && second >= 0 && second < 60 &&
                read_offset(rest, &east);
    int64_t days = good ? days_of(year, month, day) : 0;
    good = good && date_of(days).day == day; /* no 31st of April */
    if (!good)
        return err_set(err, ERR_INVALID, "'%.*s' is no time like 2026-01-31T10:00Z",
                       SLICE_ARG(slice_head(text, 40)));
    *ret = days * DAY + hour * HOUR + minute * MINUTE + second - east;
    return ERR_OK;
}

void cron_stamp_format(int64_t at, char ret[CRON_STAMP_SIZE])
{
    int64_t days = floor_div(at, DAY), second = at - days * DAY;
    struct date d = date_of(days);

    snprintf(ret, CRON_STAMP_SIZE, "%04u-%02u-%02uT%02u:%02uZ", (unsigned)d.year % 10000,
             (unsigned)d.month % 100, (unsigned)d.day % 100, (unsigned)(second / HOUR) % 100,
             (unsigned)(second % HOUR / MINUTE) % 100);
}
