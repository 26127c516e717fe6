/**
 * One run at a time: picture (or transferred input) into the network, layers, boxes. A request goes before the stream.
 * While a run is under way the next picture is captured (capture.c) and an earlier one is encoded (stream.c).
 */
#include "core.h"

enum { IDLE = 0, PREPARING, RUNNING };
enum { STAGE_WAIT = 0, STAGE_PREPARE, STAGE_LAYERS, STAGE_DECODE };
enum {
    ROWS_AT_ONCE = 128,         /* rows of one channel in one poll */
    STEPS_AT_ONCE = 8,          /* layers in one poll */
    CAMERA_TIMEOUT_US = 2000000,
    RUN_TIMEOUT_US = 10000000   /* no layer takes this long: the KPU hangs */
};

void k210b_pipeline_init(k210b_t *shim)
{
    shim->pipeline.capturing = K210B_NONE;
    shim->pipeline.plane = K210B_NONE;
}

int k210b_pipeline_uses(const k210b_t *shim, uint32_t slot)
{
    return shim->pipeline.state != IDLE && shim->pipeline.run_slot == slot;
}

int k210b_pipeline_wants_picture(const k210b_t *shim)
{
    const k210b_pipeline_t *pipeline = &shim->pipeline;
    return pipeline->results
        || (pipeline->infer_state == K210B_INFER_WAITING && pipeline->infer_source == K210B_SOURCE_CAMERA);
}

/** A run under way goes on, for nobody: the KPU cannot be stopped in a layer. */
void k210b_pipeline_reset(k210b_t *shim)
{
    k210b_pipeline_t *pipeline = &shim->pipeline;
    pipeline->results = 0;
    if (pipeline->infer_state == K210B_INFER_WAITING || pipeline->infer_state == K210B_INFER_RUNNING)
        pipeline->infer_state = K210B_INFER_NONE;
    if (pipeline->infer_state == K210B_INFER_DONE)
        pipeline->infer_state = K210B_INFER_TAKEN;
}

static void end_stage(k210b_t *shim, uint32_t stage)
{
    shim->pipeline.found.stage_us[stage] = k210b_elapsed(shim, shim->pipeline.stage_since_us);
    shim->pipeline.stage_since_us = shim->now_us;
}

/** Gives the outcome to whoever asked for the run. */
static void end_run(k210b_t *shim, int status)
{
    k210b_pipeline_t *pipeline = &shim->pipeline;
    k210b_capture_release(shim, pipeline->plane);
    pipeline->plane = K210B_NONE;
    pipeline->state = IDLE;
    pipeline->idle_since_us = shim->now_us;
    pipeline->found.done_us = shim->time_us;
    if (pipeline->for_infer) {
        if (pipeline->infer_state != K210B_INFER_RUNNING)
            return; /* its session has ended */
        pipeline->infer_state = K210B_INFER_DONE;
        pipeline->infer_status = (int8_t)status;
        pipeline->infer_found = pipeline->found;
        shim->models.slots[pipeline->run_slot].last_infer = status == K210B_OK;
    } else if (status < 0) {
        pipeline->results = 0;
        k210b_log(shim, K210B_LOG_ERROR, "stream stopped: ", status);
    } else if (pipeline->results) {
        k210b_stream_result(shim, &pipeline->found);
    }
}

static int matches_input(const k210b_loaded_t *loaded, const k210b_image_map_t *map)
{
    uint32_t channels = map->colour == K210B_COLOUR_GREY ? 1 : 3;
    const uint32_t *shape = loaded->model.input_shape;
    return shape[1] == channels && shape[2] == map->dst_height && shape[3] == map->dst_width;
}

/** Starts with a held plane, or with the transferred input when there is none. */
static int begin_run(k210b_t *shim, k210b_loaded_t *loaded)
{
    k210b_pipeline_t *pipeline = &shim->pipeline;
    uint8_t *main_mem = shim->port->arena + loaded->main_at;
    loaded->last_infer = 0;
    int status = k210b_run_begin(&pipeline->run, &loaded->model, main_mem, shim->port);
    if (status < 0)
        return status;
    if (pipeline->plane == K210B_NONE)
        return k210b_run_input(&pipeline->run, shim->port->arena + loaded->input_at,
                               k210b_model_input_bytes(&loaded->model));
    status = k210b_image_map(&pipeline->map, &loaded->card, shim->config.camera_width, shim->config.camera_height);
    if (status < 0)
        return status;
    return matches_input(loaded, &pipeline->map) ? K210B_OK : K210B_ERR_RANGE;
}

static void describe_run(k210b_t *shim, const k210b_loaded_t *loaded)
{
    k210b_pipeline_t *pipeline = &shim->pipeline;
    k210b_found_t *found = &pipeline->found;
    memset(found, 0, sizeof *found);
    found->slot = pipeline->run_slot;
    memcpy(found->model_hash, loaded->sha256, sizeof found->model_hash);
    found->capture_us = shim->time_us;
    if (pipeline->plane == K210B_NONE)
        return;
    found->frame_id = pipeline->planes[pipeline->plane].frame_id;
    found->capture_us = pipeline->planes[pipeline->plane].capture_us;
    uint32_t skipped = pipeline->last_frame_id != 0 ? found->frame_id - pipeline->last_frame_id - 1 : 0;
    found->dropped = (uint16_t)k210b_min(skipped, 0xFFFF);
    pipeline->last_frame_id = found->frame_id;
}

