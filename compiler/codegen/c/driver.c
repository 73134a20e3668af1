/* Runs a compiled model on files: the program around the object code. */
#include <stdio.h>
#include <stdlib.h>

#include "driver.h"
#include "failure.h"

/* Checked before the network's code runs: an instruction that the CPU lacks would crash the program. */
static void check_cpu(void) {
    int64_t missing = nw_the_model.missing();
    if (!missing) return;
    fprintf(stderr, "%s: this CPU lacks", nw_the_model.name);
    for (int i = 0; nw_the_model.features[i]; i++)
        if (missing >> i & 1) fprintf(stderr, " %s", nw_the_model.features[i]);
    fprintf(stderr, ", which this program was compiled to use; compile it with --cpu generic or for this CPU\n");
    exit(EXIT_CPU);
}

int main(int argc, char **argv) {
    size_t buffers = (size_t)nw_the_model.buffer_count;
    options asked = {NULL, NULL, 0, 0, 0, 0};
    call c;
    parse_options(argc, argv, &asked);
    check_cpu();
    c.dims = allocate((size_t)nw_the_model.dim_count, sizeof *c.dims);
    c.buffers = allocate(buffers, sizeof *c.buffers);
    c.arrays = allocate(buffers, sizeof *c.arrays);
    c.shapes = allocate(buffers, sizeof *c.shapes);
    read_inputs(&asked, &c);
    prepare_buffers(&c);
    run(&c, asked.threads, asked.pin);
    write_outputs(&asked, &c);
    return 0;
}
