/* web - a loop and a client on it for each test of a suite, in a scratch folder: .init = web_enter, .fini = web_leave. */
#pragma once

#include "io/http.h"
#include "kit/scratch.h"
#include "kit/server.h"

#include <criterion/criterion.h>

static struct loop *loop;
static struct http *client; /* tries again after 20 ms */

static inline void web_enter(void)
{
    const struct http_spec spec = {.retry_ms = 20};
    struct err err = ERR_INIT;

    scratch_enter();
    cr_assert_eq(loop_new(&loop, &err), ERR_OK);
    cr_assert_eq(http_new(&spec, loop, &client, &err), ERR_OK, "%s", err.text);
}

static inline void web_leave(void)
{
    http_free(client);
    loop_free(loop);
    server_stop();
    scratch_leave();
}
