/* The command line: what it asks for, and its help. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "driver.h"
#include "failure.h"
#include "npy.h"
#include "options.h"
#include "words.h"

enum { MOST_CALLS = 10000000 };

static int count_of(int32_t use, int32_t *last) {
    int count = 0;
    for (int32_t i = 0; i < nw_the_model.buffer_count; i++) {
        if (nw_the_model.buffers[i].use != use) continue;
        *last = i;
        count++;
    }
    return count;
}

/* The number of inputs that have to be given, and one of them. */
static int count_needed(int32_t *last) {
    int count = 0;
    for (int32_t i = 0; i < nw_the_model.buffer_count; i++) {
        if (nw_the_model.buffers[i].use != NW_INPUT || nw_the_model.buffers[i].whole >= 0) continue;
        *last = i;
        count++;
    }
    return count;
}

static void list(FILE *to, int32_t use) {
    for (int32_t i = 0; i < nw_the_model.buffer_count; i++) {
        const nw_buffer *buffer = &nw_the_model.buffers[i];
        if (buffer->use != use) continue;
        fprintf(to, "  %s  %s %s", buffer->name, npy_dtype_name(buffer->dtype), buffer->shape);
        if (buffer->label_count) fprintf(to, "  (%d labels)", (int)buffer->label_count);
        fputs(buffer->whole >= 0 ? "  (left out: all steps)\n" : "\n", to);
    }
}

static void usage(FILE *to) {
    const char *name = nw_the_model.name;
    int32_t input = 0, output = 0;
    fprintf(to, "usage: %s -i NAME=FILE.npy ... -o OUT.npz [--print] [--raw] [--threads N] [--pin]\n", name);
    if (count_needed(&input) == 1 && count_of(NW_OUTPUT, &output) == 1)
        fprintf(to, "       %s < %s.npy > %s.npy\n", name, nw_the_model.buffers[input].name,
                nw_the_model.buffers[output].name);
    fprintf(to, "       %s --info | %s--help\n\ninputs:\n", name, CHECKS ? "--selftest | --bench N | " : "");
    list(to, NW_INPUT);
    fprintf(to, "outputs:\n");
    list(to, NW_OUTPUT);
    fprintf(to,
            "\n  -i NAME=FILE.npy  an input (FILE - : standard input); sound can be a WAV file\n"
            "  -o OUT            all outputs as .npz, or the only output as .npy (OUT - : standard output)\n"
            "  --print           outputs as text, with labels where there are any\n"
            "  --raw             standard input holds bare numbers in the input's type\n"
            "  --threads N       at most so many threads compute (auto: as many as there are processors)\n"
            "  --pin             each thread stays on a processor of its own\n"
            "  --info            the manifest as JSON, and what this CPU lacks\n");
    if (CHECKS)
        fputs(
            "  --selftest        compare with the reference's results; names the first layer that differs\n"
            "  --bench N         how long N calls take, on the inputs given, or on random ones of the least sizes\n"
            "  --profile N       the same, kernel by kernel, as JSON for netwright profile\n"
            "  --dim NAME=SIZE   an open size of random inputs\n",
            to);
}

static void take_input(options *asked, const char *text) {
    int32_t only = 0;
    for (int32_t i = 0; i < nw_the_model.buffer_count; i++) {
        const nw_buffer *buffer = &nw_the_model.buffers[i];
        size_t n = strlen(buffer->name);
        if (buffer->use != NW_INPUT || strncmp(text, buffer->name, n) != 0 || text[n] != '=') continue;
        if (asked->inputs[i]) fail(EXIT_INPUT, "input '%s' is given twice", buffer->name);
        asked->inputs[i] = text + n + 1;
        return;
    }
    if (!strchr(text, '=') && count_needed(&only) == 1) {
        if (asked->inputs[only]) fail(EXIT_INPUT, "the only input is given twice");
        asked->inputs[only] = text;
        return;
    }
    fprintf(stderr, "inputs:\n");
    list(stderr, NW_INPUT);
    fail(EXIT_INPUT, "-i %s: expected NAME=FILE.npy with the name of an input", text);
}

/* An input must not become the output: it would be lost. */
static void keep_inputs(const options *asked) {
    for (int32_t i = 0; asked->output && i < nw_the_model.buffer_count; i++)
        if (asked->inputs[i] && is_same_file(asked->output, asked->inputs[i]))
            fail(EXIT_INPUT, "-o %s is the input '%s': choose another name", asked->output, nw_the_model.buffers[i].name);
}

static int take_calls(const char *option, const char *text) {
    char *end;
    long value = strtol(text, &end, 10);
    if (end == text || *end || value < 1 || value > MOST_CALLS)
        fail(EXIT_INPUT, "%s %s: expected a number of calls from 1 to %d", option, text, MOST_CALLS);
    return (int)value;
}

