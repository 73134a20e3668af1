/* Runs a compiled model on files: the program around the object code. */
#include <stdio.h>
#include <stdlib.h>

#include "checks.h"
#include "driver.h"
#include "failure.h"

int main(int argc, char **argv) {
    size_t buffers = (size_t)nw_the_model.buffer_count;
    options asked = {0};
    call c;
    runner r;
    begin_streams();
    choose_version();
    parse_options(argc, argv, &asked);
    check_cpu();
    nw_make();
    c.dims = allocate((size_t)nw_the_model.dim_count, sizeof *c.dims);
    c.buffers = allocate(buffers, sizeof *c.buffers);
    c.arrays = allocate(buffers, sizeof *c.arrays);
    c.shapes = allocate(buffers, sizeof *c.shapes);
    if (CHECKS && asked.selftest) return self_test(&asked, &c, &r);
    if (CHECKS && (asked.bench || asked.profile) && makes_inputs(&asked)) {
        choose_sizes(&asked, &c);
        generate_inputs(&c, 1);
    } else {
        read_inputs(&asked, &c);
    }
    prepare_buffers(&c);
    begin_running(&r, asked.threads, asked.pin);
    if (CHECKS && asked.bench) return bench(&asked, &c, &r);
    if (CHECKS && asked.profile) return profile(&asked, &c, &r);
    run(&r, &c);
    end_running(&r);
    write_outputs(&asked, &c);
    return 0;
}
