/**
 * Capture, infer, result and picture with a real kmodel behind the slow KPU: `stream KMODEL OUTPUT` where OUTPUT are the
 * golden bytes of output 0 for the ramp input of data/kmodels/MANIFEST.md. The model: one grey channel, 28 x 28.
 */
#include "sender.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host_files.h"
#include "k210b/status.h"

enum { SIDE = 28, MAX_FRAMES = 64 };

static uint8_t flash[1 << FLASH_LOG2];
static host_t host;

static struct {
    uint32_t results, pictures;
    uint32_t result_ids[MAX_FRAMES], picture_ids[MAX_FRAMES];
    uint16_t last_number;
    uint32_t picture_bytes, gaps;
    uint8_t picture[65536];
} seen;

static void take_result(const seen_t *datagram)
{
    k210b_wire_result_t row;
    check(k210b_decode(&k210b_row_result, datagram->payload, datagram->len, &row) > 0, "result", "decodes");
    check(row.stage_us_count == 4 && row.done_us >= row.capture_us, "result", "times");
    if (seen.results > 0 && (uint16_t)(seen.last_number + 1) != datagram->frame.number)
        seen.gaps++;
    seen.last_number = datagram->frame.number;
    seen.result_ids[seen.results++ % MAX_FRAMES] = row.frame_id;
}

static void take_fragment(const seen_t *datagram)
{
    uint32_t index = datagram->frame.fragment & 0x7Fu;
    k210b_wire_picture_t row;
    check(seen.picture_bytes == index * 1040, "picture", "fragments in order and full");
    memcpy(seen.picture + seen.picture_bytes, datagram->payload, datagram->len);
    seen.picture_bytes += datagram->len;
    if ((datagram->frame.fragment & 0x80) == 0)
        return;
    check(k210b_decode(&k210b_row_picture, seen.picture, seen.picture_bytes, &row) > 0, "picture", "decodes");
    check(row.width == 320 && row.height == 240 && row.data[0] == 0xFF && row.data[1] == 0xD8
              && row.data[row.data_length - 2] == 0xFF && row.data[row.data_length - 1] == 0xD9, "picture", "JPEG");
    seen.picture_ids[seen.pictures++ % MAX_FRAMES] = row.frame_id;
    seen.picture_bytes = 0;
}

static void take_datagram(host_t *from, const seen_t *datagram)
{
    (void)from;
    if (datagram->frame.id == K210B_ID_RESULT)
        take_result(datagram);
    else if (datagram->frame.id == K210B_ID_PICTURE)
        take_fragment(datagram);
}

static uint16_t make_card(uint8_t *out)
{
    k210b_wire_card_t card;
    memset(&card, 0, sizeof card);
    card.version = 1;
    card.width = SIDE;
    card.height = SIDE;
    card.colour = K210B_CARD_COLOUR_GREY;
    card.resize = K210B_CARD_RESIZE_STRETCH;
    return (uint16_t)k210b_encode(&k210b_row_card, &card, out, K210B_MODEL_CARD_BYTES);
}

static void deploy(const uint8_t *kmodel, uint32_t bytes)
{
    uint8_t card[K210B_MODEL_CARD_BYTES];
    sender_t sender = { .bytes = kmodel, .size = bytes, .card = card, .card_length = make_card(card) };
    k210b_wire_model_load_t load = { 0 };
    k210b_wire_model_load_answer_t loaded = { .main_bytes = 0 };
    check(sender_transfer(&host, &sender, 0) == 0, "deploy", "transfer");
    check(host_ask(&host, K210B_ID_MODEL_LOAD, &load, &loaded) == 0 && loaded.main_bytes > 0, "deploy", "load");
}

