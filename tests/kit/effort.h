/* effort - how long a computation takes, whatever else the machine is busy with. */
#pragma once

#include <stdint.h>
#include <time.h>

/* The processors' time that this process has used, in milliseconds. */
static inline int64_t effort_ms(void)
{
    return (int64_t)clock() * 1000 / CLOCKS_PER_SEC;
}
