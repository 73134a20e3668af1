#include "harness.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Without the names that the sources see in place of these. */
#undef malloc
#undef calloc
#undef realloc
#undef free
#undef posix_memalign
#undef fopen
#undef fmemopen
#undef fclose

enum { MOST = 1 << 16 };
#define LARGEST ((size_t)1 << 26) /* more than this there is not */

static void *blocks[MOST];
static FILE *files[MOST];
static size_t block_count, file_count;
static jmp_buf back;

static void *kept(void *block) {
    if (!block) return NULL;
    if (block_count == MOST) abort();
    return blocks[block_count++] = block;
}

void *fuzz_malloc(size_t size) { return size > LARGEST ? NULL : kept(malloc(size)); }
void *fuzz_calloc(size_t count, size_t size) { return size && count > LARGEST / size ? NULL : kept(calloc(count, size)); }

void fuzz_free(void *block) {
    for (size_t i = block_count; block && i-- > 0;) {
        if (blocks[i] != block) continue;
        blocks[i] = blocks[--block_count];
        free(block);
        return;
    }
    if (block) abort(); /* freed twice, or never allocated */
}

void *fuzz_realloc(void *block, size_t size) {
    if (!block) return fuzz_malloc(size);
    if (size > LARGEST) return NULL;
    for (size_t i = block_count; i-- > 0;)
        if (blocks[i] == block) {
            void *larger = realloc(block, size);
            if (larger) blocks[i] = larger;
            return larger;
        }
    abort();
}

int fuzz_posix_memalign(void **block, size_t alignment, size_t size) {
    if (size > LARGEST || posix_memalign(block, alignment, size)) return 12;
    kept(*block);
    return 0;
}

static FILE *opened(FILE *file) {
    if (!file) return NULL;
    if (file_count == MOST) abort();
    return files[file_count++] = file;
}

FILE *fuzz_fopen(const char *path, const char *mode) { return opened(fopen(path, mode)); }
FILE *fuzz_fmemopen(void *data, size_t size, const char *mode) { return opened(fmemopen(data, size, mode)); }

int fuzz_fclose(FILE *file) {
    for (size_t i = file_count; i-- > 0;)
        if (files[i] == file) files[i] = files[--file_count];
    return fclose(file);
}

void fuzz_exit(int status) {
    (void)status;
    longjmp(back, 1);
}

/* As failure.c, but for the message, which is made all the same. */
void fail(int status, const char *format, ...) {
    char message[4096];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    fuzz_exit(status);
    abort();
}

void *allocate(size_t count, size_t size) {
    void *memory = fuzz_calloc(count + 1, size);
    if (!memory) fail(1, "out of memory");
    return memory;
}

const char *file_of(const uint8_t *data, size_t size) {
    static char path[64];
    if (!path[0]) snprintf(path, sizeof path, "/dev/shm/netwright-fuzz-%d", (int)getpid());
    FILE *file = fopen(path, "wb");
    if (!file || fwrite(data, 1, size, file) != size || fclose(file)) abort();
    return path;
}

static const struct {
    const char *name;
    target *run;
} targets[] = {{"npy", npy},
               {"npz", npz},
               {"tensors", tensors},
               {"checkpoint", checkpoint},
               {"dataset", dataset_file},
               {"train_words", train_words},
               {"predict_words", predict_words},
               {"stream_words", stream_words},
               {"remembered", remembered_steps},
               {"records", records},
               {"wav", wav}};
static target *chosen;

static void choose(const char *name) {
    for (size_t i = 0; i < sizeof targets / sizeof *targets; i++)
        if (name && strcmp(targets[i].name, name) == 0) chosen = targets[i].run;
    if (!chosen) {
        fprintf(stderr, "FUZZ names the target: npy, npz, …\n");
        exit(2);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv) {
    (void)argc, (void)argv;
    choose(getenv("FUZZ"));
    if (!freopen("/dev/null", "w", stdout)) return 1;
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (setjmp(back) == 0) chosen(data, size);
    while (block_count) free(blocks[--block_count]);
    while (file_count) fclose(files[--file_count]);
    return 0;
}

#ifdef REPLAY
/* Runs a target on files: TARGET FILE… */
int main(int argc, char **argv) {
    if (argc < 2) return 2;
    choose(argv[1]);
    int out = dup(STDOUT_FILENO);
    if (!freopen("/dev/null", "w", stdout)) return 1;
    for (int i = 2; i < argc; i++) {
        FILE *file = fopen(argv[i], "rb");
        uint8_t *data = malloc(1 << 20);
        if (!file || !data) return 1;
        size_t size = fread(data, 1, 1 << 20, file);
        fclose(file);
        uint8_t *exact = malloc(size ? size : 1); /* of exactly this size, so that reading beyond it is noticed */
        memcpy(exact, data, size);
        free(data);
        LLVMFuzzerTestOneInput(exact, size);
        free(exact);
    }
    dprintf(out, "%d\n", argc - 2);
    return 0;
}
#endif
