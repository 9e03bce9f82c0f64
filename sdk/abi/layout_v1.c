/* The layout of ABI v1 on LP64, which no release may change: this file only ever gains lines. */
#include <ostler/ext.h>
#include <ostler/plugin.h>

#define AT(type, member, offset)                                                                   \
    _Static_assert(offsetof(struct type, member) == (offset), #type "." #member)
#define SIZE(type, size) _Static_assert(sizeof(struct type) == (size), #type)
#define ID(id, text) _Static_assert(__builtin_strcmp((id), (text)) == 0, #id)
#define IS(constant, value) _Static_assert((constant) == (value), #constant)

#if defined(__LP64__)

/* ---- minor 0 ---- */

SIZE(ost_input, 48);
AT(ost_input, name, 0);
AT(ost_input, type, 8);
AT(ost_input, flags, 12);
AT(ost_input, fallback, 16);
AT(ost_input, description, 24);
AT(ost_input, choices, 32);
AT(ost_input, deprecation, 40);

SIZE(ost_output, 16);
AT(ost_output, name, 0);
AT(ost_output, description, 8);

SIZE(ost_plugin, 144);
AT(ost_plugin, struct_size, 0);
AT(ost_plugin, abi_minor, 4);
AT(ost_plugin, id, 8);
AT(ost_plugin, version, 16);
AT(ost_plugin, title, 24);
AT(ost_plugin, description, 32);
AT(ost_plugin, author, 40);
AT(ost_plugin, inputs, 48);
AT(ost_plugin, n_inputs, 56);
AT(ost_plugin, input_size, 60);
AT(ost_plugin, outputs, 64);
AT(ost_plugin, n_outputs, 72);
AT(ost_plugin, output_size, 76);
AT(ost_plugin, needs, 80);
AT(ost_plugin, traits, 84);
AT(ost_plugin, plan, 88);
AT(ost_plugin, pre, 96);
AT(ost_plugin, main, 104);
AT(ost_plugin, post, 112);
AT(ost_plugin, pre_if, 120);
AT(ost_plugin, post_if, 128);
AT(ost_plugin, extension, 136);

SIZE(ost_note, 48);
AT(ost_note, struct_size, 0);
AT(ost_note, level, 4);
AT(ost_note, message, 8);
AT(ost_note, title, 16);
AT(ost_note, file, 24);
AT(ost_note, line, 32);
AT(ost_note, end_line, 36);
AT(ost_note, col, 40);
AT(ost_note, end_col, 44);

SIZE(ost_exec, 72);
AT(ost_exec, struct_size, 0);
AT(ost_exec, flags, 4);
AT(ost_exec, argv, 8);
AT(ost_exec, env, 16);
AT(ost_exec, cwd, 24);
AT(ost_exec, input, 32);
AT(ost_exec, input_size, 40);
AT(ost_exec, timeout_ms, 48);
AT(ost_exec, on_output, 56);
AT(ost_exec, ctx, 64);

SIZE(ost_exec_result, 32);
AT(ost_exec_result, struct_size, 0);
AT(ost_exec_result, exit_code, 4);
AT(ost_exec_result, signal, 8);
AT(ost_exec_result, out, 16);
AT(ost_exec_result, out_size, 24);

SIZE(ost_host, 208);
AT(ost_host, struct_size, 0);
AT(ost_host, abi_minor, 4);
AT(ost_host, log, 8);
AT(ost_host, annotate, 16);
AT(ost_host, group, 24);
AT(ost_host, mask, 32);
AT(ost_host, fail, 40);
AT(ost_host, last_error, 48);
AT(ost_host, input, 56);
AT(ost_host, input_list, 64);
AT(ost_host, context, 72);
AT(ost_host, output, 80);
AT(ost_host, env, 88);
AT(ost_host, path, 96);
AT(ost_host, summary, 104);
AT(ost_host, save, 112);
AT(ost_host, saved, 120);
AT(ost_host, dir, 128);
AT(ost_host, temp, 136);
AT(ost_host, alloc, 144);
AT(ost_host, exec, 152);
AT(ost_host, phase, 160);
AT(ost_host, cancelled, 168);
AT(ost_host, cancel_fd, 176);
AT(ost_host, time_left_ms, 184);
AT(ost_host, plan, 192);
AT(ost_host, extension, 200);

SIZE(ost_step, 8);
AT(ost_step, host, 0);

/* ---- extensions, revision 1 ---- */

SIZE(ost_progress_v1, 16);
AT(ost_progress_v1, struct_size, 0);
AT(ost_progress_v1, update, 8);

SIZE(ost_http_request, 64);
AT(ost_http_request, struct_size, 0);
AT(ost_http_request, retries, 4);
AT(ost_http_request, method, 8);
AT(ost_http_request, url, 16);
AT(ost_http_request, headers, 24);
AT(ost_http_request, body, 32);
AT(ost_http_request, body_size, 40);
AT(ost_http_request, save_to, 48);
AT(ost_http_request, timeout_ms, 56);

SIZE(ost_http_response, 32);
AT(ost_http_response, struct_size, 0);
AT(ost_http_response, status, 4);
AT(ost_http_response, body, 8);
AT(ost_http_response, body_size, 16);
AT(ost_http_response, headers, 24);

SIZE(ost_mask_v1, 16);
AT(ost_mask_v1, struct_size, 0);
AT(ost_mask_v1, apply, 8);

SIZE(ost_http_v1, 16);
AT(ost_http_v1, struct_size, 0);
AT(ost_http_v1, fetch, 8);

SIZE(ost_blobs_v1, 40);
AT(ost_blobs_v1, struct_size, 0);
AT(ost_blobs_v1, cache_restore, 8);
AT(ost_blobs_v1, cache_save, 16);
AT(ost_blobs_v1, artifact_put, 24);
AT(ost_blobs_v1, artifact_get, 32);

SIZE(ost_cache_query, 24);
AT(ost_cache_query, struct_size, 0);
AT(ost_cache_query, flags, 4);
AT(ost_cache_query, paths, 8);
AT(ost_cache_query, keys, 16);

SIZE(ost_cache_entry, 24);
AT(ost_cache_entry, struct_size, 0);
AT(ost_cache_entry, exact, 4);
AT(ost_cache_entry, key, 8);
AT(ost_cache_entry, size, 16);

SIZE(ost_cache_v1, 24);
AT(ost_cache_v1, struct_size, 0);
AT(ost_cache_v1, restore, 8);
AT(ost_cache_v1, save, 16);

SIZE(ost_artifact, 48);
AT(ost_artifact, struct_size, 0);
AT(ost_artifact, zip, 4);
AT(ost_artifact, id, 8);
AT(ost_artifact, size, 16);
AT(ost_artifact, created, 24);
AT(ost_artifact, name, 32);
AT(ost_artifact, digest, 40);

SIZE(ost_artifact_upload, 40);
AT(ost_artifact_upload, struct_size, 0);
AT(ost_artifact_upload, flags, 4);
AT(ost_artifact_upload, name, 8);
AT(ost_artifact_upload, root, 16);
AT(ost_artifact_upload, files, 24);
AT(ost_artifact_upload, days, 32);
AT(ost_artifact_upload, level, 36);

SIZE(ost_artifact_download, 24);
AT(ost_artifact_download, struct_size, 0);
AT(ost_artifact_download, flags, 4);
AT(ost_artifact_download, id, 8);
AT(ost_artifact_download, dir, 16);

SIZE(ost_artifacts_v1, 40);
AT(ost_artifacts_v1, struct_size, 0);
AT(ost_artifacts_v1, list, 8);
AT(ost_artifacts_v1, upload, 16);
AT(ost_artifacts_v1, download, 24);
AT(ost_artifacts_v1, remove, 32);

SIZE(ost_files_v1, 32);
AT(ost_files_v1, struct_size, 0);
AT(ost_files_v1, glob, 8);
AT(ost_files_v1, roots, 16);
AT(ost_files_v1, hash, 24);

SIZE(ost_source_query, 32);
AT(ost_source_query, struct_size, 0);
AT(ost_source_query, flags, 4);
AT(ost_source_query, repository, 8);
AT(ost_source_query, ref, 16);
AT(ost_source_query, path, 24);

SIZE(ost_source, 40);
AT(ost_source, struct_size, 0);
AT(ost_source, shown, 4);
AT(ost_source, folder, 8);
AT(ost_source, origin, 16);
AT(ost_source, ref, 24);
AT(ost_source, commit, 32);

SIZE(ost_source_v1, 16);
AT(ost_source_v1, struct_size, 0);
AT(ost_source_v1, find, 8);

SIZE(ost_mirror_query, 24);
AT(ost_mirror_query, struct_size, 0);
AT(ost_mirror_query, flags, 4);
AT(ost_mirror_query, url, 8);
AT(ost_mirror_query, header, 16);

SIZE(ost_mirror_v1, 16);
AT(ost_mirror_v1, struct_size, 0);
AT(ost_mirror_v1, show, 8);

#endif

/* ---- constants, minor 0 ---- */

IS(OST_OK, 0);
IS(OST_E_FAILED, -1);
IS(OST_E_INVALID, -2);
IS(OST_E_NOT_FOUND, -3);
IS(OST_E_DENIED, -4);
IS(OST_E_CANCELLED, -5);
IS(OST_E_TIMEOUT, -6);
IS(OST_E_LIMIT, -7);
IS(OST_E_IO, -8);
IS(OST_E_UNSUPPORTED, -9);
IS(OST_E_EXIT, -10);
IS(OST_STRING, 0);
IS(OST_BOOL, 1);
IS(OST_INT, 2);
IS(OST_LIST, 3);
IS(OST_CHOICE, 4);
IS(OST_PATH, 5);
IS(OST_REQUIRED, 1);
IS(OST_SECRET, 2);
IS(OST_NEED_NETWORK, 1);
IS(OST_NEED_WORKSPACE_WRITE, 2);
IS(OST_EFFECTS_VIA_HOST, 1);
IS(OST_POST_IF_SAVED, 2);
IS(OST_DEBUG, 0);
IS(OST_INFO, 1);
IS(OST_NOTICE, 2);
IS(OST_WARNING, 3);
IS(OST_ERROR, 4);
IS(OST_PHASE_PLAN, 0);
IS(OST_PHASE_PRE, 1);
IS(OST_PHASE_MAIN, 2);
IS(OST_PHASE_POST, 3);
IS(OST_DIR_WORKSPACE, 0);
IS(OST_DIR_TEMP, 1);
IS(OST_DIR_TOOLS, 2);
IS(OST_DIR_HOME, 3);
IS(OST_DIR_SELF, 4);
IS(OST_EXEC_CHECK, 1);
IS(OST_EXEC_QUIET, 2);
IS(OST_EXEC_CAPTURE, 4);
IS(OST_EXEC_COMMANDS, 8);
IS(OST_CACHE_LOOKUP, 1);
IS(OST_CACHE_CROSS_OS, 2);
IS(OST_ARTIFACT_RAW, 1);
IS(OST_GLOB_LINKS, 1);
IS(OST_GLOB_INSIDE, 2);
IS(OST_GLOB_FOLDERS, 4);
IS(OST_GLOB_NO_HIDDEN, 8);
IS(OST_SOURCE_CLEAN, 1);
IS(OST_MIRROR_MAKE, 1);

ID(OST_EXT_PROGRESS, "ostler.progress/1");
ID(OST_EXT_HTTP, "ostler.http/1");
ID(OST_EXT_BLOBS, "ostler.blobs/1");
ID(OST_EXT_MASK, "ostler.mask/1");
ID(OST_EXT_CACHE, "ostler.cache/1");
ID(OST_EXT_ARTIFACTS, "ostler.artifacts/1");
ID(OST_EXT_FILES, "ostler.files/1");
ID(OST_EXT_SOURCE, "ostler.source/1");
ID(OST_EXT_MIRROR, "ostler.mirror/1");
