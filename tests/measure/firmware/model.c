/* A model with what generated code has: layers, a helper that they share, loops, division, literals, IT blocks, SIMD. */
#include <stdint.h>

int8_t model_input[16] = {3, -7, 11, 120, -128, 127, 0, 1, -1, 64, -64, 9, 8, 7, 6, 5};
int8_t model_output[4];
static int32_t scratch[16];

__attribute__((noinline)) static int32_t clamp(int32_t value)
{
    if (value > 127) value = 127;
    if (value < -128) value = -128;
    return value;
}

__attribute__((noinline, used)) static void layer_00_widen(void)
{
    for (int i = 0; i < 16; ++i) scratch[i] = clamp(model_input[i] * 3);
}

__attribute__((noinline, used)) static void layer_01_mix(void)
{
    for (int round = 0; round < 5; ++round)
        for (int i = 0; i < 15; ++i) {
            scratch[i] = (scratch[i] * 0x12345 + scratch[i + 1]) / 7;
            if (scratch[i] & 1) scratch[i] ^= 0x5A5A5A5A;
#if __ARM_ARCH >= 7
            __asm volatile("cmp %0, #0\n\tittte mi\n\trsbmi %0, %0, #0\n\tasrmi %0, %0, #1\n\tldrmi %1, [%2]\n\tmovpl %1, #3"
                           : "+r"(scratch[i]), "=&r"(scratch[15]) : "r"(&scratch[14]) : "cc");
#endif
            while (scratch[i] > 100000) scratch[i] = clamp(scratch[i] >> 3) + (scratch[i] >> 5);
        }
}

__attribute__((noinline, used)) static void layer_02_sum(void)
{
    for (int i = 0; i < 4; ++i) {
        int64_t sum = 0;
        for (int j = 0; j < 4; ++j) sum += (int64_t)scratch[4 * i + j] * model_input[j];
        model_output[i] = (int8_t)clamp((int32_t)(sum >> 32));
    }
}

__attribute__((noinline)) static void model_run(void)
{
    layer_00_widen();
    layer_01_mix();
    layer_02_sum();
}

__attribute__((noinline)) void model_invoke(void)
{
    model_run();
    __asm volatile("" ::: "memory");
}
