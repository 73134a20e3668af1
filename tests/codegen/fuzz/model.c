/* A small model, as its tables would be generated: x [N, T, 2] with lengths, a class, weights, and a state. */
#include <stddef.h>

#include "stream.h"
#include "trainer.h"

enum { X, STEPS, CLASS, NUMERATOR, COUNT, WEIGHT, STATE, BUFFERS };

static const nw_dim dims[] = {{"N", 1, -1, 1, -1}, {"T", 1, 64, 1, -1}};
static const nw_axis axes_x[] = {{0, "N"}, {1, "T"}, {-1, "2"}}, axes_n[] = {{0, "N"}}, axes_w[] = {{-1, "2"}, {-1, "3"}};
static const unsigned char zeros[64];
static const nw_buffer buffers[] = {
    {"x", NW_INPUT, {'f', 4}, 3, axes_x, "[N, T, 2]", NULL, 0, NULL, -1, 16000},
    {"steps", NW_INPUT, {'i', 8}, 1, axes_n, "[N]", NULL, 0, NULL, 0, 0},
    {"t", NW_INPUT, {'i', 8}, 1, axes_n, "[N]", NULL, 0, NULL, -1, 0},
    {"loss.numerator", NW_OUTPUT, {'f', 4}, 0, NULL, "[]", NULL, 0, NULL, -1, 0},
    {"loss.count", NW_OUTPUT, {'f', 4}, 0, NULL, "[]", NULL, 0, NULL, -1, 0},
    {"w", NW_DATA, {'f', 4}, 2, axes_w, "[2, 3]", zeros, 0, NULL, -1, 0},
    {"optimizer.step", NW_STATE, {'i', 8}, 0, NULL, "[]", NULL, 0, NULL, -1, 0},
};
static const nw_range ranges[] = {{STEPS, -1, 0, "length"}, {CLASS, -1, 0, "class"}};

static int64_t size(int32_t buffer, int32_t axis, const int64_t *d, int *bad) {
    if (buffer == X) return axis == 0 ? d[0] : axis == 1 ? d[1] : 2;
    if (buffer == STEPS || buffer == CLASS) return d[0];
    if (buffer == WEIGHT) return axis ? 3 : 2;
    *bad = 1;
    return 0;
}

static int64_t high(int32_t range, const int64_t *d, int *bad) {
    (void)bad;
    return range ? 2 : d[1];
}

static int32_t run(const netwright_context *context, int32_t tid, int32_t nthreads) {
    (void)context, (void)tid, (void)nthreads;
    return 0;
}

static int64_t plan(const int64_t *sizes, int64_t *offsets) {
    (void)sizes, (void)offsets;
    return 0;
}

static int32_t pool(int32_t (*entry)(const netwright_context *, int32_t, int32_t), const netwright_context *context,
                    int32_t nthreads, int32_t patience) {
    (void)patience;
    return entry(context, 0, nthreads);
}

static int32_t pin(const int32_t *processors, int32_t count) {
    (void)processors, (void)count;
    return 0;
}

static int64_t missing(void) { return 0; }

static const char *error(int32_t code) {
    (void)code;
    return "";
}

static const char features[] = "";

static const nw_model model = {"fuzzed", "{}",  2,   BUFFERS, 0,    2,     dims,     buffers, ranges,
                               size,     high, run, pool,    pin,  plan,  error,    features, missing, 0};
const nw_model *const nw_versions[] = {&model, NULL};
const nw_model *nw_chosen = &model;

static const nw_answers outputs[] = {{NUMERATOR, -1, 1, 0}};
const nw_stream nw_the_stream = {X, 1, 1, 1, 1, outputs, UINT64_C(0x0123456789abcdef)};

static const int64_t shape_w[] = {2, 3}, shape_none[] = {1};
static const nw_tensor weights[] = {{"w", WEIGHT, {'f', 4}, 2, shape_w, zeros, -1}};
static const nw_tensor states[] = {{"optimizer.step", STATE, {'i', 8}, 0, shape_none, NULL, -1}};
static const int32_t sums[] = {NUMERATOR, COUNT};
static const double factors[] = {1.0};
static const nw_score scores[] = {{"loss", "mean", 2, sums, factors, 0}};
#define ENTRY {run, plan, 0}
#define AROUND {ENTRY, 1, {-1, -1}, 0}
const nw_trainer nw_the_trainer = {
    "0.1.0", "fuzzed", "\"seed\": 0, \"shuffle\": true", "[]", ENTRY, ENTRY, AROUND, AROUND, AROUND,
    1,       1,        1,                                weights, states, scores, 3, 2, 1, NULL, 0, 0.0, 0, 1.0, 0.0, NULL, 1, 0,
    0.0,     0,        -1,                               -1, 0, 1, 1, 0, 0, NULL, 0, NULL, -1, 0, NULL,
    0,       NULL,     NULL,
};
