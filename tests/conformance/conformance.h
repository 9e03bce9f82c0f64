/* conformance - runs folders of expected results (their layout is described in the README of such a
 * folder) against the engine.
 *
 * A runner handles the files of one format: a function in a file of its own, and a line in the table of
 * conformance.c. It calls one of the row_ functions once for each row. */
#pragma once

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#include <jansson.h>

struct file_run; /* one file on its way through a runner */

typedef void runner_fn(struct file_run *run);

const char *run_path(const struct file_run *run);   /* of the file, to open */
const char *run_folder(const struct file_run *run); /* of the whole data: other files lie there */
struct arena *run_arena(struct file_run *run);      /* emptied after each file */

/* The file as JSON, released by the harness; NULL: it was reported as a failed row. */
const json_t *run_json(struct file_run *run);
/* Its text; false: reported. */
bool run_text(struct file_run *run, struct slice *ret);

/* Calls FN for each row of the member "cases". */
void run_cases(struct file_run *run, void (*fn)(struct file_run *run, const json_t *row));

void row_pass(struct file_run *run, const char *id);
void row_fail(struct file_run *run, const char *id, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* We differ from the row on purpose, for the REASON given. */
void row_differs(struct file_run *run, const char *id, const char *reason);
/* The row is not for this runner, or only opinion: not counted. */
void row_skip(struct file_run *run, const char *id, const char *why);

/* Passes when GOT is WANTED, else fails showing both. */
void row_text(struct file_run *run, const char *id, struct slice wanted, struct slice got);

/* Members of a row; the empty slice, or false, when missing. */
struct slice text_of(const json_t *object, const char *name);
const char *id_of(const json_t *row);

runner_fn run_expressions, run_act_expressions, run_expression_syntax, run_format_placeholders,
    run_lint_conditions, run_interpolation, run_if_conditions, run_format_strings,
    run_editor_expressions, run_hash_files, run_glob_matching, run_act_filters,
    run_status_functions, run_template_evaluation, run_yaml_scalars, run_id_builder, run_matrix,
    run_workflow_reader, run_parser_cases, run_manifests, run_action_cases, run_masking,
    run_command_parse, run_command_manager, run_output_processing, run_file_commands,
    run_annotation_lines, run_step_summary, run_result_merge, run_execution_context,
    run_composite_markers, run_problem_matchers, run_lint, run_lint_project, run_editor,
    run_editor_verdict, run_triggers, run_cron;
