/* watch [FILE.weights]: reads steps from standard input, three floats each, and says whenever the gait changes. With a
   file it takes other weights than those in the library, and on the signal HUP reads the file again: a new one is taken
   only if it fits.

   Nothing is allocated: one step at a time needs an arena of known size. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include <gait.h>

enum { RATE = 50 };

static volatile sig_atomic_t again;

static void hang_up(int number) {
    (void)number;
    again = 1;
}

static int fails(const char *what, int32_t code) {
    if (!code) return 0;
    fprintf(stderr, "watch: %s: %s\n", what, code == NETWRIGHT_CANNOT_READ ? strerror(errno) : gait_error(code));
    return 1;
}

int main(int argc, char **argv) {
    static unsigned char arena[4096], memory[4096];
    gait_model models[2]; /* the one in use, and a new one */
    const gait_model *model = gait_embedded();
    gait_stream *stream;
    int current = 0, before = -1;
    long steps = 0;
    float motion[GAIT_MOTION_SIZE], kind[GAIT_KIND_SIZE];

    if (gait_step_arena_bytes(1, 1) > sizeof arena) return 1;
    if (fails("the stream", gait_stream_begin(&stream, memory, sizeof memory, 1))) return 1;
    if (argc > 1) {
        if (fails(argv[1], gait_open(&models[current], argv[1]))) return 1;
        model = &models[current];
        signal(SIGHUP, hang_up);
    }
    while (fread(motion, sizeof motion, 1, stdin) == 1) {
        if (again) {
            again = 0;
            if (!fails(argv[1], gait_open(&models[!current], argv[1]))) {
                gait_close(&models[current]);
                model = &models[current = !current];
            }
        }
        if (fails("a step", gait_step(stream, model, motion, kind, 1, arena, sizeof arena, 1))) return 1;
        int most = 0;
        for (int i = 1; i < GAIT_KIND_SIZE; i++)
            if (kind[i] > kind[most]) most = i;
        if (most != before) printf("%.2f s: %s\n", (double)steps / RATE, gait_kind_label(most));
        before = most;
        steps++;
    }
    return 0;
}
