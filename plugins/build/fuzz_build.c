/* What a Dockerfile, kept facts and the texts of rules hold: whatever it is, reading it stays within bounds, and
 * facts that were read are written as they were read. The first byte picks the reader. */
#include "build_dockerfile.h"
#include "build_facts.h"
#include "build_labels.h"
#include "build_provenance.h"
#include "../lib/fuzz_memory.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static ost_status refuse(struct ost_step *step, ost_status why, const char *text)
{
    (void)step;
    (void)text;
    return why;
}

static const char *no_context(struct ost_step *step, const char *name)
{
    (void)step;
    (void)name;
    return NULL;
}

static void read_facts(struct ost_step *step, const char *text)
{
    struct facts one = {0}, two = {0};

    facts_parse(step, span_of(text), &one);
    facts_parse(step, span_of(facts_format(step, &one)), &two);
    if (strcmp(facts_format(step, &one), facts_format(step, &two)) != 0)
        abort();
    (void)facts_difference(step, &one, &two);
}

static void make_tags(struct ost_step *step, const char *text)
{
    struct image_facts facts = {text, text, "main", text};
    struct strings tags = {0};

    (void)image_tags(step, OST_ARGV(text, "latest", "branch", "pr", "sha", "semver"), &facts,
                     &tags);
    for (size_t i = 0; i < tags.n; i++)
        if (!image_tag_is_legal(tags.list[i]))
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct ost_host host = {
        .struct_size = sizeof host, .alloc = fuzz_give, .fail = refuse, .context = no_context};
    struct ost_step step = {&host};
    char *text;

    if (size == 0 || size > 100000)
        return 0;
    text = fuzz_give(&step, size);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    if (data[0] % 3 == 0)
        (void)dockerfile_bases(&step, (struct span){text, size - 1});
    else if (data[0] % 3 == 1)
        read_facts(&step, text);
    else
        make_tags(&step, text);
    fuzz_take_back();
    return 0;
}
