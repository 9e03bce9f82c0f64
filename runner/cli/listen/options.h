/* listen_options - the command line of "ostler listen", checked and complete. */
#pragma once

#include "cli/listen/scale.h"
#include "cli/start/options.h"

struct listen_options {
    struct run_options run;    /* those that both have: how jobs are run. Its arena is ours, too */
    VEC(const char *) folders; /* of registrations, as given; empty: all */
    int slots;                 /* 0: as many as the registrations want */
    const char *work;          /* NULL: below the state folder */
    int64_t min_free;          /* bytes; 0: the disk is not looked at */
    int64_t drain_ms;          /* that jobs have after the first SIGTERM; 0: as long as they take */
    int records;               /* jobs whose logs are kept here; 0: none */
    bool once, json;           /* json: --log json */
    bool spent; /* some of it cannot be read a second time: it was wiped, or was stdin */
    const char
        *runner_version; /* of the official runner, as GitHub is told; NULL: ours to choose */
    const char *address, *socket; /* of the monitor; NULL: not said */
    char *
        jitconfig; /* a registration as GitHub gives it for one job; NULL: none. Wiped with the options */
    struct listen_scale scale;
};

void listen_options_init(struct listen_options *o);
void listen_options_deinit(struct listen_options *o);

extern const struct option listen_options_table[];

/* Reads the configuration, then the command line; argv[0] names the command. ERR_INVALID names the option and the cure. */
MUST_CHECK int listen_options_parse(struct listen_options *o, int argc, char **argv,
                                    struct err *err);
