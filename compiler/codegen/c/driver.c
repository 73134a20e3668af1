/* Runs a compiled model on files: the program around the object code. */
#include <stdio.h>
#include <stdlib.h>

#include "driver.h"
#include "failure.h"

int main(int argc, char **argv) {
    size_t buffers = (size_t)nw_the_model.buffer_count;
    options asked = {NULL, NULL, 0, 0, 0, 0};
    call c;
    runner r;
    begin_streams();
    choose_version();
    parse_options(argc, argv, &asked);
    check_cpu();
    c.dims = allocate((size_t)nw_the_model.dim_count, sizeof *c.dims);
    c.buffers = allocate(buffers, sizeof *c.buffers);
    c.arrays = allocate(buffers, sizeof *c.arrays);
    c.shapes = allocate(buffers, sizeof *c.shapes);
    read_inputs(&asked, &c);
    prepare_buffers(&c);
    begin_running(&r, asked.threads, asked.pin);
    run(&r, &c);
    end_running(&r);
    write_outputs(&asked, &c);
    return 0;
}
