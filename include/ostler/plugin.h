/* ostler/plugin.h - the Ostler plugin ABI, version 1.
 *
 * A plugin is an action compiled to a shared object. It exports one symbol, ostler_plugin_v1, and
 * links against nothing of Ostler's: every service arrives through step->host.
 *
 *   Text     NUL-terminated UTF-8. Sizes are bytes.
 *   Memory   Nobody frees what the other side allocated. What a plugin passes in is borrowed for
 *            the call; what the host returns stays valid until the phase function returns.
 *   Threads  A phase runs on one thread and may block. While it runs, any thread may call any
 *            service; a callback arrives on the thread that made the call.
 *   Errors   0 is success, below 0 an OST_E_ code; a code the reader does not know is OST_E_FAILED.
 *   Growth   Members are only ever appended. Whoever fills a struct in sets its struct_size. */
#ifndef OSTLER_PLUGIN_H
#define OSTLER_PLUGIN_H
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define OST_ABI_MINOR 0 /* the major is part of the symbol's name */
#ifdef __cplusplus
#define OST_EXPORT extern "C" __attribute__((visibility("default")))
#else
#define OST_EXPORT extern __attribute__((visibility("default")))
#endif

typedef int32_t ost_status;
enum {
    OST_OK = 0,
    OST_E_FAILED = -1,      /* the work failed; the recorded message says why */
    OST_E_INVALID = -2,     /* a bad argument, name or value */
    OST_E_NOT_FOUND = -3,   /* no such program, key or file */
    OST_E_DENIED = -4,      /* policy or the sandbox forbids it */
    OST_E_CANCELLED = -5,   /* the job was cancelled: tidy up and return */
    OST_E_TIMEOUT = -6,     /* a time limit passed */
    OST_E_LIMIT = -7,       /* a documented size limit was hit */
    OST_E_IO = -8,          /* disk or network trouble */
    OST_E_UNSUPPORTED = -9, /* this host is older than the call */
    OST_E_EXIT = -10        /* a command run with OST_EXEC_CHECK exited non-zero */
};

/* ---- The contract: data, never code, so that a host can list a plugin without calling it ---- */
enum { OST_STRING = 0, OST_BOOL = 1, OST_INT = 2, OST_LIST = 3, OST_CHOICE = 4, OST_PATH = 5 };
enum { OST_REQUIRED = 1 << 0, OST_SECRET = 1 << 1 };                /* ost_input.flags */
enum { OST_NEED_NETWORK = 1 << 0, OST_NEED_WORKSPACE_WRITE = 1 << 1 }; /* ost_plugin.needs */
enum { /* ost_plugin.traits; a host that does not know one does without */
    OST_EFFECTS_VIA_HOST = 1 << 0, /* main itself can be run to make a plan */
    OST_POST_IF_SAVED = 1 << 1     /* post has something to do only if an earlier phase called save() */
};

struct ost_input {
    const char *name;           /* as under `with:`; case does not matter */
    int32_t type;               /* OST_STRING...; the host checks the value before any phase runs */
    uint32_t flags;
    const char *fallback;       /* action.yml's default; may hold ${{ }}; NULL: none */
    const char *description;
    const char *const *choices; /* OST_CHOICE: NULL-terminated */
    const char *deprecation;    /* NULL: not deprecated */
};
struct ost_output { const char *name, *description; };
struct ost_step;
typedef ost_status ost_phase(struct ost_step *step);
struct ost_plugin {
    uint32_t struct_size, abi_minor;          /* set by OST_PLUGIN() */
    const char *id;                           /* "owner/name" or "owner/name/path", as in `uses:` */
    const char *version;                      /* SemVer: "1.4.2" */
    const char *title, *description, *author; /* may be NULL */
    const struct ost_input *inputs;
    uint32_t n_inputs, input_size;            /* set by OST_INPUTS() */
    const struct ost_output *outputs;
    uint32_t n_outputs, output_size;          /* set by OST_OUTPUTS() */
    uint32_t needs, traits;
    ost_phase *plan, *pre, *main, *post;      /* only main is required; each runs in a new process */
    const char *pre_if, *post_if;             /* as in action.yml; NULL: always() */
    const void *(*extension)(const char *id); /* tables the plugin offers the host; may be NULL */
};

