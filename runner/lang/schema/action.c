#include "lang/schema/parts.h"

/* What may stand in an action's manifest (workflow-language.md 14). The runner is lenient where GitHub's editor and
 * marketplace are not; both read the same values. */

static const struct schema input_default = {.kind = SCHEMA_STRING,
                                            .contexts = CTX_GITHUB | CTX_STRATEGY | CTX_MATRIX |
                                                        CTX_JOB | CTX_RUNNER | CTX_HASHFILES};
static const struct schema_key input_keys[] = {KEY("default", &input_default)};
static const struct schema input = {KEYS(input_keys), .loose_key = &schema_text,
                                    .loose = &schema_any};
static const struct schema inputs = {MAP_OF(&input)};
static const struct schema_key input_strict_keys[] = {
    KEY("description", &schema_string),
    KEY("required", &schema_string),
    KEY("default", &input_default),
    KEY("deprecationMessage", &schema_string),
};
static const struct schema input_strict = {KEYS(input_strict_keys)};
static const struct schema inputs_strict = {MAP_OF(&input_strict)};

static const struct schema output_value = {.kind = SCHEMA_STRING,
                                           .contexts = CTX_COMPOSITE & ~CTX_HASHFILES};
static const struct schema_key output_keys[] = {
    KEY("description", &schema_string),
    KEY("value", &output_value),
};
static const struct schema output = {KEYS(output_keys)};
static const struct schema outputs = {MAP_OF(&output)};

/* ---- composite steps ---- */

static const struct schema step_string = {.kind = SCHEMA_STRING, .contexts = CTX_COMPOSITE};
static const struct schema step_bool = {.kind = SCHEMA_BOOL, .contexts = CTX_COMPOSITE};
static const struct schema step_map = {MAP_OF(&schema_string), .contexts = CTX_COMPOSITE};
static const struct schema step_if = {.kind = SCHEMA_STRING, .contexts = CTX_COMPOSITE_IF};
static const struct schema_key run_step_keys[] = {
    KEY("name", &step_string),
    KEY("id", &schema_text),
    KEY("if", &step_if),
    NEED("run", &step_string),
    NEED("shell", &step_string),
    KEY("env", &step_map),
    KEY("continue-on-error", &step_bool),
    KEY("working-directory", &step_string),
};
static const struct schema_key uses_step_keys[] = {
    KEY("name", &step_string),
    KEY("id", &schema_text),
    KEY("if", &step_if),
    NEED("uses", &schema_text),
    KEY("continue-on-error", &step_bool),
    KEY("with", &step_map),
    KEY("env", &step_map),
};
static const struct schema run_step = {KEYS(run_step_keys)};
static const struct schema uses_step = {KEYS(uses_step_keys)};
static const struct schema step = {ONE_OF(&run_step, &uses_step)};
static const struct schema steps = {LIST_OF(&step)};

/* ---- runs ---- */

static const struct schema docker_arg = {.kind = SCHEMA_STRING, .contexts = CTX_INPUTS};
static const struct schema docker_args = {LIST_OF(&docker_arg)};
static const struct schema docker_env = {MAP_OF(&schema_string), .contexts = CTX_INPUTS};
static const struct schema known_using =
    CONSTANT("docker", "node24", "node20", "node16", "node12", "composite", "ostler/1");

