/**
 * Runs one kmodel in the C core with the KPU of kpu_reference.c behind the port:
 *   k210b-run MODEL.kmodel INPUT.bin CARD.bin|- OUTDIR|-
 * INPUT.bin: dense NCHW bytes of the input's type. Prints JSON: outputs with SHA-256, boxes when there is a card.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host_files.h"
#include "k210b/decode.h"
#include "k210b/model.h"
#include "k210b/sha256.h"
#include "kpu_reference.h"

enum { MAX_OUTPUTS = 12 };

static int fail(const char *what, int status)
{
    printf("{\"error\":\"%s\",\"status\":%d}\n", what, status);
    return 1;
}

static void print_output(const k210b_run_t *run, uint32_t i, const char *folder)
{
    const uint8_t *data;
    uint32_t bytes;
    uint8_t digest[32];
    k210b_run_output(run, i, &data, &bytes);
    k210b_sha256(data, bytes, digest);
    printf("%s{\"index\":%u,\"bytes\":%u,\"sha256\":\"", i ? "," : "", i, bytes);
    for (int k = 0; k < 32; k++)
        printf("%02x", digest[k]);
    printf("\"}");
    if (strcmp(folder, "-") != 0) {
        char path[1024];
        snprintf(path, sizeof path, "%s/out%u.bin", folder, i);
        write_file(path, data, bytes);
    }
}

static int print_boxes(const k210b_run_t *run, const char *card_path)
{
    k210b_card_t card;
    k210b_output_map_t maps[MAX_OUTPUTS];
    static k210b_box_t boxes[K210B_CANDIDATES];
    uint32_t len, count = run->model->outputs < MAX_OUTPUTS ? run->model->outputs : MAX_OUTPUTS;
    uint8_t *bytes = read_file(card_path, 1, &len);
    int status = bytes ? k210b_card_parse(&card, bytes, len) : K210B_ERR_NOT_FOUND;
    free(bytes);
    for (uint32_t i = 0; i < count; i++)
        k210b_run_output(run, i, &maps[i].data, &maps[i].bytes);
    int found = status ? status : k210b_decode_boxes(&card, maps, count, boxes, K210B_CANDIDATES);
    print_box_list(boxes, found);
    return found < 0;
}

static int run_all(k210b_run_t *run, const uint8_t *input, uint32_t input_bytes)
{
    uint32_t now = 0;
    int status = k210b_run_input(run, input, input_bytes);
    while (status == 0) {
        k210b_run_clock(run, now++);
        status = k210b_run_step(run);
    }
    return status;
}

/** Runs an opened model in fresh memory and prints what came out. */
static int run_model(const k210b_model_t *model, const uint8_t *input, uint32_t input_bytes, char **argv)
{
    k210b_run_t run;
    k210b_kpu_reference_t kpu = {calloc(1, 2 << 20), 1, 0, 0};
    uint32_t main_bytes = k210b_model_main_bytes(model);
    uint8_t *main_mem = new_block(64, main_bytes);
    memset(main_mem, 0xA5, main_bytes); /* a run must not count on zeros */
    k210b_port_t port = {.ctx = &kpu, .kpu_ram = kpu.ram, .kpu_start = k210b_kpu_reference_start,
                         .kpu_done = k210b_kpu_reference_done};
    int status = k210b_run_begin(&run, model, main_mem, &port), bad = 1;
    status = status ? status : run_all(&run, input, input_bytes);
    if (status < 0) {
        fail("run", status);
    } else {
        printf("{\"version\":%u,\"mainBytes\":%u,\"nodes\":%u,\"kpuLayers\":%u,\"outputs\":[", model->version,
               main_bytes, model->nodes, kpu.layers);
        for (uint32_t i = 0; i < model->outputs; i++)
            print_output(&run, i, argv[4]);
        printf("]");
        bad = strcmp(argv[3], "-") != 0 ? print_boxes(&run, argv[3]) : 0;
        printf("}\n");
    }
    free(kpu.ram);
    free(main_mem);
    return bad;
}

int main(int argc, char **argv)
{
    if (argc != 5)
        return fail("usage: k210b-run MODEL INPUT CARD|- OUTDIR|-", 0);
    uint32_t model_bytes, input_bytes;
    k210b_model_t model;
    uint8_t *bytes = read_file(argv[1], 256, &model_bytes), *input = read_file(argv[2], 1, &input_bytes);
    int bad = 1, status = bytes && input ? k210b_model_open(&model, bytes, model_bytes) : 0;
    if (!bytes || !input)
        fail("cannot read the model or the input", 0);
    else if (status)
        fail("open", status);
    else
        bad = run_model(&model, input, input_bytes, argv);
    free(bytes);
    free(input);
    return bad;
}
