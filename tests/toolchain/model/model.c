/* A fully connected layer of 64 inputs and 10 outputs behind a copy, written by hand against the interface. */
#include "model.h"

#include <string.h>

extern const int8_t weights_1[10][64];
extern const int32_t bias_1[10];

#define LAYER __attribute__((noinline))

LAYER static void layer_00_copy(const int8_t *in, int8_t *out) { memcpy(out, in, MODEL_INPUT_BYTES); }

LAYER static void layer_01_fully_connected(const int8_t *in, int8_t *out) {
    for (int channel = 0; channel < 10; channel++) {
        int32_t sum = bias_1[channel];
        for (int i = 0; i < 64; i++) {
            sum += in[i] * weights_1[channel][i];
        }
        int32_t value = (int32_t)(((int64_t)sum * 0x40000000) >> 38);
        out[channel] = (int8_t)(value > 127 ? 127 : value < -128 ? -128 : value);
    }
}

void model_run(int8_t *arena) {
    layer_00_copy(arena + MODEL_INPUT_OFFSET, arena + 64);
    layer_01_fully_connected(arena + 64, arena + MODEL_OUTPUT_OFFSET);
}
