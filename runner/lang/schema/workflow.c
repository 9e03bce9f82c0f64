#include "lang/schema/parts.h"

/* What may stand in a workflow file (workflow-language.md 5, 7 to 11), and which contexts its expressions
 * know there (expressions.md 9). `on` is in events.c. */

/* ---- small parts ---- */

static const struct schema call_value = {ONE_OF(&schema_string, &schema_bool, &schema_number),
                                         .contexts = CTX_PLAN};
static const struct schema secret_value = {ONE_OF(&schema_string, &schema_bool, &schema_number),
                                           .contexts = CTX_PLAN | CTX_SECRETS};
static const struct schema secret_map = {MAP_OF(&secret_value)};

static const struct schema plan_string = {.kind = SCHEMA_STRING, .contexts = CTX_PLAN};
static const struct schema plan_number = {.kind = SCHEMA_NUMBER, .contexts = CTX_PLAN};
static const struct schema plan_bool = {.kind = SCHEMA_BOOL, .contexts = CTX_PLAN};

/* ---- permissions ---- */

static const struct schema level = CONSTANT("read", "write", "none");
static const struct schema level_read = CONSTANT("read", "none");
static const struct schema level_write = CONSTANT("write", "none");
static const struct schema_key permission_keys[] = {
    KEY("actions", &level),
    KEY("artifact-metadata", &level),
    KEY("attestations", &level),
    KEY("checks", &level),
    KEY("code-quality", &level),
    KEY("contents", &level),
    KEY("copilot-requests", &level_write),
    KEY("deployments", &level),
    KEY("discussions", &level),
    KEY("drives", &level),
    KEY("id-token", &level_write),
    KEY("issues", &level),
    KEY("models", &level_read),
    KEY("packages", &level),
    KEY("pages", &level),
    KEY("pull-requests", &level),
    KEY("repository-projects", &level),
    KEY("security-events", &level),
    KEY("statuses", &level),
    KEY("vulnerability-alerts", &level_read),
};
static const struct schema permission_map = {KEYS(permission_keys)};
static const struct schema all_levels = CONSTANT("read-all", "write-all");
static const struct schema permissions = {ONE_OF(&permission_map, &all_levels)};

/* ---- concurrency, defaults ---- */

static const struct schema queue = CONSTANT("single", "max");
static const struct schema_key concurrency_keys[] = {
    NEED("group", &schema_text),
    KEY("cancel-in-progress", &schema_bool),
    KEY("queue", &queue),
};
static const struct schema concurrency_map = {KEYS(concurrency_keys)};
static const struct schema workflow_concurrency = {ONE_OF(&schema_string, &concurrency_map),
                                                   .contexts = CTX_G};
static const struct schema job_concurrency = {ONE_OF(&schema_text, &concurrency_map),
                                              .contexts = CTX_PLAN};

static const struct schema_key run_defaults_keys[] = {
    KEY("shell", &schema_text),
    KEY("working-directory", &schema_text),
};
static const struct schema run_defaults = {KEYS(run_defaults_keys)};
static const struct schema_key defaults_keys[] = {KEY("run", &run_defaults)};
static const struct schema defaults = {KEYS(defaults_keys)};
static const struct schema job_run_defaults = {KEYS(run_defaults_keys),
                                               .contexts = CTX_PLAN | CTX_ENV};
static const struct schema_key job_defaults_keys[] = {KEY("run", &job_run_defaults)};
static const struct schema job_defaults = {KEYS(job_defaults_keys)};

/* ---- strategy ---- */

static const struct schema any_list = {LIST_OF(&schema_any)};
static const struct schema filter = {MAP_OF(&schema_any)};
static const struct schema filters = {LIST_OF(&filter)};
static const struct schema_key matrix_keys[] = {
    KEY("include", &filters),
    KEY("exclude", &filters),
};
static const struct schema matrix = {KEYS(matrix_keys), .loose_key = &schema_text,
                                     .loose = &any_list};
static const struct schema_key strategy_keys[] = {
    KEY("fail-fast", &schema_bool),
    KEY("max-parallel", &schema_number),
    KEY("matrix", &matrix),
};
static const struct schema strategy = {KEYS(strategy_keys), .contexts = CTX_G | CTX_NEEDS};

/* ---- where a job runs ---- */

