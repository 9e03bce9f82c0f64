#include "lang/schema/parts.h"

/* What may stand under `on` (workflow-language.md 6.1). */

/* `types`: one activity or a list of them, out of those named. */
#define TYPES(event, ...)                                                                          \
    static const struct schema event##_type = CONSTANT(__VA_ARGS__);                               \
    static const struct schema event##_type_list = {LIST_OF(&event##_type)};                       \
    static const struct schema event##_types = {ONE_OF(&event##_type, &event##_type_list)}

/* An event with options: nothing, or a mapping with the keys of the table before. */
#define EVENT(event)                                                                               \
    static const struct schema event##_map = {KEYS(event##_keys)};                                 \
    static const struct schema event = {ONE_OF(&schema_null, &event##_map)}

/* An event that has `types` and nothing else. */
#define TYPED_EVENT(event, ...)                                                                    \
    TYPES(event, __VA_ARGS__);                                                                     \
    static const struct schema_key event##_keys[] = {KEY("types", &event##_types)};                \
    EVENT(event)

#define PATTERNS(name) KEY(name, &schema_text_or_texts)

TYPED_EVENT(branch_protection_rule, "created", "edited", "deleted");
TYPED_EVENT(check_run, "completed", "created", "rerequested", "requested_action");
TYPED_EVENT(check_suite, "completed");
TYPED_EVENT(comment, "created", "edited", "deleted");
TYPED_EVENT(discussion, "created", "edited", "deleted", "transferred", "pinned", "unpinned",
            "labeled", "unlabeled", "locked", "unlocked", "category_changed", "answered",
            "unanswered");
TYPED_EVENT(issues, "opened", "edited", "deleted", "transferred", "pinned", "unpinned", "closed",
            "reopened", "assigned", "unassigned", "labeled", "unlabeled", "locked", "unlocked",
            "milestoned", "demilestoned", "field_added", "field_removed", "typed", "untyped");
TYPED_EVENT(label, "created", "edited", "deleted");
TYPED_EVENT(milestone, "created", "closed", "opened", "edited", "deleted");
TYPED_EVENT(project, "created", "closed", "reopened", "edited", "deleted");
TYPED_EVENT(project_card, "created", "moved", "converted", "edited", "deleted");
TYPED_EVENT(project_column, "created", "updated", "moved", "deleted");
TYPED_EVENT(pull_request_review, "submitted", "edited", "dismissed");
TYPED_EVENT(registry_package, "published", "updated");
TYPED_EVENT(release, "published", "unpublished", "created", "edited", "deleted", "prereleased",
            "released");
TYPED_EVENT(watch, "started");

TYPES(image_version, "created", "ready", "deleted");
static const struct schema_key image_version_keys[] = {
    KEY("types", &image_version_types),
    PATTERNS("names"),
    PATTERNS("versions"),
};
EVENT(image_version);

TYPES(merge_group, "checks_requested");
static const struct schema_key merge_group_keys[] = {
    KEY("types", &merge_group_types),
    PATTERNS("branches"),
    PATTERNS("branches-ignore"),
};
EVENT(merge_group);

TYPES(pull_request, "assigned", "unassigned", "labeled", "unlabeled", "opened", "edited", "closed",
      "reopened", "synchronize", "converted_to_draft", "locked", "unlocked", "enqueued", "dequeued",
      "milestoned", "demilestoned", "ready_for_review", "review_requested",
      "review_request_removed", "auto_merge_enabled", "auto_merge_disabled", "stacked");
static const struct schema_key pull_request_keys[] = {
    KEY("types", &pull_request_types), PATTERNS("branches"),
    PATTERNS("branches-ignore"),       PATTERNS("paths"),
    PATTERNS("paths-ignore"),
};
EVENT(pull_request);

static const struct schema_key push_keys[] = {
    PATTERNS("branches"),    PATTERNS("branches-ignore"), PATTERNS("tags"),
    PATTERNS("tags-ignore"), PATTERNS("paths"),           PATTERNS("paths-ignore"),
};
EVENT(push);

/* Clients invent these activities. */
static const struct schema_key repository_dispatch_keys[] = {PATTERNS("types")};
EVENT(repository_dispatch);

TYPES(workflow_run, "requested", "completed", "in_progress");
static const struct schema_key workflow_run_keys[] = {
    KEY("types", &workflow_run_types),
    PATTERNS("workflows"),
    PATTERNS("branches"),
    PATTERNS("branches-ignore"),
};
EVENT(workflow_run);

static const struct schema_key cron_keys[] = {
    NEED("cron", &schema_text),
    KEY("timezone", &schema_text),
};
static const struct schema cron = {KEYS(cron_keys)};
static const struct schema schedule = {LIST_OF(&cron)};

/* ---- workflow_dispatch and workflow_call ---- */

static const struct schema string_list = {LIST_OF(&schema_string)};
static const struct schema primitive = {ONE_OF(&schema_string, &schema_bool, &schema_number)};

static const struct schema dispatch_type =
    CONSTANT("string", "boolean", "number", "environment", "choice");
static const struct schema_key dispatch_input_keys[] = {
    KEY("description", &schema_string), KEY("type", &dispatch_type),  KEY("required", &schema_bool),
    KEY("default", &primitive),         KEY("options", &string_list),
};
static const struct schema dispatch_input_map = {KEYS(dispatch_input_keys)};
static const struct schema dispatch_input = {ONE_OF(&schema_null, &dispatch_input_map)};
static const struct schema dispatch_inputs_map = {MAP_OF(&dispatch_input)};
static const struct schema dispatch_inputs = {ONE_OF(&schema_null, &dispatch_inputs_map)};
static const struct schema_key workflow_dispatch_keys[] = {KEY("inputs", &dispatch_inputs)};
EVENT(workflow_dispatch);

static const struct schema call_type = CONSTANT("string", "boolean", "number");
static const struct schema call_default = {ONE_OF(&schema_string, &schema_bool, &schema_number),
                                           .contexts = CTX_G};
static const struct schema_key call_input_keys[] = {
    KEY("description", &schema_string),
    NEED("type", &call_type),
    KEY("required", &schema_bool),
    KEY("default", &call_default),
};
static const struct schema call_input = {KEYS(call_input_keys)};
static const struct schema call_inputs = {MAP_OF(&call_input)};

static const struct schema_key call_secret_keys[] = {
    KEY("description", &schema_string),
    KEY("required", &schema_bool),
};
static const struct schema call_secret_map = {KEYS(call_secret_keys)};
static const struct schema call_secret = {ONE_OF(&schema_null, &call_secret_map)};
static const struct schema call_secrets = {MAP_OF(&call_secret)};

static const struct schema call_value = {.kind = SCHEMA_STRING, .contexts = CTX_G | CTX_JOBS};
static const struct schema_key call_output_keys[] = {
    KEY("description", &schema_string),
    NEED("value", &call_value),
};
static const struct schema call_output = {KEYS(call_output_keys)};
static const struct schema call_outputs = {MAP_OF(&call_output)};

static const struct schema_key workflow_call_keys[] = {
    KEY("inputs", &call_inputs),
    KEY("secrets", &call_secrets),
    KEY("outputs", &call_outputs),
};
EVENT(workflow_call);

/* ---- on ---- */

static const struct schema_key event_keys[] = {
    KEY("branch_protection_rule", &branch_protection_rule),
    KEY("check_run", &check_run),
    KEY("check_suite", &check_suite),
    KEY("create", &schema_null),
    KEY("delete", &schema_null),
    KEY("deployment", &schema_null),
    KEY("deployment_status", &schema_null),
    KEY("discussion", &discussion),
    KEY("discussion_comment", &comment),
    KEY("fork", &schema_null),
    KEY("gollum", &schema_null),
    KEY("image_version", &image_version),
    KEY("issue_comment", &comment),
    KEY("issues", &issues),
    KEY("label", &label),
    KEY("merge_group", &merge_group),
    KEY("milestone", &milestone),
    KEY("page_build", &schema_null),
    KEY("project", &project),
    KEY("project_card", &project_card),
    KEY("project_column", &project_column),
    KEY("public", &schema_null),
    KEY("pull_request", &pull_request),
    KEY("pull_request_comment", &comment),
    KEY("pull_request_review", &pull_request_review),
    KEY("pull_request_review_comment", &comment),
    KEY("pull_request_target", &pull_request),
    KEY("push", &push),
    KEY("registry_package", &registry_package),
    KEY("release", &release),
    KEY("repository_dispatch", &repository_dispatch),
    KEY("schedule", &schedule),
    KEY("status", &schema_null),
    KEY("watch", &watch),
    KEY("workflow_call", &workflow_call),
    KEY("workflow_dispatch", &workflow_dispatch),
    KEY("workflow_run", &workflow_run),
};

static const struct schema event_map = {KEYS(event_keys)};
static const struct schema event_name =
    CONSTANT("branch_protection_rule", "check_run", "check_suite", "create", "delete", "deployment",
             "deployment_status", "discussion", "discussion_comment", "fork", "gollum",
             "image_version", "issue_comment", "issues", "label", "merge_group", "milestone",
             "page_build", "project", "project_card", "project_column", "public", "pull_request",
             "pull_request_comment", "pull_request_review", "pull_request_review_comment",
             "pull_request_target", "push", "registry_package", "release", "repository_dispatch",
             "schedule", "status", "watch", "workflow_call", "workflow_dispatch", "workflow_run");
static const struct schema event_list = {LIST_OF(&event_name)};
const struct schema schema_on = {ONE_OF(&event_name, &event_list, &event_map)};
