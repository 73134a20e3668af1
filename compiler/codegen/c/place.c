/* Writes results. A regular file is written under a temporary name and renamed, so it is always complete; symbolic links
   stay, and devices, pipes and standard output are written to directly. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver.h"
#include "failure.h"
#include "place.h"

enum { MOST_LINKS = 40, MOST_TEXT = 4096 };

static char *temporary; /* the unfinished file, to be removed if a signal ends the program */

void remove_unfinished(void) {
    if (temporary) unlink(temporary);
}

static void remove_and_die(int number) {
    remove_unfinished();
    signal(number, SIG_DFL);
    raise(number);
}

static void cannot(const char *path, int reason) {
    remove_unfinished();
    fail(EXIT_SYSTEM, "cannot write %s: %s", strcmp(path, "-") ? path : "to standard output", strerror(reason));
}

/* The descriptor that /dev/stdout, /dev/fd/3 and the like stand for: opened again, a file would be written from its
   start. */
static int descriptor(const char *path) {
    static const char folders[][16] = {"/dev/fd/", "/proc/self/fd/"};
    if (strcmp(path, "-") == 0 || strcmp(path, "/dev/stdout") == 0) return STDOUT_FILENO;
    if (strcmp(path, "/dev/stderr") == 0) return STDERR_FILENO;
    for (size_t i = 0; i < 2; i++) {
        size_t n = strlen(folders[i]);
        char *end;
        if (strncmp(path, folders[i], n) != 0 || path[n] < '0' || path[n] > '9') continue;
        long number = strtol(path + n, &end, 10);
        if (!*end && number < 1 << 20) return (int)number;
    }
    return -1;
}

static void write_stream(int handle, const char *path, place_writer *write, const void *content) {
    FILE *file = handle < 0 ? NULL : fdopen(handle, "wb");
    errno = file ? 0 : errno;
    if (!file || write(file, path, content)) cannot(path, errno);
    if (fclose(file)) cannot(path, errno);
}

/* The path with the symbolic links at its end followed, even if no file is there yet. */
static char *follow(const char *path) {
    char *place = allocate(2 * MOST_TEXT, 1), text[MOST_TEXT];
    if (strlen(path) >= MOST_TEXT) cannot(path, ENAMETOOLONG);
    memcpy(place, path, strlen(path));
    for (int i = 0;; i++) {
        ssize_t n = readlink(place, text, sizeof text - 1);
        if (n < 0) return place;
        if (i == MOST_LINKS) cannot(path, ELOOP);
        text[n] = 0;
        char *slash = strrchr(place, '/');
        char *at = text[0] != '/' && slash ? slash + 1 : place;
        if (at - place + n >= 2 * MOST_TEXT) cannot(path, ENAMETOOLONG);
        memcpy(at, text, (size_t)n + 1);
    }
}

/* A signal that the program does not handle itself removes the unfinished file before it ends the program. */
static void watch_signal(int number) {
    struct sigaction before;
    if (sigaction(number, NULL, &before) == 0 && before.sa_handler == SIG_DFL) signal(number, remove_and_die);
}

/* A new name is on the disk once its folder is. */
static void sync_folder(const char *place, size_t folder) {
    char *name = allocate(folder + 2, 1);
    memcpy(name, folder ? place : ".", folder ? folder : 1);
    int handle = open(name, O_RDONLY);
    if (handle >= 0) {
        fsync(handle);
        close(handle);
    }
    free(name);
}

static void replace_file(const char *path, place_writer *write, const void *content) {
    static const int deadly[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};
    static const char name[] = ".netwright-XXXXXX";
    struct stat before;
    char *place = follow(path), *slash = strrchr(place, '/');
    size_t folder = slash ? (size_t)(slash + 1 - place) : 0;
    int old = stat(place, &before) == 0;
    if (old && access(place, W_OK)) cannot(path, errno);
    mode_t mask = umask(0);
    umask(mask);
    char *beside = allocate(folder + sizeof name, 1);
    memcpy(beside, place, folder);
    memcpy(beside + folder, name, sizeof name);
    sigset_t all, unblocked;
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &unblocked); /* no signal between creating the file and recording its name */
    int handle = mkstemp(beside), reason = errno;
    if (handle >= 0) temporary = beside;
    for (size_t i = 0; i < sizeof deadly / sizeof *deadly; i++) watch_signal(deadly[i]);
    sigprocmask(SIG_SETMASK, &unblocked, NULL);
    if (handle < 0) cannot(path, reason);
    FILE *file = fdopen(handle, "wb");
    if (!file || write(file, path, content) || fflush(file)) cannot(path, errno);
    if (old && fchown(handle, before.st_uid, before.st_gid)) errno = 0; /* only root may change the owner */
    if (fchmod(handle, old ? before.st_mode & 07777 : 0666 & ~mask) || fsync(handle)) cannot(path, errno);
    if (fclose(file) || rename(beside, place)) cannot(path, errno);
    temporary = NULL;
    sync_folder(place, folder);
    free(beside);
    free(place);
}

void begin_streams(void) {}

int is_same_file(const char *one, const char *other) {
    struct stat first, second;
    return stat(one, &first) == 0 && S_ISREG(first.st_mode) && stat(other, &second) == 0 &&
           first.st_dev == second.st_dev && first.st_ino == second.st_ino;
}

void write_content(const char *path, place_writer *write, const void *content) {
    struct stat status;
    int number = descriptor(path), there = stat(path, &status) == 0;
    signal(SIGXFSZ, SIG_IGN); /* exceeding the limit on file sizes is an error like others */
    if (number >= 0)
        write_stream(dup(number), path, write, content);
    else if (there && !S_ISREG(status.st_mode) && !S_ISDIR(status.st_mode))
        write_stream(open(path, O_WRONLY), path, write, content);
    else if (there && S_ISDIR(status.st_mode))
        cannot(path, EISDIR);
    else
        replace_file(path, write, content);
}

typedef struct {
    const npy_array *arrays;
    int32_t count;
} results;

static int write_results(FILE *file, const char *path, const void *content) {
    const results *all = content;
    size_t n = strlen(path);
    int plain = n > 4 && strcmp(path + n - 4, ".npy") == 0;
    if (strcmp(path, "-") == 0) plain = all->count == 1;
    return plain ? npy_write(file, all->arrays) : npz_write(file, all->arrays, all->count);
}

void write_place(const char *path, const npy_array *arrays, int32_t count) {
    results all = {arrays, count};
    write_content(path, write_results, &all);
}
