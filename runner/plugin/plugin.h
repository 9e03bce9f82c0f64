/* plugin - an installed plugin as its install record describes it. Nothing here loads code.
 *
 * One folder a plugin and version: OWNER/NAME[/PATH]/VERSION/{NAME.so, action.yml, install.json} below
 * one of the folders of the search path. install.json is the record that is read: the contract that the
 * plugin's tables held when it was installed, and the SHA-256 of its object. action.yml says the same
 * to people and to other tools. */
#pragma once

#include "base/arena.h"
#include "base/err.h"
#include "base/strmap.h"
#include "base/vec.h"

#include <jansson.h>
#include <ostler/plugin.h>

enum {
    PLUGIN_RECORD_MAX = 1 << 20,  /* bytes of an install.json */
    PLUGIN_INPUTS_MAX = 256,      /* inputs of a plugin; outputs the same */
    PLUGIN_CHOICES_MAX = 256,     /* choices of an input */
    PLUGIN_OBJECT_MAX = 64 << 20, /* bytes of a plugin's object */
    PLUGIN_TEXT_MAX = 64 << 10,   /* bytes of one text of the contract */
    PLUGIN_VALUE_MAX = 1 << 20,   /* bytes of one input, output, variable or saved value */
    PLUGIN_VERSIONS_MAX = 1000,   /* folders looked at below one OWNER/NAME */
};

#define PLUGIN_RECORD "install.json"
#define PLUGIN_SIGNATURE "install.json.sig" /* of the former, see trust.h */

struct plugin_input {
    const char *name;
    int type;                   /* OST_STRING, OST_BOOL, ... */
    uint32_t flags;             /* OST_REQUIRED, OST_SECRET */
    const char *fallback;       /* a template: may hold ${{ }}; NULL: none */
    const char *description;    /* NULL: none */
    const char *const *choices; /* OST_CHOICE: NULL-terminated; else NULL */
    const char *deprecation;    /* NULL: not deprecated */
};

struct plugin_output {
    const char *name, *description; /* the latter may be NULL */
};

/* What its object is. */
enum plugin_protocol {
    PLUGIN_OBJECT, /* a shared object that exports ostler_plugin_v1 */
    PLUGIN_LINES,  /* a program that speaks JSON lines: sdk/json-lines.md */
    PLUGIN_ENV,    /* a program that finds its settings in PLUGIN_ variables: sdk/plugin-env.md */
    PLUGIN_PROTOCOLS
};

struct plugin { /* everything lives in the arena */
    struct arena arena;
    const char *id, *version;                 /* "acme/docker-push", "1.4.2" */
    const char *title, *description, *author; /* NULL: none */
    const struct plugin_input *inputs;
    size_t n_inputs;
    const struct plugin_output *outputs;
    size_t n_outputs;
    uint32_t needs, traits;       /* OST_NEED_..., the traits that we know */
    unsigned phases;              /* bit 1 << OST_PHASE_... set: the plugin has that phase */
    const char *pre_if, *post_if; /* as written; NULL: always() */
    enum plugin_protocol protocol;
    const char *sha256;        /* of the object, 64 hex digits; NULL before it is installed */
    const char *const *serves; /* full commit ids, NULL-terminated; never NULL */
    const char *root;          /* the folder of the search path it was found in; absolute */
    const char *folder;        /* below root: "acme/docker-push/1.4.2" */
    const char *object;        /* file in that folder: "docker-push.so" */
    bool in_workspace;         /* it is one of the job's own files, and has no record */
};

/* ---- finding ---- */

/* The installed plugin that serves USES ("acme/docker-push@v1", "owner/name/path@1.4", "owner/name@COMMIT")
 * over ROOTS (absolute folders, NULL-terminated, searched in order; missing ones are skipped): in the
 * first root that has a fitting version, the newest of them. A branch, "docker://" and "./" are never
 * served. ERR_NOT_FOUND: nobody serves it, and the text says what is installed instead, if anything.
 * Other errors: the record that would serve it cannot be used. *RET is the caller's: plugin_free(). */
MUST_CHECK int plugin_find(const char *const *roots, const char *uses, struct plugin **ret,
                           struct err *err);

/* What RULES say of USES: "installed" (a plugin that serves it, else the action itself), "never" (the action) or
 * "only" (a plugin, else it fails). The names of RULES are "owner/name[/path]" and ignore case, or "*" for all
 * others; "installed" where they are silent, or NULL. */
const char *plugin_preference(const struct strmap *rules, const char *uses);
bool plugin_is_preference(const char *text);
extern const char *const plugin_preferences[]; /* all there are; NULL after the last */

/* The newest installed version of ID, which may carry "@VERSION". Errors as above. */
MUST_CHECK int plugin_find_id(const char *const *roots, const char *id, struct plugin **ret,
                              struct err *err);

/* All that is installed, in the order of the search path, then by id and newest first. A record that
 * cannot be read is told through BAD (which may be NULL) and left out. */
struct plugin_list {
    VEC(struct plugin *) list;
};
typedef void plugin_bad_fn(void *ctx, const struct err *err);
void plugin_list_load(const char *const *roots, struct plugin_list *ret, plugin_bad_fn *bad,
                      void *ctx);
void plugin_list_deinit(struct plugin_list *l);

struct plugin *plugin_free(struct plugin *p); /* returns NULL */

bool plugin_has_phase(const struct plugin *p, int phase);

/* True if a plan can be had from the plugin itself: it has a plan phase, or OST_EFFECTS_VIA_HOST. */
bool plugin_can_plan(const struct plugin *p);

/* NAME ignores case; NULL: not declared. */
const struct plugin_input *plugin_input_find(const struct plugin *p, const char *name);
const struct plugin_output *plugin_output_find(const struct plugin *p, const char *name);

/* The object's path, for messages. The caller frees it. */
char *plugin_object_path(const struct plugin *p);

/* "string", "bool", ... as written in action.yml; "pre", "main", ... */
const char *plugin_type_name(int type);
const char *plugin_phase_name(int phase);

/* ---- inputs ---- */

/* Where an OST_PATH may point to when it is absolute. */
struct plugin_places {
    const char *workspace, *temp, *tools, *home; /* the job's paths; NULL: none */
};

/* Checks GIVEN (the evaluated `with:` and, for inputs not given there, the evaluated fallbacks; names
 * ignore case) against the contract, before any phase runs, and sets each declared input in RET: trimmed,
 * OST_BOOL as "true" or "false", OST_INT in plain decimal. An input that is unset and has no value is ""
 * there. ERR_INVALID names the input, the value (never that of an OST_SECRET) and what is allowed; what
 * GIVEN holds beyond the contract is ignored, as actions do. */
MUST_CHECK int plugin_check_inputs(const struct plugin *p, const struct strmap *given,
                                   const struct plugin_places *places, struct strmap *ret,
                                   struct err *err);

/* ---- the record ---- */

/* The contract as JSON and back: what install.json holds, and what a child in the describe phase sends.
 * plugin_from_json() checks every field, and trusts none. */
json_t *plugin_to_json(const struct plugin *p); /* new reference */
MUST_CHECK int plugin_from_json(const json_t *json, struct plugin **ret, struct err *err);

/* "json-lines", "plugin-env"; of PLUGIN_OBJECT "object". NULL: no such protocol. */
const char *plugin_protocol_name(enum plugin_protocol protocol);

/* The contract as an action.yml that the official parser accepts. The caller frees it. */
char *plugin_to_yaml(const struct plugin *p);
