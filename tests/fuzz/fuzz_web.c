/* What callers of a listener's endpoint send: the head of a request, and in it the name that we are called by. */
#include "listen/web.h"

#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_inside(struct slice whole, struct slice part)
{
    if (part.len && (part.ptr < whole.ptr || part.ptr + part.len > whole.ptr + whole.len))
        BUG("a slice that is not of the head");
    for (size_t i = 0; i < part.len; i++)
        if (part.ptr[i] == '\0' || part.ptr[i] == '\n' || part.ptr[i] == '\r')
            BUG("byte %d of a part is a control character", (int)i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct slice head = slice_make((const char *)data, size);
    struct web_request q = {0};
    int status = web_parse(head, &q);

    if (status == 0) {
        if (!q.path.len || q.path.ptr[0] != '/')
            BUG("a path that does not begin at the root");
        check_inside(head, q.path);
        check_inside(head, q.host);
        (void)web_is_loopback(q.host);
    } else if (status != 400 && status != 405 && status != 505) {
        BUG("status %d", status);
    }
    if (web_is_loopback(head) && size > sizeof "localhost:65535" + 16)
        BUG("%zu bytes are no name of the loopback interface", size);
    return 0;
}
