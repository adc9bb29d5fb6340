/* Watches every fetch and every data access of one emulated inference: caches, wait states, unaligned accesses.
 *
 * Called by unicorn for each instruction (UC_HOOK_CODE) and each access (UC_HOOK_MEM_READ, UC_HOOK_MEM_WRITE). Unicorn
 * does not call the first for instructions inside IT blocks: their accesses count for the instruction before.
 * The structures are laid out as in profile.py.
 */
#include <stddef.h>
#include <stdint.h>

typedef struct {
    uint32_t *lines; /* sets x ways: 1 + line number, most recently used first; 0 is empty */
    uint32_t line_bits, sets, ways;
    uint32_t prefetch; /* whether the line behind the current one is read ahead; in time, it does not enter the cache */
} cache_t;

typedef struct {
    uint32_t origin, size;
    uint32_t fetch_stall, read_stall; /* cycles of a miss */
    uint32_t cached;                  /* whether the caches serve this region */
} region_t;

typedef struct {
    uint32_t address;
    uint32_t fetch_stalls, data_stalls;
    uint32_t unaligned; /* accesses off their size's alignment */
    uint32_t regions; /* bit r: accessed region r */
    uint32_t loads, bank_changes; /* loads, and how many of them went to another bank (even, odd words) than the last */
} place_t;

typedef struct {
    cache_t instruction, data;
    const region_t *regions;
    place_t *places; /* hash table by address of the instruction; 0 is empty */
    const uint32_t *layer; /* 1 + index of the running layer, from the block counter */
    uint64_t *layer_fetch_stalls, *layer_data_stalls; /* indexed like *layer */
    place_t *place; /* of the current instruction */
    uint32_t unaligned_stall[2]; /* cycles that an unaligned load, store adds */
    uint32_t region_count, place_bits, place_count;
    uint32_t last_load; /* its address */
    uint32_t line, executed; /* the line that instructions come from, and how many of it were executed */
    uint32_t watching, full;
} profile_t;

/* Looks a line up and makes it the most recent one; on a miss it replaces the least recent one if `keep`. */
static int hit(cache_t *cache, uint32_t line, int keep)
{
    uint32_t *way = cache->lines + (size_t)(line % cache->sets) * cache->ways;
    uint32_t found = 0;
    while (found < cache->ways && way[found] != line + 1)
        ++found;
    const int is_hit = found < cache->ways;
    if (!is_hit && !keep)
        return 0;
    for (uint32_t i = is_hit ? found : cache->ways - 1; i > 0; --i)
        way[i] = way[i - 1];
    way[0] = line + 1;
    return is_hit;
}

static const region_t *region_of(const profile_t *profile, uint32_t address)
{
    for (uint32_t i = 0; i < profile->region_count; ++i)
        if (address - profile->regions[i].origin < profile->regions[i].size)
            return &profile->regions[i];
    return NULL;
}

static place_t *place_of(profile_t *profile, uint32_t address)
{
    const uint32_t mask = (1u << profile->place_bits) - 1;
    for (uint32_t slot = (address * 0x9E3779B1u) >> (32 - profile->place_bits);; slot = (slot + 1) & mask) {
        place_t *place = &profile->places[slot & mask];
        if (place->address == address)
            return place;
        if (place->address == 0) {
            if (++profile->place_count > mask / 2)
                profile->full = 1;
            place->address = address;
            return place;
        }
    }
}

static void fetch(profile_t *profile, uint32_t address)
{
    cache_t *cache = &profile->instruction;
    const uint32_t line = address >> cache->line_bits;
    if (line == profile->line)
        return;
    const region_t *region = region_of(profile, address);
    const int sequential = line == profile->line + 1;
    uint32_t stall = 0;
    if (region != NULL && region->fetch_stall != 0) {
        /* a line that is read ahead arrives in time if the line before took long enough: a cycle an instruction */
        const int in_time = sequential && cache->prefetch && profile->executed > region->fetch_stall;
        if (!(region->cached && hit(cache, line, !in_time)) && !in_time)
            stall = region->fetch_stall - (sequential && cache->prefetch ? profile->executed - 1 : 0);
    }
    profile->place->fetch_stalls += stall;
    profile->layer_fetch_stalls[*profile->layer] += stall;
    profile->line = line;
    profile->executed = 0;
}

void on_instruction(void *engine, uint64_t address, uint32_t size, profile_t *profile)
{
    (void)engine;
    if (!profile->watching || profile->full)
        return;
    profile->place = place_of(profile, (uint32_t)address);
    fetch(profile, (uint32_t)address);
    profile->executed++;
    if (size == 4)
        fetch(profile, (uint32_t)address + 2);
}

void on_access(void *engine, int type, uint64_t address64, int size, int64_t value, profile_t *profile)
{
    enum { MEM_WRITE = 17 };
    (void)engine;
    (void)value;
    if (!profile->watching || profile->full || profile->place == NULL)
        return;
    const uint32_t address = (uint32_t)address64;
    const region_t *region = region_of(profile, address);
    if (region == NULL)
        return;
    place_t *place = profile->place;
    place->regions |= 1u << (region - profile->regions);
    const int is_write = type == MEM_WRITE;
    if (!is_write) {
        place->loads++;
        place->bank_changes += (address ^ profile->last_load) >> 2 & 1;
        profile->last_load = address;
    }
    uint32_t stall = 0;
    if (address % (uint32_t)size != 0) {
        place->unaligned++;
        stall = profile->unaligned_stall[is_write];
    }
    if (region->read_stall != 0) {
        const int missed = !region->cached || !hit(&profile->data, address >> profile->data.line_bits, 1);
        if (missed && !is_write) /* writes wait in a buffer */
            stall += region->read_stall;
    }
    place->data_stalls += stall;
    profile->layer_data_stalls[*profile->layer] += stall;
}
