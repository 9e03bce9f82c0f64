/* Reports, outputs and coverage: whatever it is, reading it stays within bounds, and what was read can be told. The first
 * byte picks the format, the second is the size of a portion. */
#include "coverage.h"
#include "read.h"
#include "report.h"
#include "../lib/fuzz_memory.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_tests(struct ost_step *step, const struct format *format, struct span s,
                       size_t portion)
{
    struct places places = {step, "/nowhere", "", "m"};
    struct results all = {0};
    struct report report = {.step = step, .title = "t", .shard = "", .results = &all};
    struct reader *r = reader_new(step, format, &all);

    for (; s.size > portion; s = (struct span){s.at + portion, s.size - portion})
        reader_feed(r, (struct span){s.at, portion}, 1);
    reader_feed(r, s, 2);
    (void)reader_end(r);
    report_places(&report, &places);
    (void)report_junit(&report);
}

static void read_lines(struct ost_step *step, struct span s, size_t portion)
{
    struct coverage c = {.index = {.step = step}};
    struct coverage_reader *r = coverage_reader_new(step, &c);

    for (; s.size > portion; s = (struct span){s.at + portion, s.size - portion})
        coverage_reader_feed(r, (struct span){s.at, portion});
    coverage_reader_feed(r, s);
    (void)coverage_reader_end(r);
    (void)coverage_ratio(&c);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct format *const formats[] = {&format_junit, &format_tap,   &format_jest,
                                                   &format_go,    &format_cargo, &format_unittest};
    static const struct ost_host host = {.struct_size = sizeof host, .alloc = fuzz_give};
    const size_t n_formats = sizeof formats / sizeof formats[0];
    struct ost_step step = {&host};
    struct span s = {(const char *)data + 2, size - 2};

    if (size < 2 || size > 100000)
        return 0;
    if (data[0] % (n_formats + 1) == n_formats)
        read_lines(&step, s, (size_t)data[1] + 1);
    else
        read_tests(&step, formats[data[0] % (n_formats + 1)], s, (size_t)data[1] + 1);
    fuzz_take_back();
    return 0;
}
