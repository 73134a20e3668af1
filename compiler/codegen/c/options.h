/* What the command line asks for. */
#ifndef NETWRIGHT_OPTIONS_H
#define NETWRIGHT_OPTIONS_H

enum { MAX_THREADS = 1024 };

typedef struct {
    const char **inputs; /* one path per model buffer, NULL if none was given or it is no input */
    const char *output;
    int print, raw, threads, pin; /* threads: 0 for as many as there are processors */
    int selftest, bench, profile; /* how many calls to time; 0: none */
    const char **sizes;           /* NAME=SIZE, of inputs that the program makes */
    int size_count;
} options;

/* Whether inputs are made by the program, since none are given. */
int makes_inputs(const options *asked);

/* Ends the program if there is a mistake, and after --help and --info. */
void parse_options(int argc, char **argv, options *asked);

#endif
