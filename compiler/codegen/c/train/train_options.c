/* The command line of a trainer. */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "failure.h"
#include "training.h"
#include "words.h"

static void usage(FILE *to) {
    const char *name = nw_the_model.name;
    fprintf(to, "usage: %s -d train=FILE.npz [-d valid=FILE.npz] --weights OUT.safetensors [--epochs N]\n", name);
    fprintf(to, "       %s --info | --help\n\nTrains %s. The data set has these arrays:\n", name, name);
    for (int32_t i = 0; i < nw_the_model.buffer_count; i++) {
        const nw_buffer *buffer = &nw_the_model.buffers[i];
        if (buffer->use == NW_INPUT) fprintf(to, "  %s  %s %s\n", buffer->name, npy_dtype_name(buffer->dtype), buffer->shape);
    }
    fprintf(to,
            "\n  -d, --data SET=FILE  train and valid: a .npz file, or a folder of .npy files; `netwright data SPEC -o FOLDER`\n"
            "                       makes such files of tables, images, sound and text\n"
            "  --weights FILE       where to write the trained weights\n"
            "  --epochs N           how often to go through the data (%" PRId64 ")\n"
            "  --init FILE          start with other weights, where names and shapes agree\n"
            "  --resume FILE        go on from a checkpoint, of this program or of netwright train\n"
            "  --checkpoint FILE    where to keep the checkpoint; by default next to the weights\n"
            "  --force              write over existing weights and checkpoints\n"
            "  --threads N          at most so many threads compute (auto: as many as there are processors)\n"
            "  --pin                each thread stays on a processor of its own\n"
            "  -q, --quiet          print warnings, notes and errors alone\n"
            "  --info               the manifest as JSON\n\n"
            "SIGINT (Ctrl-C) and SIGTERM end the current step, write the checkpoint and exit with 130 and 143.\n",
            nw_the_trainer.epochs);
}

static void take_data(train_options *asked, const char *word) {
    const char **into = strncmp(word, "train=", 6) == 0 ? &asked->train : strncmp(word, "valid=", 6) == 0 ? &asked->valid : NULL;
    if (!into || !word[6]) fail(EXIT_INPUT, "-d %s: expected train=FILE or valid=FILE", word);
    if (*into) fail(EXIT_INPUT, "-d %.5s is given twice", word);
    *into = word + 6;
}

static int64_t take_epochs(const char *word) {
    char *end;
    errno = 0;
    long long value = strtoll(word, &end, 10);
    if (errno || end == word || *end || value < 1) fail(EXIT_INPUT, "--epochs %s: expected a number from 1", word);
    return value;
}

/* Next to the weights, under their name; in the current folder if these go to a device. */
static char *beside(const char *weights) {
    struct stat status;
    text path = {0};
    int stream = strcmp(weights, "-") == 0 || (stat(weights, &status) == 0 && !S_ISREG(status.st_mode));
    if (stream) {
        text_add(&path, "%s.checkpoint", nw_the_trainer.model);
        return path.data;
    }
    const char *slash = strrchr(weights, '/'), *name = slash ? slash + 1 : weights, *dot = strrchr(name, '.');
    size_t stem = dot && dot != name ? (size_t)(dot - weights) : strlen(weights);
    text_add(&path, "%.*s.checkpoint", (int)stem, weights);
    return path.data;
}

