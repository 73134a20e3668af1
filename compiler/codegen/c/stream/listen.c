/* Runs a network on steps that come on standard input, for as long as they come. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver.h"
#include "failure.h"
#include "records.h"
#include "remembered.h"
#include "stream.h"

enum { MOST_BYTES = 1 << 18 };

/* The answers of a call that follows `groups` groups of steps. */
static void answer(const stream_options *asked, const call *c, int64_t groups) {
    for (int32_t i = 0; i < nw_the_stream.output_count; i++) {
        const nw_answers *answers = &nw_the_stream.outputs[i];
        const nw_buffer *buffer = &nw_the_model.buffers[answers->buffer];
        int64_t frames = 1, early = 0, bytes = frame_bytes(answers->buffer, answers->axis, c->dims);
        if (answers->axis >= 0) {
            frames = c->dims[nw_the_stream.chunk] / nw_the_stream.group * answers->rate;
            early = answers->delay - groups * answers->rate;
        }
        const unsigned char *at = c->buffers[answers->buffer];
        for (int64_t frame = early > 0 ? early : 0; frame < frames; frame++) {
            if (asked->raw) {
                if (bytes && fwrite(at + frame * bytes, (size_t)bytes, 1, stdout) != 1) break;
                continue;
            }
            if (nw_the_stream.output_count > 1) printf("%s ", buffer->name);
            print_row(buffer, at + frame * bytes, bytes / buffer->dtype.size);
        }
    }
    if (fflush(stdout) || ferror(stdout)) fail(EXIT_SYSTEM, "cannot write to standard output: %s", strerror(errno));
}

/* As many bytes as there are, at least one; 0 at the end. */
static int64_t take(unsigned char *into, int64_t room) {
    for (;;) {
        ssize_t count = read(STDIN_FILENO, into, (size_t)room);
        if (count >= 0) return count;
        if (errno != EINTR) fail(EXIT_SYSTEM, "cannot read standard input: %s", strerror(errno));
    }
}

/* Computes the groups of steps that are complete, and keeps the rest; how many groups that were. */
static int64_t compute(runner *r, call *c, const remembered *kept, int64_t step) {
    int64_t groups = kept->waiting / kept->group;
    if (groups) {
        c->dims[nw_the_stream.chunk] = groups * (kept->group / step);
        run(r, c);
    }
    return groups;
}

static void forget(remembered *kept, int64_t groups) {
    kept->groups += groups;
    kept->waiting -= groups * kept->group;
    memmove(kept->steps, kept->steps + groups * kept->group, (size_t)kept->waiting);
}

/* Bare numbers, as many as there are at a time. */
static void listen(const stream_options *asked, runner *r, call *c, remembered *kept, int64_t step, int64_t room) {
    for (;;) {
        int64_t count = take(kept->steps + kept->waiting, room - kept->waiting);
        kept->waiting += count;
        int64_t groups = compute(r, c, kept, step);
        if (groups) answer(asked, c, kept->groups);
        forget(kept, groups);
        if (!count) return;
    }
}

/* Arrays, each of which is answered as a whole. */
static void listen_to_arrays(runner *r, call *c, remembered *kept, int64_t step, int64_t room) {
    gathered *answers = allocate((size_t)nw_the_stream.output_count, sizeof *answers);
    int64_t left;
    while ((left = next_record(stdin, c)) >= 0) {
        begin_answers(answers, c);
        while (left) {
            int64_t part = left < room - kept->waiting ? left : room - kept->waiting;
            if (fread(kept->steps + kept->waiting, 1, (size_t)part, stdin) != (size_t)part)
                fail(EXIT_INPUT, "standard input ends in the middle of an array");
            kept->waiting += part;
            left -= part;
            int64_t groups = compute(r, c, kept, step);
            if (groups) gather_answers(answers, c, kept->groups);
            forget(kept, groups);
        }
        send_answers(answers, c);
    }
    free_answers(answers);
}

int main(int argc, char **argv) {
    const nw_model *model = &nw_the_model;
    const nw_stream *stream = &nw_the_stream;
    stream_options asked = {NULL, NULL, 0, 0, 0, 0};
    call c;
    runner r;
    begin_streams();
    choose_version();
    parse_stream_options(argc, argv, &asked);
    check_cpu();
    nw_make();
    c.dims = allocate((size_t)model->dim_count, sizeof *c.dims);
    c.buffers = allocate((size_t)model->buffer_count, sizeof *c.buffers);
    c.arrays = allocate((size_t)model->buffer_count, sizeof *c.arrays);
    c.shapes = allocate((size_t)model->buffer_count, sizeof *c.shapes);
    for (int32_t i = 0; i < model->dim_count; i++) c.dims[i] = model->dims[i].min;
    int64_t step = frame_bytes(stream->input, stream->axis, c.dims), group = step * stream->group;
    if (step < 1) fail(EXIT_INPUT, "a step of '%s' has no cells", model->buffers[stream->input].name);
    int64_t room = group > MOST_BYTES ? group : MOST_BYTES - MOST_BYTES % group;
    c.dims[stream->chunk] = room / step; /* the largest call says how large the buffers are */
    prepare_buffers(&c);
    unsigned char *steps = allocate((size_t)room, 1);
    remembered kept = {0, 0, steps, group};
    if (asked.state) recall(asked.state, &c, &kept);
    begin_running(&r, asked.threads, asked.pin);
    c.buffers[stream->input] = steps;
    if (asked.npy)
        listen_to_arrays(&r, &c, &kept, step, room);
    else
        listen(&asked, &r, &c, &kept, step, room);
    if (kept.waiting % step)
        fail(EXIT_INPUT, "the input ends in the middle of a step: %" PRId64 " of %" PRId64 " bytes", kept.waiting % step,
             step);
    if (asked.save) save_remembered(asked.save, &c, &kept);
    end_running(&r);
    return 0;
}