/* Both readings of one table of keys: with any `using`, and with a known one that has to be there. */
#define RUNS(kind, ...)                                                                            \
    static const struct schema_key kind##_keys[] = {KEY("using", &schema_text), __VA_ARGS__};      \
    static const struct schema_key kind##_strict_keys[] = {NEED("using", &known_using),            \
                                                           __VA_ARGS__};                           \
    static const struct schema kind = {KEYS(kind##_keys)};                                         \
    static const struct schema kind##_strict = {KEYS(kind##_strict_keys)}

RUNS(docker_runs, KEY("image", &schema_text), KEY("entrypoint", &schema_text),
     KEY("args", &docker_args), KEY("env", &docker_env), KEY("pre-entrypoint", &schema_text),
     KEY("pre-if", &schema_text), KEY("post-entrypoint", &schema_text),
     KEY("post-if", &schema_text));
RUNS(node_runs, KEY("main", &schema_text), KEY("pre", &schema_text), KEY("pre-if", &schema_text),
     KEY("post", &schema_text), KEY("post-if", &schema_text));
/* Ours may be programs, too: plugin/manifest.h. */
RUNS(ostler_runs, KEY("main", &schema_text), KEY("pre", &schema_text), KEY("pre-if", &schema_text),
     KEY("post", &schema_text), KEY("post-if", &schema_text), KEY("protocol", &schema_text),
     KEY("id", &schema_text), KEY("version", &schema_text), KEY("plan", &schema_any),
     KEY("needs", &schema_any), KEY("traits", &schema_any));
RUNS(composite_runs, KEY("steps", &steps));

static const struct schema_key plugin_runs_keys[] = {KEY("plugin", &schema_text)};
static const struct schema plugin_runs = {KEYS(plugin_runs_keys)};
static const struct schema any_runs = {
    ONE_OF(&docker_runs, &node_runs, &plugin_runs, &composite_runs)};
static const struct schema any_runs_strict = {
    ONE_OF(&docker_runs_strict, &node_runs_strict, &composite_runs_strict)};

/* ---- branding ---- */

static const struct schema branding_color =
    CONSTANT("white", "yellow", "blue", "green", "orange", "red", "purple", "gray-dark");
/* clang-format off */
static const char *const icons[] = {
    "activity", "airplay", "alert-circle", "alert-octagon", "alert-triangle", "align-center",
    "align-justify", "align-left", "align-right", "anchor", "aperture", "archive", "arrow-down",
    "arrow-down-circle", "arrow-down-left", "arrow-down-right", "arrow-left", "arrow-left-circle",
    "arrow-right", "arrow-right-circle", "arrow-up", "arrow-up-circle", "arrow-up-left",
    "arrow-up-right", "at-sign", "award", "bar-chart", "bar-chart-2", "battery",
    "battery-charging", "bell", "bell-off", "bluetooth", "bold", "book", "book-open", "bookmark",
    "box", "briefcase", "calendar", "camera", "camera-off", "cast", "check", "check-circle",
    "check-square", "chevron-down", "chevron-left", "chevron-right", "chevron-up",
    "chevrons-down", "chevrons-left", "chevrons-right", "chevrons-up", "circle", "clipboard",
    "clock", "cloud", "cloud-drizzle", "cloud-lightning", "cloud-off", "cloud-rain", "cloud-snow",
    "code", "command", "compass", "copy", "corner-down-left", "corner-down-right",
    "corner-left-down", "corner-left-up", "corner-right-down", "corner-right-up",
    "corner-up-left", "corner-up-right", "cpu", "credit-card", "crop", "crosshair", "database",
    "delete", "disc", "dollar-sign", "download", "download-cloud", "droplet", "edit", "edit-2",
    "edit-3", "external-link", "eye", "eye-off", "fast-forward", "feather", "file", "file-minus",
    "file-plus", "file-text", "film", "filter", "flag", "folder", "folder-minus", "folder-plus",
    "gift", "git-branch", "git-commit", "git-merge", "git-pull-request", "globe", "grid",
    "hard-drive", "hash", "headphones", "heart", "help-circle", "home", "image", "inbox", "info",
    "italic", "layers", "layout", "life-buoy", "link", "link-2", "list", "loader", "lock",
    "log-in", "log-out", "mail", "map", "map-pin", "maximize", "maximize-2", "menu",
    "message-circle", "message-square", "mic", "mic-off", "minimize", "minimize-2", "minus",
    "minus-circle", "minus-square", "monitor", "moon", "more-horizontal", "more-vertical", "move",
    "music", "navigation", "navigation-2", "octagon", "package", "paperclip", "pause",
    "pause-circle", "percent", "phone", "phone-call", "phone-forwarded", "phone-incoming",
    "phone-missed", "phone-off", "phone-outgoing", "pie-chart", "play", "play-circle", "plus",
    "plus-circle", "plus-square", "pocket", "power", "printer", "radio", "refresh-ccw",
    "refresh-cw", "repeat", "rewind", "rotate-ccw", "rotate-cw", "rss", "save", "scissors",
    "search", "send", "server", "settings", "share", "share-2", "shield", "shield-off",
    "shopping-bag", "shopping-cart", "shuffle", "sidebar", "skip-back", "skip-forward", "slash",
    "sliders", "smartphone", "speaker", "square", "star", "stop-circle", "sun", "sunrise",
    "sunset", "tablet", "tag", "target", "terminal", "thermometer", "thumbs-down", "thumbs-up",
    "toggle-left", "toggle-right", "trash", "trash-2", "trending-down", "trending-up", "triangle",
    "truck", "tv", "type", "umbrella", "underline", "unlock", "upload", "upload-cloud", "user",
    "user-check", "user-minus", "user-plus", "user-x", "users", "video", "video-off", "voicemail",
    "volume", "volume-1", "volume-2", "volume-x", "watch", "wifi", "wifi-off", "wind", "x",
    "x-circle", "x-square", "zap", "zap-off", "zoom-in", "zoom-out",
    NULL,
};
/* clang-format on */
static const struct schema branding_icon = {.kind = SCHEMA_STRING, .values = icons};
static const struct schema_key branding_keys[] = {
    KEY("icon", &branding_icon),
    KEY("color", &branding_color),
};
static const struct schema branding = {KEYS(branding_keys)};

/* ---- the file ---- */

/* One reading of the whole file for each kind of action, so that a finding speaks of that kind. */
#define ROOT(name, runs_def, inputs_def)                                                           \
    static const struct schema_key name##_keys[] = {                                               \
        KEY("name", &schema_string), KEY("description", &schema_string),                           \
        KEY("inputs", &inputs),      KEY("outputs", &outputs),                                     \
        KEY("runs", runs_def),                                                                     \
    };                                                                                             \
    static const struct schema name = {KEYS(name##_keys), .loose_key = &schema_text,               \
                                       .loose = &schema_any};                                      \
    static const struct schema_key name##_strict_keys[] = {                                        \
        NEED("name", &schema_text),    NEED("description", &schema_string),                        \
        KEY("author", &schema_string), KEY("inputs", inputs_def),                                  \
        KEY("outputs", &outputs),      NEED("runs", runs_def##_strict),                            \
        KEY("branding", &branding),                                                                \
    };                                                                                             \
    static const struct schema name##_strict = {KEYS(name##_strict_keys)}

ROOT(docker_action, &docker_runs, &inputs_strict);
ROOT(node_action, &node_runs, &inputs_strict);
ROOT(plugin_action, &ostler_runs, &inputs); /* ours say more of an input */
ROOT(composite_action, &composite_runs, &inputs_strict);
ROOT(any_action, &any_runs, &inputs_strict);

const struct schema *schema_action(struct slice using, bool strict)
{
    if (slice_eq_nocase(using, SLICE("docker")))
        return strict ? &docker_action_strict : &docker_action;
    if (slice_eq_nocase(using, SLICE("composite")))
        return strict ? &composite_action_strict : &composite_action;
    if (slice_starts(using, SLICE("ostler/")))
        return strict ? &plugin_action_strict : &plugin_action;
    if (slice_eq_nocase(slice_head(using, 4), SLICE("node")))
        return strict ? &node_action_strict : &node_action;
    return strict ? &any_action_strict : &any_action;
}