/* ---- Host services ---- */
enum { OST_DEBUG = 0, OST_INFO = 1, OST_NOTICE = 2, OST_WARNING = 3, OST_ERROR = 4 };
enum { OST_PHASE_PLAN = 0, OST_PHASE_PRE = 1, OST_PHASE_MAIN = 2, OST_PHASE_POST = 3 };
enum { OST_DIR_WORKSPACE = 0, OST_DIR_TEMP = 1, OST_DIR_TOOLS = 2, OST_DIR_HOME = 3, OST_DIR_SELF = 4 };
enum {
    OST_EXEC_CHECK = 1 << 0,   /* a non-zero exit becomes OST_E_EXIT */
    OST_EXEC_QUIET = 1 << 1,   /* keep the output out of the log */
    OST_EXEC_CAPTURE = 1 << 2, /* keep stdout in result.out; over 1 MiB: OST_E_LIMIT */
    OST_EXEC_COMMANDS = 1 << 3 /* obey ::workflow commands:: in the output; off unless asked */
};
struct ost_note { /* an annotation; 0 or NULL: unset */
    uint32_t struct_size;
    int32_t level; /* OST_NOTICE, OST_WARNING or OST_ERROR */
    const char *message, *title, *file;
    uint32_t line, end_line, col, end_col; /* from 1 */
};
struct ost_exec { /* one command, run inside the job's isolation */
    uint32_t struct_size, flags;
    const char *const *argv; /* NULL-terminated; argv[0] is looked up in the job's PATH; no shell */
    const char *const *env;  /* on top of the job's: "NAME=value", NULL-terminated; may be NULL */
    const char *cwd;         /* NULL: the step's working directory */
    const void *input;       /* its stdin; NULL: /dev/null */
    size_t input_size;
    int64_t timeout_ms;      /* 0: only the step's own limit */
    ost_status (*on_output)(void *ctx, int32_t fd, const char *data, size_t size); /* < 0 stops it */
    void *ctx;
};
struct ost_exec_result { /* the caller's; the host fills in no more than struct_size bytes */
    uint32_t struct_size;
    int32_t exit_code; /* -1 when a signal ended it */
    int32_t signal;    /* 0 when it exited */
    const char *out;   /* OST_EXEC_CAPTURE: text, one final newline dropped; else "" */
    size_t out_size;
};
struct ost_host {
    uint32_t struct_size, abi_minor;
    /* say */
    void (*log)(struct ost_step *, int32_t level, const char *text); /* from OST_NOTICE up it annotates */
    void (*annotate)(struct ost_step *, const struct ost_note *);
    void (*group)(struct ost_step *, const char *title);        /* NULL closes the group */
    ost_status (*mask)(struct ost_step *, const char *secret);  /* in force before it returns */
    ost_status (*fail)(struct ost_step *, ost_status why, const char *message); /* returns WHY */
    const char *(*last_error)(struct ost_step *);               /* of the latest failed call; "" */
    /* the contract at run time */
    const char *(*input)(struct ost_step *, const char *name);  /* trimmed; "" when unset */
    size_t (*input_list)(struct ost_step *, const char *name, const char *const **items);
    const char *(*context)(struct ost_step *, const char *name); /* "github.sha"; no secrets; NULL: none */
    ost_status (*output)(struct ost_step *, const char *name, const char *value);
    ost_status (*env)(struct ost_step *, const char *name, const char *value);  /* for later steps */
    ost_status (*path)(struct ost_step *, const char *dir);                     /* for later steps */
    ost_status (*summary)(struct ost_step *, const char *markdown);             /* appends; 1 MiB a step */
    ost_status (*save)(struct ost_step *, const char *name, const char *value); /* for later phases */
    const char *(*saved)(struct ost_step *, const char *name);                  /* NULL: not saved */
    /* places and memory; paths are the job's, and the plugin sees the same files under them */
    const char *(*dir)(struct ost_step *, int32_t which);
    const char *(*temp)(struct ost_step *, const char *suffix); /* new file, mode 0600; NULL: failed */
    void *(*alloc)(struct ost_step *, size_t size);             /* phase memory; never NULL */
    /* act */
    ost_status (*exec)(struct ost_step *, const struct ost_exec *, struct ost_exec_result *); /* result may be NULL */
    /* time */
    int32_t (*phase)(struct ost_step *);
    int32_t (*cancelled)(struct ost_step *);
    int32_t (*cancel_fd)(struct ost_step *);    /* readable once cancelled; never read or close it */
    int64_t (*time_left_ms)(struct ost_step *); /* INT64_MAX: no limit */
    /* dry run: adds one line to the plan */
    ost_status (*plan)(struct ost_step *, const char *verb, const char *object, const char *detail);
    /* growth: a table by id and revision, such as "ostler.http/1"; NULL: this host has none */
    const void *(*extension)(struct ost_step *, const char *id);
};

