/* Starts a program on an emulated Cortex-M4 (QEMU's mps2-an386) and ends the emulator with its result. What the program
   writes goes through semihosting to a file of the computer. */
#include <stdint.h>

#include "board.h"

extern uint32_t stack_top, bss_begin, bss_end;

int32_t semihost(int32_t operation, const void *parameters) {
    register int32_t r0 __asm__("r0") = operation;
    register const void *r1 __asm__("r1") = parameters;
    __asm__ volatile("bkpt 0xab" : "+r"(r0) : "r"(r1) : "memory");
    return r0;
}

void write_file(const char *path, uint32_t length, const void *data, uint32_t bytes) {
    const uint32_t opened[] = {(uint32_t)path, 5, length}; /* 5: wb */
    int32_t file = semihost(1, opened);
    const uint32_t written[] = {(uint32_t)file, (uint32_t)data, bytes};
    semihost(5, written);
    const uint32_t closed[] = {(uint32_t)file};
    semihost(2, closed);
}

__attribute__((noreturn)) static void end(int32_t code) {
    const uint32_t reason[] = {0x20026, (uint32_t)code}; /* the application's own exit */
    semihost(0x20, reason);
    for (;;) {
    }
}

void reset(void) {
    *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20; /* CPACR: the floating point unit */
    __asm__ volatile("dsb\n isb");
    for (uint32_t *at = &bss_begin; at < &bss_end; at++) *at = 0;
    end(run_network());
}

void fault(void) { end(99); }

__attribute__((section(".vectors"), used)) static const void *const vectors[] = {
    &stack_top, reset, fault, fault, fault, fault, fault};