static void start_run(k210b_t *shim, uint8_t slot, uint8_t plane, int for_infer)
{
    k210b_pipeline_t *pipeline = &shim->pipeline;
    k210b_loaded_t *loaded = k210b_models_get(shim, slot);
    pipeline->run_slot = slot;
    pipeline->plane = plane;
    pipeline->for_infer = (uint8_t)for_infer;
    pipeline->channel = 0;
    pipeline->row = 0;
    pipeline->stage_since_us = for_infer ? pipeline->infer_since_us : pipeline->idle_since_us;
    describe_run(shim, loaded);
    end_stage(shim, STAGE_WAIT);
    int status = begin_run(shim, loaded);
    pipeline->state = PREPARING;
    if (status < 0)
        end_run(shim, status);
}

static void fail_infer(k210b_pipeline_t *pipeline, int status)
{
    pipeline->infer_state = K210B_INFER_DONE;
    pipeline->infer_status = (int8_t)status;
}

/** 1 when a request is served or waits for the camera: the stream has to stand back. */
static int serve_infer(k210b_t *shim)
{
    k210b_pipeline_t *pipeline = &shim->pipeline;
    uint8_t plane = K210B_NONE;
    if (pipeline->infer_state != K210B_INFER_WAITING)
        return 0;
    const k210b_loaded_t *loaded = k210b_models_get(shim, pipeline->infer_slot);
    if (!loaded || (pipeline->infer_source == K210B_SOURCE_INPUT && !loaded->has_input)) {
        fail_infer(pipeline, K210B_ERR_STATE);
        return 1;
    }
    if (pipeline->infer_source == K210B_SOURCE_CAMERA) {
        plane = k210b_capture_take(shim);
        if (plane == K210B_NONE && k210b_elapsed(shim, pipeline->infer_since_us) > CAMERA_TIMEOUT_US)
            fail_infer(pipeline, K210B_ERR_STATE);
        if (plane == K210B_NONE)
            return 1;
    }
    pipeline->infer_state = K210B_INFER_RUNNING;
    start_run(shim, pipeline->infer_slot, plane, 1);
    return 1;
}

static void serve_stream(k210b_t *shim)
{
    k210b_pipeline_t *pipeline = &shim->pipeline;
    if (!pipeline->results || !k210b_models_get(shim, pipeline->slot))
        return;
    uint8_t plane = k210b_capture_take(shim);
    if (plane != K210B_NONE)
        start_run(shim, pipeline->slot, plane, 0);
}

/** The picture of every n-th result, from the plane that was just read: the same frame. */
static void offer_picture(k210b_t *shim)
{
    k210b_pipeline_t *pipeline = &shim->pipeline;
    if (pipeline->for_infer || pipeline->picture_every == 0
        || ++pipeline->since_picture < pipeline->picture_every)
        return;
    if (!k210b_stream_picture(shim, pipeline->plane))
        return; /* the encoder is busy: the next frame then */
    pipeline->since_picture = 0;
    pipeline->plane = K210B_NONE;
}

/** Copies rows into the network's input; 1 when all are there. */
static int prepare_rows(k210b_t *shim, int *status)
{
    k210b_pipeline_t *pipeline = &shim->pipeline;
    uint32_t channels = pipeline->run.model->input_shape[1];
    const uint8_t *planes = k210b_plane(shim, pipeline->plane);
    for (uint32_t i = 0; i < ROWS_AT_ONCE && pipeline->channel < channels; i++) {
        uint8_t *row = k210b_run_input_row(&pipeline->run, pipeline->channel, pipeline->row);
        if (!row) {
            *status = K210B_ERR_RANGE;
            return 1;
        }
        k210b_image_row(&pipeline->map, planes, pipeline->channel, pipeline->row, row);
        if (++pipeline->row < pipeline->map.dst_height)
            continue;
        pipeline->row = 0;
        pipeline->channel++;
    }
    return pipeline->channel >= channels;
}

static void prepare(k210b_t *shim)
{
    k210b_pipeline_t *pipeline = &shim->pipeline;
    int status = K210B_OK;
    if (pipeline->plane != K210B_NONE && !prepare_rows(shim, &status))
        return;
    if (status < 0) {
        end_run(shim, status);
        return;
    }
    if (pipeline->plane != K210B_NONE) {
        offer_picture(shim);
        k210b_capture_release(shim, pipeline->plane);
    }
    pipeline->plane = K210B_NONE;
    end_stage(shim, STAGE_PREPARE);
    pipeline->state = RUNNING;
}

static void run_layers(k210b_t *shim)
{
    k210b_pipeline_t *pipeline = &shim->pipeline;
    int result = 0;
    k210b_run_clock(&pipeline->run, shim->now_us);
    for (int i = 0; i < STEPS_AT_ONCE && result == 0; i++) {
        result = k210b_run_step(&pipeline->run);
        if (result == 0 && k210b_run_waiting(&pipeline->run))
            break;
    }
    if (result == 0 && k210b_elapsed(shim, pipeline->stage_since_us) > RUN_TIMEOUT_US)
        result = K210B_ERR_KPU;
    if (result == 0)
        return;
    end_stage(shim, STAGE_LAYERS);
    if (result > 0) {
        result = k210b_found_decode(shim);
        end_stage(shim, STAGE_DECODE);
    }
    end_run(shim, result);
}

void k210b_pipeline_poll(k210b_t *shim)
{
    if (shim->pipeline.state == IDLE && !serve_infer(shim))
        serve_stream(shim);
    if (shim->pipeline.state == PREPARING)
        prepare(shim);
    if (shim->pipeline.state == RUNNING)
        run_layers(shim);
}
