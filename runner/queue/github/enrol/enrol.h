/* enrol - the parts of registering and removing that register.c and its two ways share. */
#pragma once

#include "queue/github/enrol/register.h"
#include "queue/github/api/rest.h"
#include "queue/github/settings.h"
#include "queue/github/api/tenant.h"

struct enrol { /* one registration, or removal, under way */
    const struct github_register_spec *spec;
    struct github_place place;
    char *token;           /* to register or to remove with */
    struct tenant *tenant; /* from here on: what runner-registration answered */
    char *tenant_url, *tenant_token;
    bool use_v2_flow;
};

void enrol_deinit(struct enrol *e); /* wipes */

/* Finds the place, and the token with it. EVENT: "register" or "remove". */
MUST_CHECK int enrol_place(struct enrol *e, const char *event, struct err *err);
/* The same, and asks for the tenant. */
MUST_CHECK int enrol_begin(struct enrol *e, const char *event, struct err *err);
/* Asks the tenant where things are; if it does not say it, that is no error. ERR_SYS, ERR_TIMEOUT: it cannot be reached. */
MUST_CHECK int enrol_discover(struct enrol *e, struct err *err);

/* Gets a token for EVENT with the personal access token that there is, in the place of the one before. */
MUST_CHECK int enrol_exchange(struct enrol *e, const char *event, struct err *err);

/* The tenant at URL may be given the token for PLACE: ERR_FAILED says why not. */
MUST_CHECK int enrol_check_tenant(const struct github_place *place, const char *url,
                                  struct err *err);

/* A question to the tenant; the token is put in here. */
MUST_CHECK int enrol_ask(const struct enrol *e, struct tenant_query *q, const json_t *body,
                         struct rest_answer *ret, struct err *err);

/* The error that A is, when WHAT was asked for ("cannot list the runner groups"). */
int enrol_fail(const struct enrol *e, const struct rest_answer *a, const char *what,
               struct err *err);

/* 1 if a runner of this name may be replaced, else the error that says so. */
MUST_CHECK int enrol_may_replace(const struct enrol *e, struct err *err);

/* ANSWER lists what is called WHAT there: S gets the one that is wanted, called as the spec says, or the one whose member
 * MARK is true; its name is kept by KEEP. ERR_INVALID names those there are. */
MUST_CHECK int enrol_choose_group(const struct enrol *e, const struct rest_answer *answer,
                                  const char *what, const char *mark, struct github_settings *s,
                                  json_t *keep, struct err *err);

/* Its labels, as both ways send them: a new reference. */
json_t *enrol_labels(const struct github_register_spec *spec);

/* The two ways to register: *S is filled in, with a new key that is the caller's (after an error, too), texts borrowed from *KEEP, a new reference; so are *MORE, the members that
 * .credentials has beyond S. */
MUST_CHECK int enrol_by_tenant(struct enrol *e, struct github_settings *s, json_t **keep,
                               json_t *more, struct err *err);
MUST_CHECK int enrol_by_admin(struct enrol *e, struct github_settings *s, json_t **keep,
                              json_t *more, struct err *err);

/* Their opposites: something failed behind the registration of S, and it leaves none behind. Where it does, that is noted. */
void enrol_take_back_from_tenant(struct enrol *e, const struct github_settings *s);
void enrol_take_back_from_admin(struct enrol *e, const struct github_settings *s);
void enrol_is_left(const struct enrol *e);

/* What the two ways do differently when they make the runner of E on the server. */
struct enrol_way {
    int (*find)(struct enrol *e, int64_t *ret,
                struct err *err); /* the id behind the name; 0: nobody has it */
    /* SAME: the id that is to be its own; 0: a new one. */
    int (*send)(struct enrol *e, const struct github_settings *s, int64_t same,
                struct rest_answer *ret, struct err *err);
    void (*take_back)(struct enrol *e, const struct github_settings *s);
};

/* Makes it, in the place of SAME unless that is 0: *RET is the answer, a new reference. After an error the server has
 * none of ours, as far as it can be asked. */
MUST_CHECK int enrol_make(struct enrol *e, struct github_settings *s, const struct enrol_way *way,
                          int64_t same, json_t **ret, struct err *err);
