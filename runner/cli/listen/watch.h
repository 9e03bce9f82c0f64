/* listen_watch - who looks on while "ostler listen" runs: its lines on stderr, the service manager, the endpoint with its
 * metrics. A listener does its work whether or not any of them is there. */
#pragma once

#include "listen/listener.h"

struct listen_watch;

struct listen_watch_spec {
    bool json; /* lines are JSON; else for the journal or people */
    const char *address,
        *socket; /* of the endpoint; socket NULL: that of settings_listen_socket() */
};

/* Never fails: only lines are written before listen_watch_begin(). */
struct listen_watch *listen_watch_new(const struct listen_watch_spec *spec);
struct listen_watch *
listen_watch_free(struct listen_watch *w); /* before loop and listener; returns NULL */

/* Why there is no listener: the last that is said. People get it as from any other command. */
void listen_watch_failed(const struct listen_watch *w, const char *text);
/* It is to begin anew in this process: the service manager is not told that it ends. */
void listen_watch_renewed(struct listen_watch *w);

/* L is about to serve: the endpoint is opened and the service manager told. What was asked for and cannot be had is an
 * error; that nobody will be able to ask for "ostler status" is only said. */
MUST_CHECK int listen_watch_begin(struct listen_watch *w, struct loop *loop, struct listener *l,
                                  struct err *err);

/* What a listener tells (listener.h). */
void listen_watch_note(struct listen_watch *w, const struct listener_note *note);
void listen_watch_refused(struct listen_watch *w);
void listen_watch_assigned(struct listen_watch *w, const struct listener_job *job,
                           int64_t waited_ms);
void listen_watch_started(struct listen_watch *w, const struct listener_job *job);
void listen_watch_ended(struct listen_watch *w, const struct listener_job *job);
void listen_watch_draining(struct listen_watch *w);
