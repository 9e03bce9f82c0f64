#include "lang/schema/parts.h"

const struct schema schema_null = {.kind = SCHEMA_NULL};
const struct schema schema_bool = {.kind = SCHEMA_BOOL};
const struct schema schema_number = {.kind = SCHEMA_NUMBER};
const struct schema schema_string = {.kind = SCHEMA_STRING};
const struct schema schema_text = {.kind = SCHEMA_STRING, .non_empty = true};
const struct schema schema_texts = {LIST_OF(&schema_text)};
const struct schema schema_text_or_texts = {ONE_OF(&schema_text, &schema_texts)};

static const struct schema any_list = {LIST_OF(&schema_any)};
static const struct schema any_map = {
    .kind = SCHEMA_MAPPING, .loose_key = &schema_string, .loose = &schema_any};
const struct schema schema_any = {
    ONE_OF(&schema_null, &schema_bool, &schema_number, &schema_string, &any_list, &any_map)};
