/* learn: goes on with the training, from the weights in the library, on movements of its own: somebody whose runs are
   slower than those in the training data. Prints the loss before and after. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <gait.h>

enum { PEOPLE = 8, STEPS = 100, UPDATES = 50 };

int main(void) {
    static float motion[PEOPLE * STEPS * GAIT_MOTION_SIZE];
    static int64_t meant[PEOPLE * STEPS];
    for (int i = 0; i < PEOPLE * STEPS; i++) {
        double angle = 2 * 3.14159265 * 2.3 * i / 50;
        int run = i / STEPS % 2;
        motion[3 * i] = (float)(run * 3 * sin(2 * angle));
        motion[3 * i + 1] = 0;
        motion[3 * i + 2] = (float)(9.81 + run * 7 * sin(angle));
        meant[i] = run * 2;
    }
    size_t kept = gait_training_bytes(), bytes = gait_train_step_arena_bytes(PEOPLE, STEPS);
    void *memory = malloc(kept), *arena = malloc(bytes);
    gait_training *training;
    if (!memory || !arena) return 1;
    int32_t code = gait_training_begin(&training, gait_embedded(), memory, kept);
    for (int i = 0; i < UPDATES && !code; i++) {
        code = gait_train_step(training, motion, meant, PEOPLE, STEPS, arena, bytes, 0);
        if (!code && (i == 0 || i == UPDATES - 1)) printf("loss %.3f\n", gait_training_loss(training));
    }
    if (code) fprintf(stderr, "learn: %s\n", gait_error(code));
    free(memory);
    free(arena);
    return code != 0;
}