/** The transferred input gives the golden output; the same token does not run again, another does. */
static void infer_input(const uint8_t *golden, uint32_t golden_bytes)
{
    uint8_t input[SIDE * SIDE];
    sender_t sender = { .bytes = input, .size = sizeof input, .target = K210B_TARGET_INPUT };
    k210b_wire_infer_t infer = { 0, K210B_SOURCE_INPUT, 1 };
    k210b_wire_infer_answer_t first, again;
    k210b_wire_read_output_t read = { 0, 0, 0, 1000 };
    k210b_wire_read_output_answer_t output = { .total = 0 };
    for (uint32_t i = 0; i < sizeof input; i++)
        input[i] = (uint8_t)((31 * i + 7) % 251);
    check(host_ask(&host, K210B_ID_INFER, &infer, &first) == K210B_STATUS_STATE, "infer", "needs its input");
    check(sender_transfer(&host, &sender, 0) == 0, "infer", "input transfer");
    check(host_ask(&host, K210B_ID_READ_OUTPUT, &read, &output) == K210B_STATUS_STATE, "output", "none yet");
    check(host_ask(&host, K210B_ID_INFER, &infer, &first) == 0, "infer", "answered");
    uint32_t layers = host.board.kpu.layers;
    check(host_ask(&host, K210B_ID_INFER, &infer, &again) == 0 && again.done_us == first.done_us, "infer", "same token");
    check(host.board.kpu.layers == layers, "infer", "no second run");
    check(host_ask(&host, K210B_ID_READ_OUTPUT, &read, &output) == 0 && output.total == golden_bytes, "output", "size");
    for (uint32_t i = 0; i + 3 < golden_bytes && output.data_length == golden_bytes; i += 4) {
        float is, wanted;
        memcpy(&is, output.data + i, 4);
        memcpy(&wanted, golden + i, 4);
        check(is - wanted < 1e-6f && wanted - is < 1e-6f, "output", "golden value");
    }
    infer.token = 2;
    check(host_ask(&host, K210B_ID_INFER, &infer, &again) == 0 && host.board.kpu.layers > layers, "infer", "new token");
}

static int was_result(uint32_t frame_id)
{
    for (uint32_t i = 0; i < seen.results && i < MAX_FRAMES; i++)
        if (seen.result_ids[i] == frame_id)
            return 1;
    return 0;
}

static void stream(void)
{
    k210b_wire_stream_config_t config = { .slot = 0, .results = 1, .picture_every = 2, .quality = 40 };
    k210b_wire_infer_t infer = { 0, K210B_SOURCE_CAMERA, 3 };
    k210b_wire_infer_answer_t answer;
    host.on_datagram = take_datagram;
    check(host_ask(&host, K210B_ID_STREAM_CONFIG, &config, NULL) == 0, "stream", "starts");
    host_run(&host, 1000000);
    check(seen.results >= 28, "stream", "30 frames of the camera a second");
    check(seen.gaps == 0, "stream", "no result is lost");
    check(seen.pictures >= 13 && seen.pictures <= 16, "stream", "every second result has its picture");
    for (uint32_t i = 0; i < seen.pictures; i++)
        check(was_result(seen.picture_ids[i]), "stream", "picture and result of one frame");
    check(host_ask(&host, K210B_ID_INFER, &infer, &answer) == 0 && answer.frame_id > 0, "infer", "beside the stream");
    config.results = 0;
    check(host_ask(&host, K210B_ID_STREAM_CONFIG, &config, NULL) == 0, "stream", "stops");
    host_run(&host, 200000);
    uint32_t results = seen.results;
    host_run(&host, 500000);
    check(seen.results == results, "stream", "is silent then");
    infer.token = 4;
    check(host_ask(&host, K210B_ID_INFER, &infer, &answer) == 0, "infer", "from the camera without a stream");
}

static void boot_with_model(void)
{
    k210b_wire_model_list_t request = { 0 };
    k210b_wire_model_list_answer_t answer;
    host_boot(&host, flash);
    host_run(&host, 50000);
    check(host_hello(&host, 1040) == 0, "boot", "session");
    check(host_ask(&host, K210B_ID_MODEL_LIST, &request, &answer) == 0 && answer.entries[0].state == K210B_SLOT_LOADED,
          "boot", "slot 0 is loaded");
    flash[K210B_FLASH_STORE_MODELS + 1000] ^= 1;
    host_boot(&host, flash);
    host_run(&host, 50000);
    check(host_hello(&host, 1040) == 0, "boot", "session with a damaged model");
    check(host_ask(&host, K210B_ID_MODEL_LIST, &request, &answer) == 0 && answer.entries[0].state == K210B_SLOT_FAILED
              && answer.entries[0].status == K210B_STATUS_HASH, "boot", "the damage is named");
}

int main(int argc, char **argv)
{
    uint32_t bytes = 0, golden_bytes = 0;
    uint8_t *kmodel = argc == 3 ? read_file(argv[1], 1, &bytes) : NULL;
    uint8_t *golden = argc == 3 ? read_file(argv[2], 1, &golden_bytes) : NULL;
    if (!kmodel || !golden)
        return 2;
    memset(flash, 0xFF, sizeof flash);
    host_boot(&host, flash);
    host_hello(&host, 1040);
    deploy(kmodel, bytes);
    infer_input(golden, golden_bytes);
    stream();
    boot_with_model();
    printf("stream: %u results, %u pictures, %d failures\n", seen.results, seen.pictures, failures);
    free(kmodel);
    free(golden);
    return failures != 0;
}
