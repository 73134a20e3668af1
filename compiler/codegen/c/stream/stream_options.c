/* The command line of a program that is given steps. */
#include <stdio.h>
#include <string.h>

#include "driver.h"
#include "failure.h"
#include "stream.h"
#include "words.h"

static void usage(FILE *to) {
    const char *name = nw_the_model.name;
    const nw_buffer *input = &nw_the_model.buffers[nw_the_stream.input];
    fprintf(to, "usage: %s [--stream] [--raw | --npy] [--state FILE] [--save FILE] [--threads N] [--pin]\n", name);
    fprintf(to, "       < STEPS > ANSWERS\n");
    fprintf(to, "       %s --info | --help\n\n", name);
    fprintf(to, "Takes steps on standard input and answers as they come.\n\n");
    fprintf(to, "steps:\n  %s  bare numbers, %s, little-endian; a step is %s without its time\n", input->name,
            npy_dtype_name(input->dtype), input->shape);
    fprintf(to, "answers:\n");
    for (int32_t i = 0; i < nw_the_stream.output_count; i++) {
        const nw_buffer *buffer = &nw_the_model.buffers[nw_the_stream.outputs[i].buffer];
        fprintf(to, "  %s  %s %s%s\n", buffer->name, npy_dtype_name(buffer->dtype), buffer->shape,
                nw_the_stream.outputs[i].axis < 0 ? ", for all steps so far" : "");
    }
    fprintf(to,
            "\n  --stream      what this program does in any case\n"
            "  --raw         answers as bare numbers rather than text, a line per answer\n"
            "  --npy         steps as .npy arrays, one after the other, each with any number of them;\n"
            "                for each array an array of answers, per output\n"
            "  --save FILE   at the end of the steps, write what is remembered of them\n"
            "  --state FILE  go on from there\n"
            "  --threads N   at most so many threads compute (auto: as many as there are processors)\n"
            "  --pin         each thread stays on a processor of its own\n"
            "  --info        the manifest as JSON\n");
}

void parse_stream_options(int argc, char **argv, stream_options *asked) {
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            usage(stdout);
            end_text();
        }
        if (strcmp(word, "--info") == 0) tell_manifest();
        if (strcmp(word, "--stream") == 0) continue;
        if (strcmp(word, "--raw") == 0) {
            asked->raw = 1;
            continue;
        }
        if (strcmp(word, "--npy") == 0) {
            asked->npy = 1;
            continue;
        }
        if (strcmp(word, "--pin") == 0) {
            asked->pin = 1;
            continue;
        }
        int state = strcmp(word, "--state") == 0, save = strcmp(word, "--save") == 0;
        if (!state && !save && strcmp(word, "--threads") != 0)
            fail(EXIT_INPUT, "%s is no option of this program; try --help", word);
        if (++i == argc) fail(EXIT_INPUT, "%s needs a value; try --help", word);
        if (state)
            asked->state = argv[i];
        else if (save)
            asked->save = argv[i];
        else
            asked->threads = take_threads(argv[i]);
    }
    size_t n = asked->save ? strlen(asked->save) : 0;
    if (asked->save && strcmp(asked->save, "-") != 0 && (n < 5 || strcmp(asked->save + n - 4, ".npy") != 0))
        fail(EXIT_INPUT, "--save %s: what is remembered is a .npy file; name it so", asked->save);
    if (asked->save && strcmp(asked->save, "-") == 0)
        fail(EXIT_INPUT, "--save -: standard output has the answers; name a file");
    if (asked->raw && asked->npy) fail(EXIT_INPUT, "--raw and --npy both say how answers are written: leave one out");
    if (asked->raw && nw_the_stream.output_count != 1)
        fail(EXIT_INPUT, "--raw writes one output, and there are %d; leave it out", (int)nw_the_stream.output_count);
}
