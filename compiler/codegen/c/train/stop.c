/* SIGINT and SIGTERM: the first one asks the training to stop after the current step, a second one ends the program. */
#define _GNU_SOURCE
#include <signal.h>
#include <time.h>

#include "place.h"
#include "training.h"

volatile int stop_signal;

static void ask(int number) {
    if (!stop_signal) {
        stop_signal = number;
        return;
    }
    remove_unfinished();
    signal(number, SIG_DFL);
    raise(number);
}

/* A program that was told to ignore a signal goes on ignoring it. */
void watch_signals(void) {
    static const int numbers[] = {SIGINT, SIGTERM};
    for (int i = 0; i < 2; i++) {
        struct sigaction before, now = {.sa_handler = ask, .sa_flags = SA_RESTART};
        sigemptyset(&now.sa_mask);
        if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN) sigaction(numbers[i], &now, NULL);
    }
}

double clock_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}
