/* Writes results where there are no POSIX signals, permissions and descriptors: Windows and WASI. A file is written under a
   temporary name and renamed, so it is always complete. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#ifdef _WIN32
#include <fcntl.h>
#include <io.h>
#endif

#include "driver.h"
#include "failure.h"

static void cannot(const char *path, const char *unfinished, int reason) {
    if (unfinished) remove(unfinished);
    fail(EXIT_SYSTEM, "cannot write %s: %s", strcmp(path, "-") ? path : "to standard output", strerror(reason));
}

static int write_all(FILE *file, const char *path, const npy_array *arrays, int32_t count) {
    size_t n = strlen(path);
    int plain = n > 4 && strcmp(path + n - 4, ".npy") == 0;
    if (strcmp(path, "-") == 0) plain = count == 1;
    return plain ? npy_write(file, arrays) : npz_write(file, arrays, count);
}

void begin_streams(void) {
#ifdef _WIN32
    _setmode(_fileno(stdin), _O_BINARY);
    _setmode(_fileno(stdout), _O_BINARY);
#endif
}

int is_same_file(const char *one, const char *other) {
#ifdef _WIN32
    char first[_MAX_PATH], second[_MAX_PATH];
    return _fullpath(first, one, sizeof first) && _fullpath(second, other, sizeof second) && _stricmp(first, second) == 0;
#else
    struct stat first, second;
    return stat(one, &first) == 0 && S_ISREG(first.st_mode) && stat(other, &second) == 0 &&
           first.st_dev == second.st_dev && first.st_ino == second.st_ino;
#endif
}

void write_place(const char *path, const npy_array *arrays, int32_t count) {
    static const char ending[] = ".unfinished";
    if (strcmp(path, "-") == 0) {
        if (write_all(stdout, path, arrays, count) || fflush(stdout)) cannot(path, NULL, errno);
        return;
    }
    size_t n = strlen(path);
    char *beside = allocate(n + sizeof ending, 1);
    memcpy(beside, path, n);
    memcpy(beside + n, ending, sizeof ending);
    FILE *file = fopen(beside, "wb");
    if (!file) cannot(path, NULL, errno);
    if (write_all(file, path, arrays, count) || fflush(file)) cannot(path, beside, errno);
    if (fclose(file)) cannot(path, beside, errno);
#ifdef _WIN32
    remove(path); /* rename does not replace files there */
#endif
    if (rename(beside, path)) cannot(path, beside, errno);
    free(beside);
}
