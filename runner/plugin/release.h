/* release - what an author gives along with an object FILE: FILE.json, the install record that it will have, and
 * FILE.json.sig, an Ed25519 signature of exactly that file. Installing keeps both, byte by byte, as install.json and
 * install.json.sig: so whoever trusts the author's key can tell that object, contract and the commits that are served
 * are the author's, with the runner or without it:
 *
 *     openssl pkeyutl -verify -rawin -pubin -inkey acme.pub.pem -in install.json -sigfile install.json.sig
 *     jq -r '.sha256 + "  " + .object' install.json | sha256sum -c */
#pragma once

#include "base/buf.h"
#include "plugin/plugin.h"

struct release {
    struct buf record, signature; /* empty: there is none */
};

#define RELEASE_INIT                                                                               \
    {                                                                                              \
        .record = BUF_INIT(PLUGIN_RECORD_MAX), .signature = BUF_INIT(4096)                         \
    }

void release_deinit(struct release *r);

/* Gives P, as it described itself, what its record says beyond that: the object's name, and what it SERVES (commits,
 * NULL-terminated; NULL: none). ERR_INVALID: they are no commits. */
MUST_CHECK int release_complete(struct plugin *p, const char *const *serves, struct err *err);

/* What lies beside FILE, whose object has described itself and was completed as P; P then serves what the record says.
 * ERR_INVALID: it is of another object, or damaged. */
MUST_CHECK int release_read(const char *file, struct plugin *p, struct release *ret,
                            struct err *err);

/* The record of P as a file. */
MUST_CHECK int release_record(const struct plugin *p, struct buf *to, struct err *err);

/* Writes both files beside FILE; PEM is the text of the private key. */
MUST_CHECK int release_sign(const char *file, const struct plugin *p, struct slice pem,
                            struct err *err);
