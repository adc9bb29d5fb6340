/* Counts what an emulated inference executes: one call a translation block, from unicorn's UC_HOOK_BLOCK.
 *
 * An edge is (block before, block, layer). Blocks are identified by start and size, because unicorn may translate the
 * same address twice with different lengths. Python decodes each block once and multiplies; nothing is sampled.
 * The structures are laid out as in counter.py.
 */
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint64_t before; /* block before: start | size << 32; 0 at the begin of an inference */
    uint64_t block;  /* this block: start | size << 32 | (layer + 1) << 48; layer + 1 = 0 outside of all layers */
    uint64_t count;
    uint64_t entered; /* layer + 1 whose first instruction this block's start is, or 0 */
} edge_t;

typedef struct {
    edge_t *edges; /* dense, in order of first execution */
    uint32_t *slots; /* hash table of 1 + index into edges */
    const uint32_t *entries; /* address of each layer function */
    void *stop; /* uc_emu_stop */
    void *read_register; /* uc_reg_read */
    uint64_t before;
    int64_t budget; /* bytes of code that may still be executed */
    uint32_t capacity, used;
    uint32_t slot_bits;
    uint32_t entry_count;
    uint32_t counting;
    uint32_t layer; /* 1 + index of the running layer, or 0 */
    uint32_t return_address; /* where the running layer returns to */
    uint32_t link_register; /* unicorn's number of LR */
    uint32_t stopped; /* why the run was stopped */
    uint32_t stopped_at;
} counter_t;

enum { OUT_OF_BUDGET = 1, ENDLESS_LOOP = 2, OUT_OF_EDGES = 3 };

static void stop(void *engine, counter_t *counter, uint32_t reason, uint64_t address)
{
    counter->stopped = reason;
    counter->stopped_at = (uint32_t)address;
    ((int (*)(void *))counter->stop)(engine);
}

static edge_t *find(counter_t *counter, uint64_t before, uint64_t block)
{
    const uint32_t mask = (1u << counter->slot_bits) - 1;
    const uint64_t mixed = (before * 0x9E3779B97F4A7C15u) ^ (block * 0xC2B2AE3D27D4EB4Fu);
    uint32_t slot = (uint32_t)(mixed >> (64 - counter->slot_bits));
    for (;; slot = (slot + 1) & mask) {
        const uint32_t index = counter->slots[slot];
        if (index == 0)
            break;
        edge_t *edge = &counter->edges[index - 1];
        if (edge->before == before && edge->block == block)
            return edge;
    }
    if (counter->used == counter->capacity)
        return NULL;
    edge_t *edge = &counter->edges[counter->used++];
    counter->slots[slot] = counter->used;
    edge->before = before;
    edge->block = block;
    for (uint32_t i = 0; i < counter->entry_count; ++i)
        if (counter->entries[i] == (uint32_t)block)
            edge->entered = i + 1;
    return edge;
}

void on_block(void *engine, uint64_t address, uint32_t size, counter_t *counter)
{
    uint64_t block = (address & 0xFFFFFFFFu) | (uint64_t)(size & 0xFFFFu) << 32;
    counter->budget -= size;
    if (counter->budget < 0)
        stop(engine, counter, OUT_OF_BUDGET, address);
    if (size == 2 && counter->before == block) /* one 16-bit instruction that branches to itself: nothing can end it */
        stop(engine, counter, ENDLESS_LOOP, address);
    const uint64_t before = counter->before;
    counter->before = block;
    if (!counter->counting)
        return;
    if (counter->layer && (uint32_t)address == counter->return_address)
        counter->layer = 0;
    edge_t *edge = find(counter, before, block | (uint64_t)counter->layer << 48);
    if (edge && edge->entered && !counter->layer) {
        counter->layer = (uint32_t)edge->entered;
        ((int (*)(void *, int, void *))counter->read_register)(engine, (int)counter->link_register,
                                                               &counter->return_address);
        counter->return_address &= ~1u;
        edge = find(counter, before, block | (uint64_t)counter->layer << 48);
    }
    if (edge)
        edge->count++;
    else
        stop(engine, counter, OUT_OF_EDGES, address);
}
