/* sign - AWS Signature Version 4, as S3 wants it: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
 * Ours, as libcurl 7.88 (Debian 12) makes other signatures of addresses with a query than S3 does. */
#pragma once

#include "../lib/text.h"

struct sign {
    const char *method, *host; /* "bucket.s3.amazonaws.com:8080" */
    const char *path;          /* escaped by sign_escape(), from the slash on */
    const char *const
        *query; /* "name=value" escaped and sorted, NULL-terminated; "name=" without a value */
    const char *payload;                 /* its SHA-256 in hex */
    const char *access, *secret, *token; /* TOKEN "": none */
    const char *region;
    const char *date;  /* 20130524T000000Z */
    const char *range; /* the header Range; NULL: none */
};

/* Headers for the request, NULL-terminated: Host is libcurl's own. */
const char *const *sign_headers(struct ost_step *step, const struct sign *s);

/* TEXT with all but letters, digits and -._~ as %XX; slashes stay if SLASHES. */
const char *sign_escape(struct ost_step *step, const char *text, bool slashes);
