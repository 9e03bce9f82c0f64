/* run - a job in the making: the state that the job engine's modules share. Private to job/.
 *
 *   run          one job: its place, its environment, its status
 *   frame        one level of steps: the job's own, or one composite invocation
 *   instance     one use of an action: what its pre, main and post stages share
 *   step_run     one step executing in one stage
 *
 * Everything here lives on the worker's one loop. A step_run ends exactly once, through step_end(). */
#pragma once

#include "base/mask.h"
#include "base/strmap.h"
#include "base/vec.h"
#include "job/container/path_map.h"
#include "job/event.h"
#include "job/files.h"
#include "job/job.h"
#include "job/log/log.h"
#include "job/outcome.h"
#include "lang/action.h"
#include "lang/template.h"
#include "plugin/host/host.h"
#include "plugin/trust.h"
#include "sandbox/sandbox.h"
#include "store/child.h"

#include <sys/stat.h>

enum stage { STAGE_PRE, STAGE_MAIN, STAGE_POST };

struct step_run;
struct lane;

/* What a handler of one kind of step does. start() returns ERR_OK when the step is under way (it then
 * ends through step_end(), possibly before start() returns); an error fails the step with its text. */
struct handler {
    const char *kind;
    int (*start)(struct step_run *s, struct err *err);
    /* Asks it to end: the ladder of signals; NOW skips to the kill. May be called again. */
    void (*stop)(struct step_run *s, bool now);
    /* Releases what start() made; NULL: nothing. */
    void (*release)(struct step_run *s);
};

struct instance {
    const struct step *def;
    struct frame *frame;
    struct strmap state; /* STATE_*, names ignore case */
    bool post_registered;
    struct plugin *plugin; /* the one that serves it; owned; NULL: none */
    int plugin_object;     /* a sealed copy of it, when it is one of the workspace's own; else -1 */
    bool remote;           /* an action of another repository, see kinds/actions.h */
    char *action_dir;      /* its folder, as the job sees it; NULL: none */
    char *action_source;   /* the same on this machine, from outside; NULL: see shared_path() */
    char *image;           /* that was built for it; NULL: none */
    bool image_ready;      /* before the job's first step */
    struct action *action; /* its manifest; owned; NULL: none */
    struct frame *inner;   /* composite: the steps inside; owned by the run */
    struct instance *members; /* parallel group: those of its steps, in the same frame */
    bool is_member;           /* it is one of them: its group starts it */
    const char *box_command;  /* "prepare_job": what container/box_hook.h is for; NULL: nothing */
    const char *hook;         /* an administrator's script, see hooks.h; NULL: a step of the job */
};

struct frame {
    struct frame *next;           /* all frames of the run */
    struct frame *parent;         /* NULL: the job's own */
    struct step_run *owner;       /* the composite step while it runs */
    json_t *steps;                /* the steps context of this level */
    json_t *inputs;               /* NULL: the job's */
    struct strmap env;            /* composite: env of the calling steps, outermost first */
    enum result status;           /* composite: of the main stage so far */
    char *action_path;            /* composite: its folder, as the job sees it */
    const char *uses;             /* composite: as the calling step has it; borrowed */
    VEC(struct instance *) posts; /* embedded actions with a post stage, in the order of starting */
    struct instance *instances;   /* one for each step, those of a parallel group behind it */
    size_t n_instances;
    int depth;
    struct sequence *seq;     /* its main steps while they go on; NULL: they have not begun */
    VEC(struct lane *) lanes; /* of its background steps, in the order of the file; owned */
    struct step_run *waiter;  /* the control step that waits for lanes; NULL: none */
};

/* A list of stages to run one after the other. */
struct sequence_item {
    struct instance *instance;
    enum stage stage;
};

struct sequence {
    struct run *run;
    struct frame *frame;
    VEC(struct sequence_item) items;
    size_t next;
    struct step_run *current;
    struct step_run *owner; /* composite: the step that waits for this; NULL: top level */
    struct lane *lane;      /* that all of this runs in; NULL: none */
    bool is_lane;           /* it is the lane's own, not of a composite in it */
    bool going;             /* in sequence_go(): ended steps need no second call */
    void (*done)(void *ctx);
    void *ctx;
};

/* An action repository that the job has. */
struct run_action {
    char *key;    /* "owner/repo@ref", with a server's address in front where the action says it */
    char *dir;    /* as the job sees it */
    char *source; /* in the store */
    int hold;     /* keeps that there */
};