int makes_inputs(const options *asked) {
    for (int32_t i = 0; i < nw_the_model.buffer_count; i++)
        if (asked->inputs[i]) return 0;
    return 1;
}

/* What needs a value, but for -i and -o: whether it was taken. */
static inline int take_check(options *asked, const char *option, const char *value) {
    if (strcmp(option, "--bench") == 0)
        asked->bench = take_calls(option, value);
    else if (strcmp(option, "--profile") == 0)
        asked->profile = take_calls(option, value);
    else if (strcmp(option, "--dim") == 0)
        asked->sizes[asked->size_count++] = value;
    else
        return 0;
    return 1;
}

/* Whether the program only looks at itself; then no input has to be given, and no place for the outputs. */
static inline int checks_itself(const options *asked) {
    int timed = asked->bench || asked->profile, made = makes_inputs(asked);
    if (asked->size_count && !(timed && made)) fail(EXIT_INPUT, "--dim is for the random inputs of --bench and --profile");
    if (!timed && !asked->selftest) return 0;
    if (asked->selftest + !!asked->bench + !!asked->profile > 1)
        fail(EXIT_INPUT, "--selftest, --bench and --profile: one at a time");
    if (asked->output || asked->print) fail(EXIT_INPUT, "-o and --print: there are no outputs with --selftest or --bench");
    if (asked->selftest && !made) fail(EXIT_INPUT, "-i: the self-test has inputs of its own");
    return asked->selftest || made;
}

void parse_options(int argc, char **argv, options *asked) {
    asked->inputs = allocate((size_t)nw_the_model.buffer_count, sizeof *asked->inputs);
    asked->sizes = allocate((size_t)argc, sizeof *asked->sizes);
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            usage(stdout);
            end_text();
        }
        if (strcmp(word, "--info") == 0) tell_manifest();
        if (strcmp(word, "--print") == 0) {
            asked->print = 1;
            continue;
        }
        if (strcmp(word, "--raw") == 0) {
            asked->raw = 1;
            continue;
        }
        if (strcmp(word, "--pin") == 0) {
            asked->pin = 1;
            continue;
        }
        if (CHECKS && strcmp(word, "--selftest") == 0) {
            asked->selftest = 1;
            continue;
        }
        if (CHECKS && i + 1 < argc && take_check(asked, word, argv[i + 1])) {
            i++;
            continue;
        }
        int takes = strcmp(word, "-i") == 0 || strcmp(word, "-o") == 0 || strcmp(word, "--threads") == 0;
        takes |= CHECKS &&
                 (strcmp(word, "--bench") == 0 || strcmp(word, "--profile") == 0 || strcmp(word, "--dim") == 0);
        if (!takes) fail(EXIT_INPUT, "%s is no option of this program; try --help", word);
        if (++i == argc) fail(EXIT_INPUT, "%s needs a value; try --help", word);
        if (word[1] == 'i')
            take_input(asked, argv[i]);
        else if (word[1] == 'o')
            asked->output = argv[i];
        else
            asked->threads = take_threads(argv[i]);
    }
    if (CHECKS && checks_itself(asked)) return;
    int32_t input = 0, output = 0, piped = 0;
    int outputs = count_of(NW_OUTPUT, &output);
    if (count_needed(&input) == 1 && !asked->inputs[input] && !isatty(STDIN_FILENO)) asked->inputs[input] = "-";
    for (int32_t i = 0; i < nw_the_model.buffer_count; i++) {
        const nw_buffer *buffer = &nw_the_model.buffers[i];
        if (buffer->use != NW_INPUT) continue;
        if (!asked->inputs[i] && buffer->whole >= 0) continue;
        if (!asked->inputs[i])
            fail(EXIT_INPUT, "input '%s' is missing: -i %s=FILE.npy, %s %s", buffer->name, buffer->name,
                 npy_dtype_name(buffer->dtype), buffer->shape);
        piped += strcmp(asked->inputs[i], "-") == 0;
    }
    if (piped > 1) fail(EXIT_INPUT, "only one input can come from standard input");
    if (asked->raw && !piped) fail(EXIT_INPUT, "--raw is about standard input, and no input comes from there");
    if (CHECKS && (asked->bench || asked->profile)) return;
    if (!asked->output && !asked->print && (outputs != 1 || isatty(STDOUT_FILENO)))
        fail(EXIT_INPUT, "where to? -o OUT.npz writes the outputs, --print shows them");
    if (asked->output && asked->print && strcmp(asked->output, "-") == 0)
        fail(EXIT_INPUT, "--print and -o - both write to standard output");
    keep_inputs(asked);
    size_t n = asked->output ? strlen(asked->output) : 0;
    if (n > 4 && strcmp(asked->output + n - 4, ".npy") == 0 && outputs != 1)
        fail(EXIT_INPUT, "%s: a .npy holds one array, and there are %d outputs; name it .npz", asked->output, outputs);
}
