/* err - why something failed, owned by the caller, nothing to free.
 *
 * A fallible function returns ERR_OK or a negative code and takes "struct err *err" last. Success
 * leaves *ERR alone, failure leaves all other results alone. The text names what failed and its
 * subject in single quotes: "cannot replace 'state.json': No space left on device". */
#pragma once

#include "base/attr.h"

enum err_code {
    ERR_OK = 0,
    ERR_SYS = -1,         /* a system call failed; err.sys is its errno */
    ERR_NOT_FOUND = -2,   /* no such file, program, key */
    ERR_INVALID = -3,     /* input that breaks its own rules */
    ERR_LIMIT = -4,       /* a named limit was reached */
    ERR_DENIED = -5,      /* permission or policy forbids it */
    ERR_CANCELLED = -6,   /* somebody asked to stop */
    ERR_TIMEOUT = -7,     /* a deadline passed */
    ERR_UNSUPPORTED = -8, /* this host or this version cannot */
    ERR_FAILED = -9,      /* the work itself failed; the text says how */
};

enum { ERR_TEXT_SIZE = 240 };

struct err {
    int code; /* enum err_code */
    int sys;  /* errno where a system call failed, else 0 */
    char text[ERR_TEXT_SIZE];
};

#define ERR_INIT                                                                                   \
    {                                                                                              \
        0                                                                                          \
    }

/* Records CODE and the text; returns CODE, so that it is made and returned in one line. */
int err_set(struct err *err, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* The same from errno: appends ": strerror". The code is ERR_NOT_FOUND for ENOENT, ERR_DENIED for
 * EACCES and EPERM, else ERR_SYS. */
int err_sys(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Puts "context: " in front of the text; returns the code that is there. */
int err_in(struct err *err, const char *fmt, ...) PRINTF_LIKE(2, 3);
