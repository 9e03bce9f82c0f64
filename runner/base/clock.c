#include "base/clock.h"

#include <stdio.h>
#include <string.h>

int64_t clock_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * INT64_C(1000000000) + t.tv_nsec;
}

int64_t clock_ms(void)
{
    return clock_ns() / 1000000;
}

void clock_stamp(char ret[CLOCK_STAMP_SIZE])
{
    struct timespec t;
    struct tm tm;
    char text[64];

    clock_gettime(CLOCK_REALTIME, &t);
    gmtime_r(&t.tv_sec, &tm);
    size_t n = strftime(text, 24, "%Y-%m-%dT%H:%M:%S", &tm);
    snprintf(text + n, sizeof text - n, ".%07ldZ", t.tv_nsec / 100);
    memcpy(ret, text, CLOCK_STAMP_SIZE - 1);
    ret[CLOCK_STAMP_SIZE - 1] = '\0';
}
