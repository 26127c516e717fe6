/** streamConfig, infer and readOutput; rows: protocol/messages/stream.ts. */
#include "core.h"

enum { DEFAULT_QUALITY = 50, HIGHEST_QUALITY = 95, OUTPUT_ROW_BYTES = 7 };

int k210b_on_stream_config(k210b_t *shim, k210b_reply_t *reply)
{
    k210b_pipeline_t *pipeline = &shim->pipeline;
    k210b_wire_stream_config_t request;
    k210b_wire_stream_config_answer_t answer = { .status = K210B_STATUS_OK };
    if (k210b_request(reply, &request) < 0)
        return K210B_ERR_BAD_REQUEST;
    if (request.slot >= K210B_SLOTS)
        return K210B_ERR_RANGE;
    if (request.results != 0 && !k210b_models_get(shim, request.slot))
        return K210B_ERR_STATE;
    pipeline->slot = request.slot;
    pipeline->picture_every = request.picture_every;
    pipeline->since_picture = request.picture_every; /* the first result has its picture */
    pipeline->quality = (uint8_t)(request.quality == 0 ? DEFAULT_QUALITY
                                                       : k210b_min(request.quality, HIGHEST_QUALITY));
    pipeline->score_threshold = request.score_threshold;
    if (request.results != 0 && !pipeline->results) {
        pipeline->last_frame_id = 0;
        pipeline->idle_since_us = shim->now_us;
        pipeline->camera_failed = 0;
    }
    pipeline->results = request.results != 0;
    return k210b_answer(shim, reply, &answer);
}

static int is_asked(const k210b_pipeline_t *pipeline, const k210b_wire_infer_t *request)
{
    return pipeline->infer_state != K210B_INFER_NONE && pipeline->infer_token == request->token
        && pipeline->infer_slot == request->slot && pipeline->infer_source == request->source;
}

static int begin_infer(k210b_t *shim, const k210b_wire_infer_t *request)
{
    k210b_pipeline_t *pipeline = &shim->pipeline;
    const k210b_loaded_t *loaded = k210b_models_get(shim, request->slot);
    if (!loaded || (request->source == K210B_SOURCE_INPUT && !loaded->has_input))
        return K210B_ERR_STATE;
    pipeline->infer_state = K210B_INFER_WAITING;
    pipeline->infer_slot = request->slot;
    pipeline->infer_source = request->source;
    pipeline->infer_token = request->token;
    pipeline->infer_since_us = shim->now_us;
    pipeline->camera_failed = 0;
    return K210B_LATER;
}

/** Answers with as many boxes as the payload holds. */
static int answer_found(k210b_t *shim, k210b_reply_t *reply)
{
    k210b_wire_infer_answer_t answer;
    k210b_found_answer(&shim->pipeline.infer_found, &answer);
    int status = k210b_answer(shim, reply, &answer);
    while (status == K210B_ERR_SPACE && answer.boxes_count > 0) {
        answer.boxes_count--;
        status = k210b_answer(shim, reply, &answer);
    }
    return status;
}

int k210b_on_infer(k210b_t *shim, k210b_reply_t *reply)
{
    k210b_pipeline_t *pipeline = &shim->pipeline;
    k210b_wire_infer_t request;
    if (k210b_request(reply, &request) < 0)
        return K210B_ERR_BAD_REQUEST;
    if (request.slot >= K210B_SLOTS || request.source > K210B_SOURCE_INPUT)
        return K210B_ERR_RANGE;
    if (!is_asked(pipeline, &request)) {
        if (pipeline->infer_state != K210B_INFER_NONE && pipeline->infer_state != K210B_INFER_TAKEN)
            return K210B_LATER; /* another request is being served */
        return begin_infer(shim, &request);
    }
    if (pipeline->infer_state != K210B_INFER_DONE && pipeline->infer_state != K210B_INFER_TAKEN)
        return K210B_LATER;
    pipeline->infer_state = K210B_INFER_TAKEN;
    if (pipeline->infer_status < 0) {
        pipeline->infer_state = K210B_INFER_NONE; /* the same token may try again */
        return pipeline->infer_status;
    }
    return answer_found(shim, reply);
}

int k210b_on_read_output(k210b_t *shim, k210b_reply_t *reply)
{
    k210b_wire_read_output_t request;
    k210b_range_t range;
    if (k210b_request(reply, &request) < 0)
        return K210B_ERR_BAD_REQUEST;
    const k210b_loaded_t *loaded = k210b_models_get(shim, request.slot);
    if (!loaded || !loaded->last_infer)
        return K210B_ERR_STATE; /* nothing was run, or the stream has overwritten it */
    if (k210b_model_output(&loaded->model, request.output, &range) < 0)
        return K210B_ERR_NOT_FOUND;
    if (request.offset > range.size)
        return K210B_ERR_RANGE;
    uint32_t room = k210b_min(shim->link.payload_limit - OUTPUT_ROW_BYTES, 4080);
    uint32_t count = k210b_min(k210b_min(request.length, room), range.size - request.offset);
    k210b_wire_read_output_answer_t answer = {
        .total = range.size,
        .data = shim->port->arena + loaded->main_at + range.start + request.offset,
        .data_length = (uint16_t)count,
    };
    return k210b_answer(shim, reply, &answer);
}
