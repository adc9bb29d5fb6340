/* The smallest firmware that follows the protocol of the runner: vector table, data and bss, an endless loop. */
#include <stdint.h>

extern uint32_t __stack_top, __data_start, __data_end, __data_load, __bss_start, __bss_end;
extern void model_invoke(void);
void Reset_Handler(void);
void Default_Handler(void);

__attribute__((section(".vectors"), used)) const void *const vectors[] = {
    &__stack_top, (const void *)Reset_Handler, (const void *)Default_Handler, (const void *)Default_Handler,
};

volatile uint32_t invocations = 7;

__attribute__((noinline)) void model_ready(void) { __asm volatile("" ::: "memory"); }
__attribute__((noinline)) void model_done(void) { __asm volatile("" ::: "memory"); }
void Default_Handler(void) { for (;;) { } }

void Reset_Handler(void)
{
    volatile uint32_t *to = &__data_start;
    for (const volatile uint32_t *from = &__data_load; to < &__data_end;) *to++ = *from++;
    for (to = &__bss_start; to < &__bss_end;) *to++ = 0;
    *(volatile uint32_t *)0xE000ED88 |= 0xFu << 20;
    *(volatile uint32_t *)0x40023C00 = 0x705;
    for (;;) {
        model_ready();
        model_invoke();
        invocations++;
        model_done();
    }
}
