/* github_hub - GitHub's services as a test scripts them, and a queue of theirs whose caller writes down what it is told.
 *
 * Every call has a name ("open", "poll", "acquire"...), and its n-th one is answered by the first rule that fits. Without a
 * rule all goes well and a poll waits. The transcript has the names in their order; "@H" in what is answered is the hub's
 * own address. */
#pragma once

#include "io/http.h"
#include "queue/github/queue.h"

enum { HUB_FOREVER = 1000000, HUB_HANG = -1, HUB_CUT = -2, HUB_ON_CUE = -3, HUB_HUGE = -4 };

struct hub_rule {
    const char *call;
    int from, to; /* its calls number FROM to TO, counted from 1 */
    int status; /* HUB_HANG: no answer at all; HUB_CUT: the connection ends; HUB_ON_CUE: 200, after hub_cue(); HUB_HUGE:
                   200, and BODY is the beginning of 81 MB */
    const char *body; /* NULL: none */
};

extern struct loop *hub_loop;
extern struct http *hub_http;
extern struct queue *hub_queue;
extern const char *hub_address;             /* after hub_start() */
extern const struct github_waits hub_waits; /* short ones, but for what a slow machine needs */

/* What the caller was told. */
extern int hub_readies;
extern char hub_stopped[300], hub_killed[300];
extern char hub_notes[4000]; /* a line each, "warning: " in front of some */

void hub_enter(void); /* for .init and .fini */
void hub_leave(void);

/* Starts the services with RULES (n, kept by the caller). */
void hub_start(const struct hub_rule *rules, size_t n);
#define HUB_START(...)                                                                             \
    do {                                                                                           \
        static const struct hub_rule rules_[] = {{"", 0, 0, 0, NULL}, ##__VA_ARGS__};              \
        hub_start(rules_, sizeof rules_ / sizeof rules_[0]);                                       \
    } while (0)

/* The queue of a registration there. */
struct hub_options {
    bool legacy, ephemeral;
    const char *token; /* of .credentials; NULL: RUNNER1 */
    bool newer;        /* with a second authority, at /newer/token, whose token is RUNNER2 */
    const struct github_waits *waits; /* NULL: hub_waits */
    const char *extra_agent;
};
void hub_open(const struct hub_options *o);
/* Another one of the same registration, which nothing was asked yet. */
void hub_reopen(const struct hub_options *o);

/* Turns the loop until the transcript has N calls of that name; the test fails after 30 s. */
void hub_until(const char *call, int n);
/* Until the queue is done; its health then. */
struct queue_health hub_until_done(void);
/* Until there is a job; ended with hub_job_end(). */
struct job *hub_until_job(void);
void hub_job_end(struct job *job, const char *result); /* as a worker ends it; NULL: it dies */
/* Until the worker was to be stopped. */
void hub_until_stopped(void);
void hub_until_killed(void);
/* Its files. */
const struct registration *hub_registration(void);
void hub_cue(void);
/* For that many milliseconds. */
void hub_turn(int64_t ms);

int hub_count(const char *call);
/* All names so far, " poll acquire"; in a buffer of its own. */
const char *hub_transcript(void);
/* The last request of that name: request line, headers, an empty line, body. */
const char *hub_last(const char *call);

/* The test fails where WANTED is not in TEXT, or UNWANTED is. */
void hub_has(const char *text, const char *wanted);
void hub_has_not(const char *text, const char *unwanted);
