/* parts - how the schema tables are written down; for the tables only. */
#pragma once

#include "lang/schema/schema.h"

/* clang-format off */
#define VALUES(...) (const char *const[]){__VA_ARGS__, NULL}
#define CONSTANT(...) {.kind = SCHEMA_STRING, .values = VALUES(__VA_ARGS__)}
#define ONE_OF(...) .kind = SCHEMA_ONE_OF, .choices = (const struct schema *const[]){__VA_ARGS__, NULL}
#define LIST_OF(def) .kind = SCHEMA_SEQUENCE, .item = (def)
#define MAP_OF(def) .kind = SCHEMA_MAPPING, .loose_key = &schema_text, .loose = (def)
#define KEYS(table) .kind = SCHEMA_MAPPING, .keys = (table), .n_keys = COUNT_OF(table)
#define KEY(name, def) {SLICE_INIT(name), (def), 0}
#define NEED(name, def) {SLICE_INIT(name), (def), KEY_REQUIRED}
/* clang-format on */