struct ost_step { const struct ost_host *host; }; /* the host keeps more behind it */

/* ---- Sugar: compiled into the plugin, no part of the ABI ---- */
#define OST_COUNT(a) ((uint32_t)(sizeof(a) / sizeof((a)[0])))
#define OST_INPUTS(a) .inputs = (a), .n_inputs = OST_COUNT(a), .input_size = (uint32_t)sizeof((a)[0])
#define OST_OUTPUTS(a) .outputs = (a), .n_outputs = OST_COUNT(a), .output_size = (uint32_t)sizeof((a)[0])
#define OST_PLUGIN(...)                                  \
    OST_EXPORT const struct ost_plugin ostler_plugin_v1; \
    const struct ost_plugin ostler_plugin_v1 = {         \
        .struct_size = (uint32_t)sizeof(struct ost_plugin), .abi_minor = OST_ABI_MINOR, __VA_ARGS__}
#define OST_ARGV(...) ((const char *const[]){__VA_ARGS__, NULL})
#define OST_RESULT {.struct_size = sizeof(struct ost_exec_result)}
/* True when TABLE (step->host, or an extension's) is new enough for MEMBER. */
#define OST_HAS(table, member) \
    ((table)->struct_size >= (size_t)((const char *)(&(table)->member + 1) - (const char *)(table)))
#define ost_log(s, level, ...) ((s)->host->log((s), (level), ost_fmt((s), __VA_ARGS__)))
#define ost_fail(s, why, ...) ((s)->host->fail((s), (why), ost_fmt((s), __VA_ARGS__)))
#ifdef __cplusplus /* where a temporary has no address, but a reference to it */
#define ost_exec(s, res, ...) \
    ost_exec_ref((s), (struct ost_exec){.struct_size = sizeof(struct ost_exec), __VA_ARGS__}, (res))
static inline ost_status ost_exec_ref(struct ost_step *s, const struct ost_exec &what, struct ost_exec_result *res)
{
    return s->host->exec(s, &what, res);
}
#else
#define ost_exec(s, res, ...) \
    ((s)->host->exec((s), &(struct ost_exec){.struct_size = sizeof(struct ost_exec), __VA_ARGS__}, (res)))
#endif

static inline int ost_input_bool(struct ost_step *s, const char *name)
{
    return s->host->input(s, name)[0] == 't'; /* an OST_BOOL arrives as "true" or "false" */
}

/* Formats into phase memory. */
__attribute__((format(printf, 2, 3)))
static inline const char *ost_fmt(struct ost_step *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    char *text = (char *)s->host->alloc(s, n < 0 ? 1 : (size_t)n + 1);
    text[0] = '\0';
    va_start(ap, fmt);
    if (n > 0)
        vsnprintf(text, (size_t)n + 1, fmt, ap);
    va_end(ap);
    return text;
}
#endif