static const struct schema_key runs_on_keys[] = {
    KEY("group", &schema_text),
    KEY("labels", &schema_text_or_texts),
};
static const struct schema runs_on_map = {KEYS(runs_on_keys)};
static const struct schema runs_on = {ONE_OF(&schema_text, &schema_texts, &runs_on_map),
                                      .contexts = CTX_PLAN};

static const struct schema environment_url = {.kind = SCHEMA_STRING, .contexts = CTX_RUN};
static const struct schema_key environment_keys[] = {
    NEED("name", &plan_string),
    KEY("url", &environment_url),
    KEY("deployment", &schema_bool),
};
static const struct schema environment_map = {KEYS(environment_keys)};
static const struct schema environment = {ONE_OF(&schema_string, &environment_map),
                                          .contexts = CTX_PLAN};

static const struct schema run_string = {.kind = SCHEMA_STRING, .contexts = CTX_RUN | CTX_SECRETS};
static const struct schema container_env = {MAP_OF(&run_string)};
static const struct schema_key credentials_keys[] = {
    KEY("username", &schema_text),
    KEY("password", &schema_text),
};
static const struct schema credentials = {KEYS(credentials_keys),
                                          .contexts = CTX_G | CTX_SECRETS | CTX_ENV};

static const struct schema_key container_keys[] = {
    KEY("image", &schema_text),  KEY("options", &schema_string), KEY("env", &container_env),
    KEY("ports", &schema_texts), KEY("volumes", &schema_texts),  KEY("credentials", &credentials),
};
static const struct schema container_map = {KEYS(container_keys)};
static const struct schema container = {ONE_OF(&schema_string, &container_map),
                                        .contexts = CTX_PLAN};

static const struct schema_key service_keys[] = {
    KEY("image", &schema_text),        KEY("options", &schema_string),
    KEY("env", &container_env),        KEY("ports", &schema_texts),
    KEY("volumes", &schema_texts),     KEY("credentials", &credentials),
    KEY("entrypoint", &schema_string), KEY("command", &schema_string),
};
static const struct schema service_map = {KEYS(service_keys)};
static const struct schema service = {ONE_OF(&schema_string, &service_map), .contexts = CTX_PLAN};
static const struct schema services = {MAP_OF(&service), .contexts = CTX_PLAN};

static const struct schema snapshot_if = {.kind = SCHEMA_STRING, .contexts = CTX_STEP_IF};
static const struct schema_key snapshot_keys[] = {
    NEED("image-name", &schema_text),
    KEY("if", &snapshot_if),
    KEY("version", &schema_text),
};
static const struct schema snapshot_map = {KEYS(snapshot_keys)};
static const struct schema snapshot = {ONE_OF(&schema_text, &snapshot_map), .contexts = CTX_PLAN};

/* ---- steps ---- */

static const struct schema step_string = {.kind = SCHEMA_STRING, .contexts = CTX_STEP};
static const struct schema step_number = {.kind = SCHEMA_NUMBER, .contexts = CTX_STEP};
static const struct schema step_bool = {.kind = SCHEMA_BOOL, .contexts = CTX_STEP};
static const struct schema step_map = {MAP_OF(&schema_string), .contexts = CTX_STEP};
static const struct schema step_if = {.kind = SCHEMA_STRING, .contexts = CTX_STEP_IF};

#define BACKGROUND(name, def, more)                                                                \
    {                                                                                              \
        SLICE_INIT(name), (def), KEY_BACKGROUND | (more)                                           \
    }

