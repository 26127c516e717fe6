/**
 * Damages kmodels and opens and runs what is still accepted, under the sanitizers:
 *   k210b-fuzz SEED ROUNDS MODEL.kmodel...
 * Each round cuts the file or overwrites a few words, half of them near the headers. Runs stop after some KPU layers,
 * as the reference KPU is slow. Prints JSON with how many were refused, by status.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host_files.h"
#include "k210b/mem.h"
#include "k210b/model.h"

enum { STATUSES = 17, MAX_MAIN_BYTES = 16 << 20 };

static uint32_t next_random(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

/** KPU double that touches every byte a layer may touch, and computes nothing. */
static int touch_layer(void *ctx, const uint64_t words[12], const k210b_kpu_tables_t *tables)
{
    uint8_t *ram = ctx;
    k210b_kpu_layer_t layer;
    volatile uint32_t sum = 0;
    if (k210b_kpu_layer_read(&layer, words, tables->weight_bits))
        return K210B_ERR_KPU;
    const uint8_t *in = ram + layer.src_row * (uint32_t)K210B_KPU_ROW_BYTES;
    for (uint32_t i = 0; i < k210b_rows_of(layer.in) * K210B_KPU_ROW_BYTES; i += 61)
        sum += in[i];
    sum += tables->weights[0] + tables->weights[layer.weight_bytes - 1];
    sum += tables->bn[0] + tables->bn[layer.bn_bytes - 1] + tables->activation[K210B_ACTIVATION_BYTES - 1];
    memset(ram + layer.dst_row * (uint32_t)K210B_KPU_ROW_BYTES, (int)sum,
           k210b_rows_of(layer.out) * K210B_KPU_ROW_BYTES);
    return K210B_OK;
}

static int always_done(void *ctx)
{
    (void)ctx;
    return 1;
}

static void run(const k210b_model_t *model, uint8_t *kpu_ram)
{
    k210b_run_t run;
    k210b_port_t port = {.ctx = kpu_ram, .kpu_ram = kpu_ram, .kpu_start = touch_layer, .kpu_done = always_done};
    if (k210b_model_main_bytes(model) > MAX_MAIN_BYTES)
        return;
    uint8_t *main_mem = new_block(64, k210b_model_main_bytes(model)); /* exact: a byte too far is found */
    uint8_t *input = new_block(1, k210b_model_input_bytes(model));
    memset(main_mem, 0x5A, k210b_model_main_bytes(model));
    memset(input, 0x33, k210b_model_input_bytes(model));
    int status = k210b_run_begin(&run, model, main_mem, &port);
    status = status ? status : k210b_run_input(&run, input, k210b_model_input_bytes(model));
    while (status == 0)
        status = k210b_run_step(&run);
    const uint8_t *data;
    uint32_t bytes;
    volatile uint8_t last = 0;
    for (uint32_t i = 0; i < model->outputs; i++)
        if (k210b_run_output(&run, i, &data, &bytes) == 0 && bytes)
            last ^= data[bytes - 1];
    free(main_mem);
    free(input);
}

/** Values that break careless arithmetic, or any. */
static uint32_t bad_word(uint64_t *seed, uint32_t old)
{
    static const uint32_t nasty[8] = {0, 1, 0xFFFFFFFF, 0x80000000, 0x7FFFFFFF, 0x10000, 0xFFFFFFC0, 255};
    switch (next_random(seed) % 4) {
    case 0: return nasty[next_random(seed) % 8];
    case 1: return old ^ 1u << next_random(seed) % 32;
    case 2: return old + next_random(seed) % 9 - 4;
    default: return next_random(seed) << 1 ^ next_random(seed);
    }
}

/** A damaged copy in memory of exactly its length. */
static uint8_t *damage(const uint8_t *file, uint32_t *size, uint32_t headers, uint64_t *seed)
{
    if (next_random(seed) % 4 == 0)
        *size = next_random(seed) % (*size + 1);
    uint8_t *copy = new_block(256, *size);
    memcpy(copy, file, *size);
    for (uint32_t n = next_random(seed) % 4; n > 0 && *size >= 8; n--) {
        uint32_t reach = next_random(seed) % 2 && headers < *size ? headers : *size;
        uint32_t at = next_random(seed) % (reach / 4) * 4;
        k210b_put32(copy + at, bad_word(seed, k210b_get32(copy + at)));
    }
    return copy;
}

/** A file offset inside the body header of a random node, where the fields that matter are. */
static void damage_body(uint8_t *copy, uint32_t size, const k210b_model_t *intact, uint64_t *seed)
{
    uint32_t node = next_random(seed) % intact->nodes, at = intact->bodies_at;
    for (uint32_t i = 0; i < node; i++)
        at += k210b_get32(intact->bytes + intact->headers_at + 8 * i + 4);
    at += next_random(seed) % 36 * 4;
    if ((uint64_t)at + 4 <= size)
        k210b_put32(copy + at, bad_word(seed, k210b_get32(copy + at)));
}

int main(int argc, char **argv)
{
    uint32_t refused[STATUSES] = {0}, rounds = argc > 3 ? (uint32_t)atoi(argv[2]) : 0, accepted = 0;
    uint64_t seed = argc > 3 ? (uint64_t)atoll(argv[1]) : 0;
    uint8_t *kpu_ram = new_block(64, 2 << 20);
    memset(kpu_ram, 7, 2 << 20);
    for (int f = 3; f < argc; f++) {
        uint32_t len;
        k210b_model_t intact, model;
        uint8_t *file = read_file(argv[f], 256, &len);
        if (!file || k210b_model_open(&intact, file, len))
            return 2;
        for (uint32_t round = 0; round < rounds; round++) {
            uint32_t size = len;
            uint8_t *copy = damage(file, &size, intact.bodies_at, &seed);
            for (uint32_t n = next_random(&seed) % 4; n > 0; n--)
                damage_body(copy, size, &intact, &seed);
            int status = k210b_model_open(&model, copy, size);
            if (status == 0 && ++accepted)
                run(&model, kpu_ram);
            else
                refused[-status]++;
            free(copy);
        }
        free(file);
    }
    printf("{\"accepted\":%u,\"refused\":{", accepted);
    for (uint32_t i = 1; i < STATUSES; i++)
        printf("%s\"%u\":%u", i > 1 ? "," : "", i, refused[i]);
    printf("}}\n");
    free(kpu_ram);
    return 0;
}
