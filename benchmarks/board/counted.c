/* Calls a network once on an emulated Cortex-M4 and reports how deep its stack went, how long it ran and its answers. */
#include "board.h"

enum { PAINT = 0x5EED57AC, DEEPEST = 8192 };
#define TIMER ((volatile uint32_t *)0xE000E010) /* SysTick: control, reload, value */

extern const unsigned char given[];
int32_t answer(const void *image, float *logits);

int32_t run_network(void) {
    static uint32_t report[12];
    uint32_t before;
    __asm__ volatile("mov %0, sp" : "=r"(before)); /* nothing is below it: no interrupt comes */
    uint32_t *top = (uint32_t *)before, *end = top - DEEPEST / 4;
    for (uint32_t *at = end; at < top; at++) *(volatile uint32_t *)at = PAINT;
    TIMER[1] = 0xFFFFFF;
    TIMER[2] = 0;
    TIMER[0] = 5; /* on, by the processor's clock */
    uint32_t begin = TIMER[2];
    int32_t code = answer(given, (float *)(report + 2));
    report[1] = (begin - TIMER[2]) & 0xFFFFFF;
    while (end < top && *(volatile uint32_t *)end == PAINT) end++;
    report[0] = before - (uint32_t)end;
    if (!code) write_file("answers.bin", 11, report, sizeof report);
    return code;
}