static const struct schema_key run_step_keys[] = {
    KEY("name", &step_string),  KEY("id", &schema_text),
    KEY("if", &step_if),        KEY("timeout-minutes", &step_number),
    NEED("run", &step_string),  KEY("continue-on-error", &step_bool),
    KEY("env", &step_map),      KEY("working-directory", &step_string),
    KEY("shell", &schema_text), BACKGROUND("background", &schema_bool, 0),
};
static const struct schema_key uses_step_keys[] = {
    KEY("name", &step_string),
    KEY("id", &schema_text),
    KEY("if", &step_if),
    KEY("continue-on-error", &step_bool),
    KEY("timeout-minutes", &step_number),
    NEED("uses", &schema_text),
    KEY("with", &step_map),
    KEY("env", &step_map),
    BACKGROUND("background", &schema_bool, 0),
};
static const struct schema null_or_bool = {ONE_OF(&schema_null, &schema_bool)};
static const struct schema_key wait_step_keys[] = {
    KEY("name", &step_string),
    KEY("id", &schema_text),
    KEY("continue-on-error", &step_bool),
    BACKGROUND("wait", &schema_text_or_texts, KEY_REQUIRED),
};
static const struct schema_key wait_all_step_keys[] = {
    KEY("name", &step_string),
    KEY("id", &schema_text),
    KEY("continue-on-error", &step_bool),
    BACKGROUND("wait-all", &null_or_bool, KEY_REQUIRED),
};
static const struct schema_key cancel_step_keys[] = {
    KEY("name", &step_string),
    KEY("id", &schema_text),
    KEY("continue-on-error", &step_bool),
    BACKGROUND("cancel", &schema_text, KEY_REQUIRED),
};
static const struct schema steps; /* a parallel step holds steps again */
static const struct schema_key parallel_step_keys[] = {NEED("parallel", &steps)};

static const struct schema run_step = {KEYS(run_step_keys)};
static const struct schema uses_step = {KEYS(uses_step_keys)};
static const struct schema wait_step = {KEYS(wait_step_keys)};
static const struct schema wait_all_step = {KEYS(wait_all_step_keys)};
static const struct schema cancel_step = {KEYS(cancel_step_keys)};
static const struct schema parallel_step = {KEYS(parallel_step_keys)};
static const struct schema step = {
    ONE_OF(&run_step, &uses_step, &wait_step, &wait_all_step, &cancel_step, &parallel_step)};
static const struct schema steps = {LIST_OF(&step)};

/* ---- jobs ---- */

static const struct schema job_if = {.kind = SCHEMA_STRING, .contexts = CTX_JOB_IF};
static const struct schema job_env = {MAP_OF(&schema_string), .contexts = CTX_PLAN | CTX_SECRETS};
static const struct schema job_outputs = {MAP_OF(&run_string)};

static const struct schema_key normal_job_keys[] = {
    KEY("needs", &schema_text_or_texts),
    KEY("if", &job_if),
    KEY("strategy", &strategy),
    KEY("name", &plan_string),
    NEED("runs-on", &runs_on),
    KEY("timeout-minutes", &plan_number),
    KEY("cancel-timeout-minutes", &plan_number),
    KEY("continue-on-error", &plan_bool),
    KEY("container", &container),
    KEY("services", &services),
    KEY("env", &job_env),
    KEY("environment", &environment),
    KEY("permissions", &permissions),
    KEY("concurrency", &job_concurrency),
    KEY("outputs", &job_outputs),
    KEY("defaults", &job_defaults),
    KEY("steps", &steps),
    KEY("snapshot", &snapshot),
};

static const struct schema call_with = {MAP_OF(&call_value)}; /* never made by one expression */
static const struct schema inherit = CONSTANT("inherit");
static const struct schema call_secrets = {ONE_OF(&secret_map, &inherit)};
static const struct schema_key calling_job_keys[] = {
    KEY("name", &plan_string),
    NEED("uses", &schema_text),
    KEY("with", &call_with),
    KEY("secrets", &call_secrets),
    KEY("needs", &schema_text_or_texts),
    KEY("if", &job_if),
    KEY("permissions", &permissions),
    KEY("concurrency", &job_concurrency),
    KEY("strategy", &strategy),
};
static const struct schema normal_job = {KEYS(normal_job_keys)};
static const struct schema calling_job = {KEYS(calling_job_keys)};
static const struct schema job = {ONE_OF(&normal_job, &calling_job)};
static const struct schema jobs = {MAP_OF(&job)};

/* ---- the file ---- */

static const struct schema run_name = {.kind = SCHEMA_STRING, .contexts = CTX_G};
static const struct schema workflow_env = {MAP_OF(&schema_string), .contexts = CTX_G | CTX_SECRETS};
static const struct schema_key workflow_keys[] = {
    NEED("on", &schema_on),
    KEY("name", &schema_string),
    KEY("description", &schema_string),
    KEY("run-name", &run_name),
    KEY("defaults", &defaults),
    KEY("env", &workflow_env),
    KEY("permissions", &permissions),
    KEY("concurrency", &workflow_concurrency),
    NEED("jobs", &jobs),
};
const struct schema schema_workflow = {KEYS(workflow_keys)};
