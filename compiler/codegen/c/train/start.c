/* Starts with the weights of another training, as far as names and shapes agree (api/training/warm_start.py). */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "training.h"

static const nw_trainer *const plan = &nw_the_trainer;

static int any(const tensor_file *file, const char *prefix) {
    for (int32_t i = 0; i < file->count; i++)
        if (tensor_begins(&file->tensors[i], prefix)) return 1;
    return 0;
}

/* Whether the checkpoint counts an update, so that averages are such. */
static int was_updated(const tensor_file *file) {
    const tensor *count = tensors_find(file, "state.", "optimizer.updates");
    if (!count) count = tensors_find(file, "state.", "optimizer.step");
    for (int64_t i = 0; count && i < count->bytes; i++)
        if (count->data[i]) return 1;
    return 0;
}

static const tensor *find(const tensor_file *file, int checkpoint, const char *name) {
    if (!checkpoint) return tensors_find(file, "", name);
    if (any(file, "best.")) return tensors_find(file, "best.", name);
    const tensor *average = was_updated(file) ? tensors_find(file, "state.average.", name) : NULL;
    return average ? average : tensors_find(file, "weights.", name);
}

static int fits(const tensor *stored, const nw_tensor *wanted) {
    if (stored->rank != wanted->rank || !npy_casts_losslessly(stored->dtype, wanted->dtype)) return 0;
    return memcmp(stored->shape, wanted->shape, (size_t)wanted->rank * sizeof *wanted->shape) == 0;
}

/* Floats of 32 bits become such of 64; everything else keeps its type or is left. */
static int take(const tensor *stored, const nw_tensor *wanted, unsigned char *into) {
    if (stored->dtype.kind == wanted->dtype.kind && stored->dtype.size == wanted->dtype.size) {
        memcpy(into, stored->data, (size_t)stored->bytes);
        return 1;
    }
    if (stored->dtype.kind != 'f' || stored->dtype.size != 4 || wanted->dtype.size != 8) return 0;
    for (int64_t i = 0; i < stored->bytes / 4; i++) {
        float narrow;
        memcpy(&narrow, stored->data + 4 * i, 4);
        ((double *)(void *)into)[i] = (double)narrow;
    }
    return 1;
}

void start_from(training *t, const char *path) {
    tensor_file file;
    char message[NPY_MESSAGE];
    int64_t taken = 0, count = 0;
    FILE *stored = fopen(path, "rb");
    if (!stored) fail(EXIT_INPUT, "--init %s: %s", path, strerror(errno));
    if (tensors_read(stored, &file, message)) fail(EXIT_INPUT, "--init %s: %s", path, message);
    fclose(stored);
    const json *format = tensors_metadata(&file, "format");
    int checkpoint = format && strncmp(format->text, "netwright-checkpoint-", 21) == 0;
    if (checkpoint && strcmp(format->text, "netwright-checkpoint-2") != 0)
        fail(EXIT_INPUT, "--init %s is a checkpoint of another version of netwright", path);
    for (int32_t i = 0; i < plan->weight_count; i++) {
        const nw_tensor *wanted = &plan->weights[i];
        const tensor *found = find(&file, checkpoint, wanted->name);
        int fitting = found && fits(found, wanted) && take(found, wanted, t->weights[i]);
        taken += fitting;
        count += fitting ? tensor_bytes(wanted) / wanted->dtype.size : 0;
        if (!fitting && !t->asked.quiet)
            fprintf(report_file(t), "%s: %s: keeps its first values\n", wanted->name, found ? "has another shape or type there" : "not there");
    }
    if (!taken) fail(EXIT_INPUT, "--init %s has nothing to start %s with, no tensor of the same name and shape", path, plan->model);
    if (!t->asked.quiet)
        fprintf(report_file(t), "took %" PRId64 " of %d tensors from %s, %" PRId64 " weights\n", taken, (int)plan->weight_count, path, count);
    tensors_free(&file);
}
