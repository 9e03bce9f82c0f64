#include "base/random.h"

#include "base/attr.h"
#include "base/err.h"

#include <errno.h>
#include <stdio.h>
#include <sys/random.h>

void random_bytes(void *ret, size_t size)
{
    unsigned char *at = ret;

    while (size > 0) {
        ssize_t n = getrandom(at, size, 0);

        if (n < 0 && errno != EINTR)
            BUG("no random bytes");
        if (n > 0) {
            at += n;
            size -= (size_t)n;
        }
    }
}

int64_t random_between(int64_t low, int64_t high)
{
    uint64_t r, span = (uint64_t)high - (uint64_t)low + 1;

    random_bytes(&r, sizeof r);
    return (int64_t)((uint64_t)low + (span ? r % span : r));
}

void random_uuid(char ret[RANDOM_UUID_SIZE])
{
    unsigned char b[16];

    random_bytes(b, sizeof b);
    b[6] = (unsigned char)((b[6] & 0x0f) | 0x40);
    b[8] = (unsigned char)((b[8] & 0x3f) | 0x80);
    snprintf(ret, RANDOM_UUID_SIZE,
             "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
             b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
             b[15]);
}
