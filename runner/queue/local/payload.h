/* payload - the event document of each event, in GitHub's shape; the parts of event.c. */
#pragma once

#include "queue/local/event.h"

/* What is known about the run, worked out by event.c. All texts set unless said otherwise. */
struct subject {
    struct arena arena;
    const struct local_event_spec *spec;
    const struct git_facts *git;
    const char *server, *owner, *name, *repository; /* "owner/name" */
    const char *actor;
    const char *default_branch;
    const char *ref, *ref_name, *ref_type;
    const char *head, *base; /* branches, of pull requests and the like; else "" */
    const char *before;      /* of a push: where it starts, or zeros */
    bool created;            /* a push makes the ref */
    const char *sha;         /* zeros when there is no commit */
    int64_t number;          /* of the pull request or issue */
};

/* How an event finds its ref: workflow-language.md 6.5. */
enum payload_ref {
    PAYLOAD_REF_HEAD,    /* what is checked out */
    PAYLOAD_REF_DEFAULT, /* the default branch */
    PAYLOAD_REF_PULL,    /* refs/pull/N/merge */
    PAYLOAD_REF_QUEUE,   /* a merge queue's branch */
};

struct payload_event {
    const char *name;
    const char *action; /* NULL: the event has none */
    enum payload_ref ref;
    void (*fill)(struct subject *s, json_t *event); /* NULL: only the common members */
};

const struct payload_event *payload_find(const char *name); /* NULL: unknown */

/* New reference. */
json_t *payload_make(struct subject *s, const struct payload_event *e);
