#ifndef MODEL_H
#define MODEL_H

#include <stdint.h>

#define MODEL_ARENA_BYTES 160
#define MODEL_INPUT_OFFSET 0
#define MODEL_INPUT_BYTES 64
#define MODEL_OUTPUT_OFFSET 128
#define MODEL_OUTPUT_BYTES 10

#ifdef __ELF__
#define MODEL_WEIGHTS __attribute__((section(".rodata.model_weights"), aligned(4)))
#else
#define MODEL_WEIGHTS
#endif

#ifdef __cplusplus
extern "C" {
#endif

void model_run(int8_t *arena);

#ifdef __cplusplus
}
#endif

#endif
