/* What the command lines of all programs have in common. */
#include "words.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "failure.h"
#include "model.h"
#include "options.h"

int take_threads(const char *text) {
    if (strcmp(text, "auto") == 0) return 0;
    char *end;
    errno = 0;
    long value = strtol(text, &end, 10);
    if (errno || end == text || *end || value < 1 || value > MAX_THREADS)
        fail(EXIT_INPUT, "--threads %s: expected a number from 1 to %d, or auto", text, MAX_THREADS);
    return (int)value;
}

void end_text(void) {
    if (fflush(stdout) || ferror(stdout)) fail(EXIT_SYSTEM, "cannot write to standard output: %s", strerror(errno));
    exit(0);
}

void tell_manifest(void) {
    const nw_model *model = &nw_the_model;
    size_t n = strlen(model->manifest);
    int64_t missing = model->missing();
    const char *before = "";
    while (n && model->manifest[n - 1] != '}') n--;
    fwrite(model->manifest, 1, n ? n - 1 : 0, stdout); /* without the brace that ends it */
    fputs(", \"missing\": [", stdout);
    const char *name = model->features;
    for (int i = 0; *name; i++, name += strlen(name) + 1) {
        if (!(missing >> i & 1)) continue;
        printf("%s\"%s\"", before, name);
        before = ", ";
    }
    puts("]}");
    end_text();
}
