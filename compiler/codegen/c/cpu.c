/* Checked before the network's code runs: an instruction that the CPU lacks would crash the program. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "failure.h"

void choose_version(void) {
    for (int i = 0; nw_versions[i]; i++) {
        nw_chosen = nw_versions[i];
        if (!nw_chosen->missing()) return;
    }
}

void check_cpu(void) {
    int64_t missing = nw_the_model.missing();
    if (!missing) return;
    int never = (missing & nw_the_model.always) != 0;
    if (never) missing &= nw_the_model.always;
    fprintf(stderr, "%s: this CPU lacks", nw_the_model.name);
    const char *name = nw_the_model.features;
    for (int i = 0; *name; i++, name += strlen(name) + 1)
        if (missing >> i & 1) fprintf(stderr, " %s", name);
    fputs(never
              ? ", which all programs for this target use\n"
              : ", which this program was compiled to use; compile it with --cpu generic or for this CPU\n",
          stderr);
    exit(EXIT_CPU);
}