static int same_file(const char *a, const char *b) {
    struct stat first, second;
    if (strcmp(a, b) == 0) return 1;
    return stat(a, &first) == 0 && stat(b, &second) == 0 && first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

/* A folder that is missing is said now, not after hours. */
static void check_folder(const char *option, const char *path) {
    struct stat status;
    const char *slash = strrchr(path, '/');
    text folder = {0};
    text_add(&folder, "%.*s", slash ? (int)(slash - path + 1) : 1, slash ? path : ".");
    if (stat(path, &status) == 0 && S_ISDIR(status.st_mode)) fail(EXIT_INPUT, "%s: %s: it is a directory", option, path);
    if (strcmp(path, "-") != 0 && access(folder.data, W_OK | X_OK))
        fail(EXIT_INPUT, "%s: %s: %s", option, path, errno == ENOENT ? "there is no such directory" : strerror(errno));
    text_free(&folder);
}

static void keep_files(const train_options *asked) {
    const char *outputs[] = {asked->weights, asked->checkpoint}, *names[] = {"--weights", "--checkpoint"};
    const char *inputs[] = {asked->train, asked->valid, asked->init};
    struct stat status;
    if (same_file(asked->weights, asked->checkpoint))
        fail(EXIT_INPUT, "--checkpoint: %s is what --weights is, too: choose another name", asked->checkpoint);
    for (int i = 0; i < 2; i++) {
        check_folder(names[i], outputs[i]);
        for (int k = 0; k < 3; k++)
            if (inputs[k] && same_file(outputs[i], inputs[k]))
                fail(EXIT_INPUT, "%s: %s is the input %s: choose another name", names[i], outputs[i], inputs[k]);
        if (asked->force || asked->resume || stat(outputs[i], &status) || !S_ISREG(status.st_mode)) continue;
        fail(EXIT_INPUT, "%s is there already: %s--force writes over it", outputs[i],
             i ? "--resume goes on with that training, " : "");
    }
    if (asked->resume && same_file(asked->weights, asked->resume))
        fail(EXIT_INPUT, "--weights: %s is the checkpoint: choose another name", asked->weights);
}

void parse_train_options(int argc, char **argv, train_options *asked) {
    asked->epochs = nw_the_trainer.epochs;
    for (int i = 1; i < argc; i++) {
        const char *word = argv[i];
        const struct {
            const char *name;
            const char **into;
        } files[] = {{"--weights", &asked->weights}, {"--checkpoint", &asked->checkpoint}, {"--resume", &asked->resume},
                     {"--init", &asked->init}};
        const struct {
            const char *name;
            int *into;
        } flags[] = {{"--pin", &asked->pin}, {"--force", &asked->force}, {"-q", &asked->quiet}, {"--quiet", &asked->quiet}};
        int known = 0;
        if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
            usage(stdout);
            end_text();
        }
        if (strcmp(word, "--info") == 0) tell_manifest();
        for (size_t k = 0; k < sizeof flags / sizeof *flags; k++)
            if (strcmp(word, flags[k].name) == 0) known = *flags[k].into = 1;
        if (known) continue;
        int data = strcmp(word, "-d") == 0 || strcmp(word, "--data") == 0, epochs = strcmp(word, "--epochs") == 0;
        const char **into = NULL;
        for (size_t k = 0; k < sizeof files / sizeof *files; k++)
            if (strcmp(word, files[k].name) == 0) into = files[k].into;
        if (!data && !epochs && !into && strcmp(word, "--threads") != 0)
            fail(EXIT_INPUT, "%s is no option of this program; try --help", word);
        if (++i == argc) fail(EXIT_INPUT, "%s needs a value; try --help", word);
        if (data)
            take_data(asked, argv[i]);
        else if (epochs)
            asked->epochs = take_epochs(argv[i]);
        else if (into)
            *into = argv[i];
        else
            asked->threads = take_threads(argv[i]);
    }
    if (!asked->train) fail(EXIT_INPUT, "the training data are missing: -d train=FILE.npz; try --help");
    if (!asked->weights) fail(EXIT_INPUT, "where to? --weights OUT.safetensors; try --help");
    if (asked->init && asked->resume)
        fail(EXIT_INPUT, "--init starts a new training, --resume goes on with one: leave one of them out");
    if (!asked->checkpoint) asked->checkpoint = asked->resume ? asked->resume : beside(asked->weights);
    keep_files(asked);
}