struct run {
    struct job *job;
    struct loop *loop;
    struct event_writer events;
    struct mask *mask;
    struct mask_patterns *patterns; /* that it looks for, too; NULL: none */
    struct sandbox *sandbox;
    struct engine *engine;         /* of containers; NULL until one is needed */
    struct containers *containers; /* around the job; NULL: none */
    struct sandbox *box;           /* the job's own container; NULL: none */
    struct path_map box_map;       /* folders of the job, as that container sees them */
    int door;                      /* where its first process comes to; -1: nobody is awaited */
    bool box_scripted;             /* container/box_hook.h made the job's own container */
    bool box_alpine;               /* which has the C library musl */
    json_t *box_state;             /* what it wants to be told again; NULL: nothing yet */
    struct reach *reach;           /* how it comes to the services; NULL: it needs no help */
    int services;                  /* who takes connections for them; -1: nobody */
    bool box_missing;              /* there should be one, and there is not (yet) */
    bool shared;          /* the engine has to see the work folder: see container/shared.h */
    VEC(char *) built;    /* names of images that were built for this job */
    char *tidy_image;     /* one that is there: see container/foreign.h; NULL: none was used */
    bool tidying;         /* the steps are over: no cancel ends what removes things */
    bool left_behind;     /* something in the engine could not be removed */
    int dir;              /* the job's folder on the host */
    int files_before;     /* where they lay until the engine had to see them; -1: it has not */
    int files_dir;        /* where the steps' command files lie */
    struct watch *reader; /* tells when nobody reads our events any more */
    bool place_lost;      /* ostler-init is gone: nothing can be started any more */
    bool lost;            /* nobody does: end at once */

    const char *home;               /* the user's */
    int64_t minute_ms;              /* of time limits */
    char *workspace, *temp, *tools; /* as the job sees them */
    char *files_path;               /* files_dir, as the job sees it */
    struct stat payload;            /* of event.json, when it was written */
    char tracking_id[48];           /* RUNNER_TRACKING_ID of what runs on this machine */
    struct strmap env;              /* global: workflow, job, GITHUB_ENV */
    VEC(char *) paths;              /* GITHUB_PATH, in the order given: applied newest first */
    VEC(char *) trees;              /* folders that show the workflow's own repository */
    struct matchers *matchers;      /* problem matchers that are in force */
    json_t *github, *runner_ctx, *secrets;
    json_t *job_ctx;     /* of the job context what its containers give; NULL: nothing */
    bool debug;          /* ACTIONS_STEP_DEBUG */
    struct strmap nodes; /* path of a node: its major, "0": none that works; kinds/node_find.h */

    struct arena policy_arena;
    const struct trust_policy *policy; /* of plugins; NULL: none */

    VEC(struct run_action) actions;
    VEC(int) mirrors; /* what keeps those there that were shown; see kinds/mirror.h */
    struct actions_get *setup_fetch; /* "Set up job" waits for actions; NULL: it does not */

    struct frame *frames;
    struct frame *root;
    VEC(struct sequence_item) posts; /* a stack */
    int own_posts; /* the runner's own steps behind those that are still to come */
    struct sequence seq;
    int step_count; /* numbers given out */
    enum result status;
    bool cancelled, timed_out;
    bool shutdown;    /* no further step starts */
    bool told_to_end; /* the runner is: by a signal */
    bool breaking;    /* see sequence_break() */
    int n_lanes;      /* background steps under way */

    struct limits_watch {               /* limits.c */
        struct timer *timer;            /* NULL: no limit on memory */
        struct sandbox_process biggest; /* ever seen */
        uint64_t killed, refused;       /* as told so far */
        struct disk *disk;              /* NULL: no limit on disk space */
        int64_t disk_over; /* bytes at the last time that it was broken; 0: told already */
        bool disk_stopped; /* what broke it is gone, and was not measured since */
    } limits;
    const char *cancel_reason;
    struct timer *deadline, *cancel_deadline;
    json_t *outputs;       /* of the job, once its steps are through */
    char *environment_url; /* the same; NULL: none */
};

struct step_run {
    struct run *run;
    struct sequence *seq;
    struct frame *frame;
    struct instance *instance;
    const struct step *def;
    enum stage stage;
    struct step_run
        *outer; /* the top-level step whose record and log this one shares; NULL: itself */
    int number;
    char *name;
    int64_t started_ms;

    struct arena arena;
    struct strmap env;    /* the step's own, evaluated */
    bool has_env;         /* it is: until then github.action_ref is the composite's around it */
    struct strmap inputs; /* of an action: `with`, then defaults; names ignore case */
    json_t *github;       /* cached contexts of this step; NULL: not built yet */
    json_t *env_ctx;
    struct log *log;
    struct files *files;

    const struct handler *handler;
    const char
        *by;     /* its shell or runtime, in the arena; NULL: it has none, or it is not known yet */
    void *state; /* the handler's */
    struct timer *timeout;
    int64_t timeout_minutes;         /* 0: none */
    struct annotation_counts counts; /* of this step and those embedded in it */
    bool stopping, timed_out, cancelled, broken;
    bool
        env_failed; /* inside a composite: its env could not be evaluated, and it ran all the same */
    bool inner_failed; /* an embedded pre or post stage failed */
    int exit_code;     /* -1: none */
    char *reason;      /* why it was skipped; NULL: it was not */
    enum result outcome, conclusion;
};
